"""What the coordinator tells workers to do."""

from typing import Literal
from uuid import UUID

from shared.contracts.scene import Contract, Stage, Stopping


class Message(Contract):
    """Anything that travels on the bus. A reader that does not know `v` must not guess."""

    v: Literal[1] = 1


class SceneMessage(Message):
    """About one attempt at one scene's current stage."""

    project_id: UUID
    run_id: UUID
    scene_id: UUID
    attempt: int


class GenerateImage(SceneMessage):
    type: Literal["generate_image"] = "generate_image"


class GenerateVideo(SceneMessage):
    type: Literal["generate_video"] = "generate_video"


class Stop(Message):
    """Stop what runs for this run, or for one scene of it. To every worker; most have nothing to stop."""

    type: Literal["stop"] = "stop"
    run_id: UUID
    scene_id: UUID | None = None  #: None: every scene of the run
    why: Stopping


GENERATE: dict[Stage, type[GenerateImage] | type[GenerateVideo]] = {
    Stage.IMAGE: GenerateImage,
    Stage.VIDEO: GenerateVideo,
}
