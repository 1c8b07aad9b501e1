"""What a run is: one press on Generate All Scenes, its frozen plan and its progress."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.scene import Contract, Stage


class Order(StrEnum):
    IMAGES_FIRST = "images_first"  #: all images settle, then the videos start
    PER_SCENE = "per_scene"  #: a video is queued the moment its image is done


class RunKind(StrEnum):
    BULK = "bulk"  #: the whole storyboard; at most one is active in a project
    PARTIAL = "partial"  #: named sentences


class RunStatus(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"  #: nothing is queued; resume dispatches again
    CANCELLING = "cancelling"  #: stopped, but a worker has not confirmed yet
    COMPLETED = "completed"  #: every scene settled, failures included
    CANCELLED = "cancelled"


#: A run in one of these may still change.
ACTIVE = frozenset({RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.CANCELLING})


class StageCount(Contract):
    """Scenes that have this stage in their plan, by what became of the stage.

    A scene that failed or was cancelled at its image counts as such for its video too, since that
    will never come. The seven numbers after `total` add up to it.
    """

    total: int = 0
    blocked: int = 0  #: stage `video`: the image is not there yet
    waiting: int = 0
    queued: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def settled(self) -> int:
        """Scenes for which nothing more will happen in this stage."""
        return self.done + self.failed + self.cancelled


class Progress(Contract):
    """The two numbers of "Generating... (5/24)"."""

    stage: Stage | None  #: the one that runs; None where scenes are counted as a whole
    settled: int
    total: int


class Cause(StrEnum):
    """Why a run makes no progress although nothing failed."""

    DISK_FULL = "disk_full"  #: too little free disk for new files
    NO_IMAGE_WORKER = "no_image_worker"  #: images wait and no image worker is alive
    NO_VIDEO_WORKER = "no_video_worker"  #: videos wait and no video worker is alive


class Notice(Contract):
    """Something the creator must know or do before the run can go on."""

    cause: Cause
    message: str


class Run(Contract):
    """One press, whole state: what a browser needs to draw the toolbar."""

    id: UUID
    project_id: UUID
    kind: RunKind
    order: Order
    stages: tuple[Stage, ...]  #: what this press may make
    status: RunStatus
    retry_of: UUID | None = None  #: the run whose failures this one makes again
    scenes: int  #: scenes in the plan
    failed: int  #: scenes that failed, at whichever stage
    images: StageCount
    videos: StageCount
    progress: Progress
    notice: Notice | None = None
    created_at: datetime
    ended_at: datetime | None = None
    seen: bool = False  #: the creator was told of the end
    version: Annotated[int, Field(ge=1)] = 1  #: rises with every stored change of the run or of its scenes
