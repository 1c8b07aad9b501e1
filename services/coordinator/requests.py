"""What may be sent to the routes, with the limits of each field."""

import unicodedata
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from services.coordinator.edits import MAX_SEED
from shared.contracts.project import NUMBER, Size
from shared.contracts.run import Order
from shared.contracts.scene import Fits, Stage

MAX_SENTENCE = 2_000  #: characters
MAX_PROMPT = 4_000
MAX_TITLE = 200
MAX_STYLE = 500
MAX_SCRIPT = 2_000_000
MAX_NAMED = 100_000  #: sentences in one request


def clean(text: str) -> str:
    """Without control characters, which no database, font or terminal agrees about."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f")).strip()


def _not_empty(text: str) -> str:
    if all(unicodedata.category(c) in INVISIBLE for c in text):
        raise ValueError("write at least one visible character")
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())


#: Spaces, line breaks, and marks that only steer how others are shown.
INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Mn", "Me"})
_visible = (AfterValidator(clean), AfterValidator(_not_empty))
Text = Annotated[str, Field(min_length=1, max_length=MAX_SENTENCE), *_visible]
Title = Annotated[str, Field(min_length=1, max_length=MAX_TITLE), *_visible, AfterValidator(_one_line)]
Prompt = Annotated[str, Field(max_length=MAX_PROMPT), AfterValidator(clean)]
Style = Annotated[str, Field(max_length=MAX_STYLE), AfterValidator(clean)]
Script = Annotated[str, Field(min_length=1, max_length=MAX_SCRIPT), *_visible]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED), NUMBER]
Flag = Annotated[bool, Strict()]
Named = Annotated[list[UUID], Field(min_length=1, max_length=MAX_NAMED)]
Stages = Annotated[tuple[Stage, ...], Field(max_length=2)]


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewSentence(Asked):
    text: Text
    prompt: Prompt | None = None
    seed: Seed | None = None


def _with_text(given: Any) -> Any:
    if isinstance(given, str):
        return {"text": given}
    if not isinstance(given, dict | NewSentence):
        raise ValueError("give a text, or an object with `text`")
    return given


class NewProject(Asked):
    """Sentences as a list, or a script that is split into them."""

    title: Title
    style: Style = ""
    size: Size = Size()
    sentences: (
        Annotated[
            list[Annotated[NewSentence, BeforeValidator(_with_text, json_schema_input_type=Text | NewSentence)]],
            Field(max_length=MAX_NAMED),
        ]
        | None
    ) = None
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
    position: Annotated[int, Field(ge=1, le=1_000_000), NUMBER] | None = None


class EditSentence(Asked):
    """Only what is named changes; an empty prompt, or null, goes back to the text."""

    text: Text | None = None
    prompt: Prompt | None = None
    seed: Seed | None = None
    seed_locked: Flag | None = None  #: presses with `vary` keep the seed


class Reorder(Asked):
    sentence_ids: Annotated[list[UUID], Field(max_length=MAX_NAMED)]


class GenerateScenes(Asked):
    order: Order = Order.IMAGES_FIRST
    stages: Annotated[Stages, Field(min_length=1)] = (Stage.IMAGE, Stage.VIDEO)
    replace: Stages = ()  #: stages to make anew where they exist
    sentence_ids: Named | None = None
    #: With a new seed where it is not locked. It becomes the sentence's own when an image made with it is selected.
    vary: Flag = False
    dry_run: Flag = False  #: answer the plan, change nothing

    @field_validator("replace")
    @classmethod
    def _among_stages(cls, replace: tuple[Stage, ...], given: ValidationInfo) -> tuple[Stage, ...]:
        for stage in replace:
            if stage not in given.data.get("stages", replace):
                raise ValueError(f"`stages` leaves {stage} out, so it cannot be made anew")
        return replace


class PauseRun(Asked):
    stop_running: Flag = False  #: do not let the running job finish


class RetryFailed(Asked):
    """Without a size, what did not fit is made in the size that its failure names."""

    cause: Annotated[str, Field(max_length=64)] | None = None
    sentence_ids: Named | None = None
    width: Annotated[int, Field(ge=64, le=4096, multiple_of=2), NUMBER] | None = None  #: pixels, for this retry alone
    height: Annotated[int, Field(ge=64, le=4096, multiple_of=2), NUMBER] | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("give both `width` and `height`, or neither")
        return self

    @property
    def fits(self) -> Fits | None:
        return Fits(width=self.width, height=self.height) if self.width and self.height else None


class Login(Asked):
    token: Annotated[str, Field(max_length=1000)]
