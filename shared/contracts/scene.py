"""What a scene is: one sentence inside one run, with its stage, its state and what came of it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Contract(BaseModel):
    """Frozen, and strict about names: a misspelt field is an error and not a silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stage(StrEnum):
    IMAGE = "image"  #: made from the prompt
    VIDEO = "video"  #: made from the image


class SceneStatus(StrEnum):
    WAITING = "waiting"  #: in the database only, until the run's window has room
    QUEUED = "queued"  #: a job is, or is about to be, on the stage's queue
    RUNNING = "running"  #: a worker holds the claim
    DONE = "done"  #: every stage of the plan is made
    FAILED = "failed"  #: given up; `failure` says why
    CANCELLED = "cancelled"  #: stopped by the creator


#: A scene in one of these never changes again.
TERMINAL = frozenset({SceneStatus.DONE, SceneStatus.FAILED, SceneStatus.CANCELLED})


class Stopping(StrEnum):
    """Why a running scene was asked to stop; it ends in that state once the worker has confirmed."""

    CANCEL = "cancel"  #: ends cancelled
    PAUSE = "pause"  #: goes back to waiting


class Fits(Contract):
    """A size that the failed job would fit in."""

    width: Annotated[int, Field(ge=64, le=4096, multiple_of=2)]  #: pixels
    height: Annotated[int, Field(ge=64, le=4096, multiple_of=2)]  #: pixels


class Failure(Contract):
    """Why a scene failed, in a form that can be grouped, shown and copied."""

    cause: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]  #: code to group by
    message: Annotated[str, Field(max_length=1000)]  #: one sentence for the creator
    detail: Annotated[str, Field(max_length=20_000)] = ""  #: technical text to copy
    fits: Fits | None = None  #: where a smaller size would do, `out_of_memory` above all


class Artifact(Contract):
    """A file that a worker made: immutable, addressed by key."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9/._-]{0,250}$")]
    media_type: str  #: such as `image/png`
    size: Annotated[int, Field(ge=0)]  #: bytes
    width: int  #: pixels
    height: int  #: pixels
    seconds: float | None = None  #: of a video


class Scene(Contract):
    """One sentence inside one run. Whole state: what a browser needs to draw it."""

    id: UUID
    run_id: UUID
    project_id: UUID
    sentence_id: UUID
    number: int  #: place of the sentence in the story at the press, from 1
    plan: tuple[Stage, ...]  #: the stages this run makes, in order; frozen at the press
    stage: Stage  #: the one being made, or the last one
    status: SceneStatus = SceneStatus.WAITING
    attempt: int = 1  #: of this stage; rises whenever a job is given or taken back: the fence
    failures: int = 0  #: attempts of this stage that ended in an error worth retrying
    crashes: int = 0  #: attempts of this stage that ended with a silent worker
    stopping: Stopping | None = None  #: set while a running job is asked to stop
    worker: str | None = None  #: who runs it
    session: UUID | None = None  #: of that worker's process: the holder of the claim
    image: Artifact | None = None  #: the image the video is made from: found at the press, or made
    video: Artifact | None = None  #: made by this run
    failure: Failure | None = None  #: of the last attempt that failed; stays until one succeeds
    version: int = 1  #: rises with every stored change
    changed_at: datetime | None = None  #: when this state was stored
