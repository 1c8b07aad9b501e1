"""What workers and the coordinator say has happened."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.commands import Message, SceneMessage
from shared.contracts.project import Sentence
from shared.contracts.run import Run
from shared.contracts.scene import Artifact, Contract, Failure, Scene, Stage

MAX_PREVIEW = 21_848  #: characters: 16 KiB as base64

# From a worker about a job it was granted. The coordinator stores them.


class ImageCompleted(SceneMessage):
    """The image is stored. What follows from it, the scene's video included, the coordinator decides."""

    type: Literal["image_completed"] = "image_completed"
    stage: Literal[Stage.IMAGE] = Stage.IMAGE
    artifact: Artifact
    took_s: float


class VideoCompleted(SceneMessage):
    type: Literal["video_completed"] = "video_completed"
    stage: Literal[Stage.VIDEO] = Stage.VIDEO
    artifact: Artifact
    took_s: float


class JobFailed(SceneMessage):
    type: Literal["job_failed"] = "job_failed"
    stage: Stage
    failure: Failure
    retryable: bool  #: False where another attempt would fail the same way
    took_s: float


class JobStopped(SceneMessage):
    """A running job was stopped because the creator asked for it."""

    type: Literal["job_stopped"] = "job_stopped"
    stage: Stage


class JobReleased(SceneMessage):
    """Given back unfinished: this worker is shutting down."""

    type: Literal["job_released"] = "job_released"
    stage: Stage


Completed = ImageCompleted | VideoCompleted
Result = Annotated[ImageCompleted | VideoCompleted | JobFailed | JobStopped | JobReleased, Field(discriminator="type")]


# From a worker about itself. Held in memory only, by whoever wants to know.


class WorkerState(StrEnum):
    STARTING = "starting"  #: loading its generator
    IDLE = "idle"
    BUSY = "busy"
    FAILED = "failed"  #: ended because it cannot work; `detail` says why
    GONE = "gone"  #: shut down in order


class WorkerSeen(Message):
    """A worker's sign of life: every few seconds, and at every change."""

    type: Literal["worker_seen"] = "worker_seen"
    name: str
    session: UUID
    stage: Stage
    generator: str  #: such as `animatic`, or a model's name
    state: WorkerState
    detail: str = ""  #: such as `loading 3 of 7: text encoder`
    project_id: UUID | None = None  #: what it does now
    scene_id: UUID | None = None
    number: int | None = None  #: place of that sentence in its story
    every_s: float  #: when to expect the next one


# To browsers. `seq` is the project's, one for every commit that changed anything in it.


class ProjectEvent(Message):
    project_id: UUID


class SceneChanged(ProjectEvent):
    """What one commit changed, each as its whole state."""

    type: Literal["scene_changed"] = "scene_changed"
    seq: int
    scenes: tuple[Scene, ...]
    sentences: tuple[Sentence, ...] = ()  #: those whose selected takes changed
    run: Run | None = None  #: where its counters of settled scenes changed


class RunChanged(ProjectEvent):
    type: Literal["run_changed"] = "run_changed"
    seq: int
    run: Run
    reset: bool = False  #: many scenes changed with it: fetch the storyboard again


class StoryboardChanged(ProjectEvent):
    """Sentences were edited, added, deleted, reordered, or another take was chosen: fetch again."""

    type: Literal["storyboard_changed"] = "storyboard_changed"
    seq: int


class SceneProgressed(ProjectEvent):
    """How far a running job is. Never stored; the last one may be lost."""

    type: Literal["scene_progressed"] = "scene_progressed"
    run_id: UUID
    scene_id: UUID
    sentence_id: UUID
    stage: Stage
    attempt: int
    fraction: Annotated[float, Field(ge=0, le=1)]


class ScenePreviewed(ProjectEvent):
    """What a running job will look like. Never stored; any of them may be lost, and the latest counts."""

    type: Literal["scene_previewed"] = "scene_previewed"
    run_id: UUID
    scene_id: UUID
    sentence_id: UUID
    stage: Stage
    attempt: int
    picture: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=MAX_PREVIEW)]  #: a JPEG, as base64


class Resync(Contract):
    """The notifier may have missed something: fetch the storyboard again."""

    type: Literal["resync"] = "resync"


Status = Annotated[
    SceneChanged | RunChanged | StoryboardChanged | SceneProgressed | ScenePreviewed, Field(discriminator="type")
]
BrowserEvent = Annotated[
    SceneChanged | RunChanged | StoryboardChanged | SceneProgressed | ScenePreviewed | WorkerSeen | Resync,
    Field(discriminator="type"),
]
