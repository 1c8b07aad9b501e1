"""What one press makes: the plan that is frozen, and shown before by `dry_run`. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from shared.contracts.project import Sentence
from shared.contracts.scene import Stage


class Skip(StrEnum):
    """Why a sentence is not in the plan."""

    NOTHING_TO_DO = "nothing_to_do"  #: it has what was asked for
    NO_IMAGE = "no_image"  #: only a video was asked for, and there is no image to start from
    BUSY = "busy"  #: another run makes it now


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages by sentence in story order, and what was left out."""

    stages: dict[UUID, tuple[Stage, ...]]
    skipped: dict[UUID, Skip]

    def count(self, stage: Stage) -> int:
        return sum(stage in stages for stages in self.stages.values())


def make_plan(
    sentences: Sequence[Sentence],
    *,
    stages: Iterable[Stage],
    replace: Iterable[Stage],
    busy: frozenset[UUID] = frozenset(),
) -> Plan:
    """Plan a press over `sentences`.

    A sentence without image gets its image, then its video; one with an image and no video gets its
    video. A new image always brings a new video, unless videos were not asked for. `replace` makes
    the named stages anew where they exist.
    """
    wanted, anew = set(stages), set(replace)
    planned: dict[UUID, tuple[Stage, ...]] = {}
    skipped: dict[UUID, Skip] = {}
    for sentence in sentences:
        if sentence.id in busy:
            skipped[sentence.id] = Skip.BUSY
            continue
        image = Stage.IMAGE in wanted and (sentence.image is None or Stage.IMAGE in anew)
        video = Stage.VIDEO in wanted and (image or sentence.video is None or Stage.VIDEO in anew)
        if video and not image and sentence.image is None:
            skipped[sentence.id] = Skip.NO_IMAGE
            continue
        made = tuple(stage for stage, needed in ((Stage.IMAGE, image), (Stage.VIDEO, video)) if needed)
        if made:
            planned[sentence.id] = made
        else:
            skipped[sentence.id] = Skip.NOTHING_TO_DO
    return Plan(planned, skipped)
