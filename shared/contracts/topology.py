"""One table: which message goes to which exchange, and which queue takes it.

Job queues are durable classic queues with no arguments at all, for the reasons in `docs/adr/0004`.
"""

from dataclasses import dataclass
from typing import Literal

from shared.contracts.claims import Claim, Granted, Refused, Renew, Renewed
from shared.contracts.commands import GenerateImage, GenerateVideo, Message, Stop
from shared.contracts.events import (
    ImageCompleted,
    JobFailed,
    JobReleased,
    JobStopped,
    RunChanged,
    SceneChanged,
    ScenePreviewed,
    SceneProgressed,
    StoryboardChanged,
    VideoCompleted,
    WorkerSeen,
)
from shared.contracts.scene import Stage


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    kind: Literal["direct", "fanout", "topic"]


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable shared queue; without a name, a reader's own that lives as long as its connection."""

    name: str | None
    exchange: Exchange
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    exchange: Exchange | None  #: None: straight to the queue named by the question's `reply_to`
    key: str = ""  #: may name a field of the message in braces
    durable: bool = False  #: survives a restart of the broker
    mandatory: bool = False  #: an error when no queue takes it


JOBS = Exchange("jobs", "direct")
EVENTS = Exchange("events", "topic")
CLAIMS = Exchange("claims", "direct")
CONTROL = Exchange("control", "fanout")
PRESENCE = Exchange("presence", "fanout")
STATUS = Exchange("status", "topic")

JOB_QUEUES = {stage: Queue(f"jobs.{stage}", JOBS, (stage.value,)) for stage in Stage}
RESULTS = Queue("results", EVENTS, ("image.completed", "video.completed", "job.*"))
QUESTIONS = Queue("claims", CLAIMS, ("question",))
#: Messages nobody could read, each with its cause in the header `cause`.
PARKED = Queue("parked", Exchange("parked", "direct"), ("parked",))
DURABLE = (*JOB_QUEUES.values(), RESULTS, QUESTIONS, PARKED)

OWN_CONTROL = Queue(None, CONTROL, ("",))  #: of a worker: stops, and answers to its questions
OWN_PRESENCE = Queue(None, PRESENCE, ("",))  #: of a coordinator or notifier
OWN_STATUS = Queue(None, STATUS, ("project.#",))  #: of a notifier

ROUTES: dict[type[Message], Route] = {
    GenerateImage: Route(JOBS, "image", durable=True, mandatory=True),
    GenerateVideo: Route(JOBS, "video", durable=True, mandatory=True),
    # The coordinator answers an image's completion with the scene's GenerateVideo.
    ImageCompleted: Route(EVENTS, "image.completed", durable=True, mandatory=True),
    VideoCompleted: Route(EVENTS, "video.completed", durable=True, mandatory=True),
    JobFailed: Route(EVENTS, "job.failed", durable=True, mandatory=True),
    JobStopped: Route(EVENTS, "job.stopped", durable=True, mandatory=True),
    JobReleased: Route(EVENTS, "job.released", durable=True, mandatory=True),
    Claim: Route(CLAIMS, "question", mandatory=True),
    Renew: Route(CLAIMS, "question", mandatory=True),
    Granted: Route(None),
    Refused: Route(None),
    Renewed: Route(None),
    Stop: Route(CONTROL),
    WorkerSeen: Route(PRESENCE),
    # Nobody watching is normal.
    SceneChanged: Route(STATUS, "project.{project_id}"),
    RunChanged: Route(STATUS, "project.{project_id}"),
    StoryboardChanged: Route(STATUS, "project.{project_id}"),
    SceneProgressed: Route(STATUS, "project.{project_id}"),
    ScenePreviewed: Route(STATUS, "project.{project_id}"),
}
