"""What happens to a scene: one pure function over one scene and one message.

No I/O, no clock, no randomness. Whatever does not fit is an ordinary `Ignored`: a repeat, a late
answer, an old attempt. The letters are those of the state diagram in `docs/architecture.md`.
"""

from dataclasses import dataclass
from enum import Enum, auto

from shared.contracts.claims import Claim
from shared.contracts.events import (
    Completed,
    ImageCompleted,
    JobFailed,
    JobReleased,
    JobStopped,
    VideoCompleted,
)
from shared.contracts.scene import (
    TERMINAL,
    Artifact,
    Failure,
    Scene,
    SceneStatus,
    Stage,
    Stopping,
)

#: Attempts of one stage that may end in an error worth retrying, or in a crash, before the scene fails.
MAX_FAILURES = 3
MAX_CRASHES = 3


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The window has room: put the scene's job on its queue."""


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """The worker that runs this attempt is silent, or has come back as a new process."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """The creator stops the run, or this scene."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The creator pauses the run."""

    stop_running: bool  #: "my GPU, now": do not let the running job finish


Event = (
    Claim
    | ImageCompleted
    | VideoCompleted
    | JobFailed
    | JobStopped
    | JobReleased
    | Dispatch
    | LeaseLost
    | Cancel
    | Pause
)


class Selection(Enum):
    ALWAYS = auto()  #: the sentence shows the new take
    IF_NONE = auto()  #: only where it shows nothing yet
    NEVER = auto()  #: kept among the old takes


@dataclass(frozen=True, slots=True)
class Take:
    """A finished file to keep, whatever becomes of the scene."""

    stage: Stage
    artifact: Artifact
    selection: Selection


@dataclass(frozen=True, slots=True)
class Changed:
    scene: Scene
    take: Take | None = None


@dataclass(frozen=True, slots=True)
class Regranted:
    """The session that holds the claim asks again: its answer got lost."""


@dataclass(frozen=True, slots=True)
class Contested:
    """Another session holds the claim, and the broker gave the message to this one: it may be dead."""

    reason: str = "another worker runs it"


@dataclass(frozen=True, slots=True)
class Ignored:
    reason: str
    take: Take | None = None


Decision = Changed | Regranted | Contested | Ignored


def decide(scene: Scene, event: Event) -> Decision:
    """What `event` makes of `scene`."""
    if isinstance(event, ImageCompleted | VideoCompleted):
        return _complete(scene, event)
    if scene.status in TERMINAL:
        return Ignored("the scene is over")
    match event:
        case Dispatch():
            return _dispatch(scene)
        case Claim():
            return _claim(scene, event)
        case Cancel():
            return _cancel(scene)
        case Pause():
            return _pause(scene, event)
        case JobFailed() | JobStopped() | JobReleased() | LeaseLost():
            return _end_attempt(scene, event)


def _dispatch(scene: Scene) -> Decision:
    if scene.status is not SceneStatus.WAITING:
        return Ignored("not waiting")
    return _change(scene, status=SceneStatus.QUEUED)  # a


def _claim(scene: Scene, claim: Claim) -> Decision:
    if (claim.stage, claim.attempt) != (scene.stage, scene.attempt):
        return Ignored("of an earlier attempt")
    if scene.status is SceneStatus.RUNNING:
        return Regranted() if scene.session == claim.session else Contested()
    if scene.status is not SceneStatus.QUEUED:
        return Ignored("taken off the queue")
    return _change(scene, status=SceneStatus.RUNNING, worker=claim.worker, session=claim.session)  # b


def _cancel(scene: Scene) -> Decision:
    if scene.status is not SceneStatus.RUNNING:
        return _change(scene, status=SceneStatus.CANCELLED)  # j
    if scene.stopping is Stopping.CANCEL:
        return Ignored("already stopping")
    return _change(scene, stopping=Stopping.CANCEL)  # h


def _pause(scene: Scene, pause: Pause) -> Decision:
    if scene.status is SceneStatus.QUEUED:
        return _change(scene, status=SceneStatus.WAITING)  # i
    if scene.status is SceneStatus.RUNNING and pause.stop_running and scene.stopping is None:
        return _change(scene, stopping=Stopping.PAUSE)  # h
    return Ignored("nothing to pause")


def _end_attempt(scene: Scene, event: JobFailed | JobStopped | JobReleased | LeaseLost) -> Decision:
    """The running attempt ended without a result: again, or not."""
    stage = scene.stage if isinstance(event, LeaseLost) else event.stage
    if (stage, event.attempt) != (scene.stage, scene.attempt):
        return Ignored("of an earlier attempt")
    if scene.status is not SceneStatus.RUNNING:
        return Ignored("not running")
    failure, failures, crashes = scene.failure, scene.failures, scene.crashes
    if isinstance(event, JobFailed):
        failure, failures = event.failure, failures + 1
    elif isinstance(event, LeaseLost):
        crashes += 1
        if crashes >= MAX_CRASHES:
            failure = Failure(
                cause="worker_crashed",
                message=f"The worker was lost {crashes} times while it made this {scene.stage}.",
            )
    ended = {"failures": failures, "crashes": crashes, "failure": failure, **_NO_WORKER}
    if scene.stopping is Stopping.CANCEL:
        return _change(scene, status=SceneStatus.CANCELLED, **ended)  # g
    hopeless = isinstance(event, JobFailed) and not event.retryable
    if hopeless or failures >= MAX_FAILURES or crashes >= MAX_CRASHES:
        return _change(scene, status=SceneStatus.FAILED, **ended)  # f
    return _change(scene, status=SceneStatus.WAITING, attempt=scene.attempt + 1, **ended)  # e


def _complete(scene: Scene, event: Completed) -> Decision:
    """A finished file counts from any attempt while its stage is open: no work is thrown away."""
    if scene.status in TERMINAL or event.stage is not scene.stage:
        return Ignored("the stage is closed", take=Take(event.stage, event.artifact, Selection.NEVER))
    made = {event.stage.value: event.artifact, "failure": None, **_NO_WORKER}
    if scene.stopping is Stopping.CANCEL:
        take = Take(event.stage, event.artifact, Selection.IF_NONE)
        return Changed(_next(scene, status=SceneStatus.CANCELLED, **made), take)  # g
    take = Take(event.stage, event.artifact, Selection.ALWAYS)
    if event.stage is scene.plan[-1]:
        return Changed(_next(scene, status=SceneStatus.DONE, **made), take)  # d
    following = scene.plan[scene.plan.index(event.stage) + 1]
    fresh = {"stage": following, "attempt": 1, "failures": 0, "crashes": 0}
    return Changed(_next(scene, status=SceneStatus.WAITING, **fresh, **made), take)  # c


_NO_WORKER = {"worker": None, "session": None, "stopping": None}


def _change(scene: Scene, **changes: object) -> Changed:
    return Changed(_next(scene, **changes))


def _next(scene: Scene, **changes: object) -> Scene:
    return scene.model_copy(update={**changes, "version": scene.version + 1})
