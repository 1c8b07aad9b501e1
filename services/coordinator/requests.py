"""What may be sent to the routes, with the limits of each field."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.coordinator.edits import MAX_SEED
from shared.contracts.project import Size
from shared.contracts.run import Order
from shared.contracts.scene import Stage

MAX_SENTENCE = 2_000  #: characters
MAX_PROMPT = 4_000
MAX_TITLE = 200
MAX_STYLE = 500
MAX_SCRIPT = 2_000_000


def clean(text: str) -> str:
    """Without control characters, which no database, font or terminal agrees about."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f")).strip()


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("write at least one visible character")
    return text


Text = Annotated[str, Field(max_length=MAX_SENTENCE), AfterValidator(clean), AfterValidator(_not_empty)]
Title = Annotated[str, Field(max_length=MAX_TITLE), AfterValidator(clean), AfterValidator(_not_empty)]
Prompt = Annotated[str, Field(max_length=MAX_PROMPT), AfterValidator(clean)]
Style = Annotated[str, Field(max_length=MAX_STYLE), AfterValidator(clean)]
Script = Annotated[str, Field(max_length=MAX_SCRIPT), AfterValidator(clean), AfterValidator(_not_empty)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Stages = Annotated[tuple[Stage, ...], Field(max_length=2)]


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewSentence(Asked):
    text: Text
    prompt: Prompt | None = None
    seed: Seed | None = None


class NewProject(Asked):
    """Sentences as a list, or a script that is split into them."""

    title: Title
    style: Style = ""
    size: Size = Size()
    sentences: list[Text | NewSentence] | None = None
    script: Script | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.sentences is not None and self.script is not None:
            raise ValueError("give either `sentences` or `script`, not both")
        return self


class SplitScript(Asked):
    script: Script


class EditProject(Asked):
    title: Title | None = None
    style: Style | None = None
    size: Size | None = None


class AddSentence(Asked):
    text: Text
    prompt: Prompt | None = None
    position: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class EditSentence(Asked):
    """Only what is named changes; an empty prompt goes back to the text."""

    text: Text | None = None
    prompt: Prompt | None = None
    seed: Seed | None = None


class Reorder(Asked):
    sentence_ids: Annotated[list[UUID], Field(max_length=100_000)]


class GenerateScenes(Asked):
    order: Order = Order.IMAGES_FIRST
    stages: Annotated[Stages, Field(min_length=1)] = (Stage.IMAGE, Stage.VIDEO)
    replace: Stages = ()  #: stages to make anew where they exist
    sentence_ids: Annotated[list[UUID], Field(min_length=1, max_length=100_000)] | None = None
    dry_run: bool = False  #: answer the plan, change nothing


class PauseRun(Asked):
    stop_running: bool = False  #: do not let the running job finish


class RetryFailed(Asked):
    cause: Annotated[str, Field(max_length=64)] | None = None
    sentence_ids: Annotated[list[UUID], Field(min_length=1, max_length=100_000)] | None = None


class Login(Asked):
    token: Annotated[str, Field(max_length=1000)]
