"""A worker's questions to the coordinator and their answers: no job starts without a claim."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.commands import Message, SceneMessage
from shared.contracts.project import Size
from shared.contracts.scene import Artifact, Contract, Stage


class SceneInput(Contract):
    """What a scene is made from, frozen at the press."""

    title: str
    text: str
    prompt: str
    style: str
    seed: int
    size: Size
    wanted: Size | None = None  #: the project's at the press, where `size` is another one that fits
    instead_of: int | None = None  #: the sentence's seed at the press, where `seed` is another one drawn for this scene


class Claim(SceneMessage):
    """May I start this job? The same session asking again gets the same answer."""

    type: Literal["claim"] = "claim"
    stage: Stage
    worker: str  #: name, the same after a restart
    session: UUID  #: of this process, new after a restart


class Granted(Message):
    """Start; here is everything the job needs."""

    type: Literal["granted"] = "granted"
    sentence_id: UUID
    number: int  #: place of the sentence in the story, from 1
    input: SceneInput
    source: Artifact | None = None  #: stage `video`: the image to start from


class Refused(Message):
    """Drop the message: the job is done, cancelled, another's, or of an old attempt."""

    type: Literal["refused"] = "refused"
    reason: str


class Renew(SceneMessage):
    """I am still at it."""

    type: Literal["renew"] = "renew"
    stage: Stage
    session: UUID


class Renewed(Message):
    type: Literal["renewed"] = "renewed"
    stop: bool  #: True: nobody waits for this result any more


Question = Annotated[Claim | Renew, Field(discriminator="type")]
Answer = Annotated[Granted | Refused | Renewed, Field(discriminator="type")]
