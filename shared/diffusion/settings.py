"""What the operator asks of the models: read from the environment by the workers and by `make models`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.contracts.scene import Stage

IMAGE_MODEL = "Tongyi-MAI/Z-Image-Turbo"
VIDEO_MODEL = "Wan-AI/Wan2.2-TI2V-5B-Diffusers"

MemoryMode = Literal["auto", "resident", "model_offload", "group_offload"]

_Size = Annotated[str, Field(pattern=r"^([1-9]\d{1,3}x[1-9]\d{1,3})?$")]
_Steps = Annotated[int, Field(ge=1, le=200)]
_Guidance = Annotated[float, Field(ge=0, le=30)]
_Scale = Annotated[float, Field(ge=-4, le=4)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The settings of one worker's model; None: the family's own."""

    stage: Stage
    model: str  #: repository on the hub, or a folder
    revision: str | None = None  #: commit, tag or branch of the repository
    device: str = "auto"
    dtype: str = "auto"
    memory_mode: MemoryMode = "auto"
    compile: bool = False
    preview_every: int = 0  #: steps; 0: never
    steps: int | None = None
    guidance: float | None = None
    size: tuple[int, int] | None = None  #: pixels; None: what the project asks for, as near as the family comes
    frames: int | None = None
    fps: int | None = None
    negative_prompt: str = ""
    lora: str = ""  #: repository or folder, with `:file.safetensors` where it holds several
    lora_scale: float = 1.0

    @property
    def name(self) -> str:
        """Of the model, without its owner or folder."""
        return self.model.rstrip("/").rpartition("/")[2]

    def variable(self, name: str) -> str:
        """How the operator knows a setting of this model: `IMAGE_MODEL`."""
        return f"{self.stage.upper()}_{name}"


class _DeviceSettings(BaseSettings):
    """What both models' settings share."""

    model_config = SettingsConfigDict(extra="ignore")

    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|xpu|cuda(:\d+)?)$")] = "auto"  #: auto: a GPU, or an error
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    memory_mode: MemoryMode = "auto"  #: auto: the fastest that fits the free memory
    compile: bool = False  #: faster steps, for a minute more at the start
    preview_every: Annotated[int, Field(ge=0, le=100)] = 2  #: steps between pictures of what is coming; 0: none


class ImageModelSettings(_DeviceSettings):
    image_model: str = IMAGE_MODEL  #: repository on the Hugging Face hub, or a folder
    image_revision: str = ""  #: commit of the repository, so that it never changes
    image_steps: _Steps | None = None
    image_guidance: _Guidance | None = None
    image_size: _Size = ""  #: such as 1024x1024, instead of the project's size
    image_negative_prompt: str = ""
    image_lora: str = ""  #: repository or folder of a LoRA; `:file.safetensors` names one of several
    image_lora_scale: _Scale = 1.0
    image_format: Literal["webp", "png"] = "webp"  #: both without loss

    def wanted(self) -> Wanted:
        return Wanted(
            Stage.IMAGE,
            self.image_model,
            self.image_revision or None,
            self.device,
            self.dtype,
            self.memory_mode,
            self.compile,
            self.preview_every,
            self.image_steps,
            self.image_guidance,
            _size(self.image_size),
            negative_prompt=self.image_negative_prompt,
            lora=self.image_lora,
            lora_scale=self.image_lora_scale,
        )


class VideoModelSettings(_DeviceSettings):
    video_model: str = VIDEO_MODEL
    video_revision: str = ""
    video_steps: _Steps | None = None
    video_guidance: _Guidance | None = None
    video_size: _Size = ""  #: such as 832x480
    video_frames: Annotated[int, Field(ge=2, le=1000)] | None = None  #: instead of the project's seconds
    video_fps: Annotated[int, Field(ge=1, le=60)] | None = None  #: instead of the model's own speed
    video_negative_prompt: str = ""
    video_lora: str = ""
    video_lora_scale: _Scale = 1.0

    def wanted(self) -> Wanted:
        return Wanted(
            Stage.VIDEO,
            self.video_model,
            self.video_revision or None,
            self.device,
            self.dtype,
            self.memory_mode,
            self.compile,
            self.preview_every,
            self.video_steps,
            self.video_guidance,
            _size(self.video_size),
            self.video_frames,
            self.video_fps,
            self.video_negative_prompt,
            self.video_lora,
            self.video_lora_scale,
        )


def _size(text: str) -> tuple[int, int] | None:
    width, _, height = text.partition("x")
    return (int(width), int(height)) if text else None
