"""What a project is: a title, a style, and an ordered list of sentences with their takes."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field

from shared.contracts.run import Run
from shared.contracts.scene import Artifact, Contract, Scene, Stage


def _number(given: Any) -> Any:
    if isinstance(given, bool | str | bytes):
        raise ValueError("this must be a number")
    return given


#: JSON's numbers only: pydantic by itself would take "24" and true for one.
NUMBER = BeforeValidator(_number)


class Size(Contract):
    """What every image and video of a project is made in."""

    width: Annotated[int, Field(ge=64, le=4096, multiple_of=2), NUMBER] = 1280  #: pixels
    height: Annotated[int, Field(ge=64, le=4096, multiple_of=2), NUMBER] = 720  #: pixels
    seconds: Annotated[float, Field(ge=0.5, le=60, allow_inf_nan=False), NUMBER] = 4.0  #: length of a video
    fps: Annotated[int, Field(ge=1, le=60), NUMBER] = 24  #: frames per second of a video


class Take(Contract):
    """An artifact made for a sentence. Old takes are kept; the sentence points at the selected one."""

    id: UUID
    stage: Stage
    artifact: Artifact
    seed: int  #: that it was made with
    selected: bool
    stale: bool  #: made from a text, prompt, style, seed, size or image that has changed since
    created_at: datetime


class Sentence(Contract):
    """One line of the storyboard with its selected image and video."""

    id: UUID
    position: int  #: place in the story, from 1
    text: str
    prompt: str | None = None  #: what to draw, where it is not the text itself
    seed: int
    seed_locked: bool = False  #: a press that varies seeds leaves it alone
    image: Artifact | None = None
    video: Artifact | None = None
    image_stale: bool = False
    video_stale: bool = False
    image_takes: int = 0  #: takes there are to choose from
    video_takes: int = 0
    scene_id: UUID | None = None  #: the latest scene of it
    version: int = 1


class Project(Contract):
    """A storyboard's head. `seq` rises with every stored change of anything in it."""

    id: UUID
    title: str
    style: str
    size: Size
    seq: int
    created_at: datetime
    deleted_at: datetime | None = None


class ProjectSummary(Project):
    """A row of the list of projects."""

    sentences: int
    images: int  #: sentences that have one
    videos: int
    poster: Artifact | None = None  #: image of the first sentence that has one
    run: Run | None = None  #: the one that is active, else the latest bulk run


class Storyboard(Contract):
    """The whole project as of `project.seq`: what a page needs after it connected."""

    project: Project
    sentences: list[Sentence]
    scenes: list[Scene]  #: the latest scene of every sentence that ever had one
    runs: list[Run]  #: the active ones, the latest, and the latest bulk run; newest first
