"""Which waiting scenes go on a queue next: pure.

At most `window` jobs of a run are on a queue. So a newcomer waits for one window of each run before
it, a cancel touches few messages, and a million waiting scenes live in the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.contracts.run import Order, StageCount
from shared.contracts.scene import Stage


@dataclass(frozen=True, slots=True)
class Window:
    """How many jobs of one run may be on each queue."""

    image: int = 32
    video: int = 8

    def of(self, stage: Stage) -> int:
        return self.image if stage is Stage.IMAGE else self.video


def room(order: Order, images: StageCount, videos: StageCount, window: Window) -> dict[Stage, int]:
    """How many scenes of a running run may be queued now, by stage.

    With `images_first` no video starts before every image has settled.
    """
    images_open = images.total > images.settled
    videos_allowed = order is Order.PER_SCENE or not images_open
    return {
        Stage.IMAGE: _free(window.image, images),
        Stage.VIDEO: _free(window.video, videos) if videos_allowed else 0,
    }


def _free(window: int, count: StageCount) -> int:
    return max(0, min(window - count.queued, count.waiting))


def choose(waiting: Sequence[tuple[int, UUID]], free: int) -> list[UUID]:
    """The oldest sentences first: `waiting` is (place in the story, scene)."""
    return [scene_id for _, scene_id in sorted(waiting)[:free]]
