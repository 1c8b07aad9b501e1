"""Counting scenes by stage: what the two bars and "(5/24)" are computed from. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from shared.contracts.run import Order, Progress, StageCount
from shared.contracts.scene import TERMINAL, SceneStatus, Stage


class Group(NamedTuple):
    """Scenes of a run that are alike, as the database groups them."""

    plan: tuple[Stage, ...]
    stage: Stage
    status: SceneStatus
    scenes: int


@dataclass(frozen=True, slots=True)
class Counters:
    """Scenes, never attempts."""

    images: StageCount
    videos: StageCount
    scenes: int
    settled: int
    failed: int

    @property
    def over(self) -> bool:
        return self.settled == self.scenes

    def progress(self, order: Order) -> Progress:
        """`images_first`: of the stage that runs. `per_scene`: of scenes as a whole."""
        if order is Order.PER_SCENE:
            return Progress(stage=None, settled=self.settled, total=self.scenes)
        images_open = self.images.settled < self.images.total
        stage = Stage.IMAGE if images_open or not self.videos.total else Stage.VIDEO
        count = self.images if stage is Stage.IMAGE else self.videos
        return Progress(stage=stage, settled=count.settled, total=count.total)


def count(groups: Iterable[Group]) -> Counters:
    """Add up every group into its place in both stages."""
    tallies: dict[Stage, dict[str, int]] = {stage: {} for stage in Stage}
    scenes = settled = failed = 0
    for group in groups:
        scenes += group.scenes
        settled += group.scenes * (group.status in TERMINAL)
        failed += group.scenes * (group.status is SceneStatus.FAILED)
        for stage in group.plan:
            tally = tallies[stage]
            place = _place(group, stage)
            tally[place] = tally.get(place, 0) + group.scenes
            tally["total"] = tally.get("total", 0) + group.scenes
    images, videos = (StageCount(**tallies[stage]) for stage in Stage)
    return Counters(images=images, videos=videos, scenes=scenes, settled=settled, failed=failed)


def _place(group: Group, stage: Stage) -> str:
    if stage is group.stage:
        return group.status.value
    if stage is Stage.IMAGE:
        return "done"  # The scene is at its video.
    if group.status in (SceneStatus.FAILED, SceneStatus.CANCELLED):
        return group.status.value  # The image never came, so the video will not.
    return "blocked"
