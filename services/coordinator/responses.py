"""What the routes answer, beside the contracts."""

from uuid import UUID

from pydantic import BaseModel

from services.coordinator.plan import Skip
from shared.contracts.events import WorkerSeen
from shared.contracts.project import ProjectSummary, Sentence, Size, Take
from shared.contracts.run import Order, Run
from shared.contracts.scene import Failure, Scene, Stage


class Projects(BaseModel):
    projects: list[ProjectSummary]
    total: int


class Sentences(BaseModel):
    sentences: list[Sentence]


class SplitSentences(BaseModel):
    sentences: list[str]


class Takes(BaseModel):
    takes: list[Take]


class Runs(BaseModel):
    runs: list[Run]


class PlannedSentence(BaseModel):
    sentence_id: UUID
    position: int
    stages: list[Stage]


class SkippedSentence(BaseModel):
    sentence_id: UUID
    position: int
    reason: Skip


class PlanShown(BaseModel):
    """What a press would make now: "9 images, 24 videos"."""

    images: int
    videos: int
    sentences: list[PlannedSentence]
    skipped: list[SkippedSentence]


class FailureGroup(BaseModel):
    """Scenes of a run that failed for the same cause."""

    cause: str
    failure: Failure  #: of the first of them
    scenes: list[Scene]


class Ahead(BaseModel):
    """Jobs of other runs that stand in front of this run's next one."""

    images: int
    videos: int


class RunDetail(BaseModel):
    run: Run
    scenes: list[Scene]
    failures: list[FailureGroup]
    ahead: Ahead


class Workers(BaseModel):
    workers: list[WorkerSeen]


class Limits(BaseModel):
    sentence_characters: int
    prompt_characters: int
    title_characters: int
    style_characters: int
    script_characters: int
    sentences: int
    body_bytes: int


class Config(BaseModel):
    """What a page needs to know before it can do anything."""

    socket_url: str  #: of the notifier; add `/api/v1/projects/{id}/events`
    limits: Limits
    size: Size
    order: Order
    login: bool  #: a token is set
    version: str
