"""The rules of every supported model family, as data: sizes, lengths, steps, guidance, classes, arguments.

Nothing here loads anything. Pipelines round sizes and lengths silently, or refuse them late; this says before the run
what will be made.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts.scene import Stage


@dataclass(frozen=True, slots=True)
class Shape:
    """What one run makes: pixels, and for a video frames and frames per second."""

    width: int
    height: int
    frames: int = 1
    fps: int = 0

    def __str__(self) -> str:
        size = f"{self.width}x{self.height}"
        return size if self.frames == 1 else f"{size} with {self.frames} frames"


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of model: how it is loaded, called and asked for sizes."""

    name: str
    stage: Stage
    published: tuple[str, ...]  #: pipeline classes that a model's index may name
    pipeline: str  #: the class that is loaded, whatever the index names
    steps: int
    guidance: float | None  #: None: it has none
    guidance_argument: str = "guidance_scale"  #: of the pipeline's call; empty: set on its guider
    multiple: int = 16  #: both sides are multiples of it
    pixels: int = 2048 * 2048  #: width times height, at most
    frame_step: int = 1  #: the number of frames is a multiple of it, plus one
    frames: int = 1  #: at most
    fps: int = 0  #: the model's own speed: other speeds make people run or crawl
    fps_argument: str = ""
    prompted: bool = True  #: False: it is given nothing but the image
    negative: bool = False  #: a negative prompt has an effect
    least_negative: str = ""  #: what it needs where nothing is named: some take none for no guidance at all
    sized: bool = True  #: False: it chooses a size of the image's shape by itself
    frame_times: bool | None = None  #: what `expand_timesteps` of its index must be; None: it has none
    vae_in_float32: bool = False  #: decodes visibly better so
    decodes_in_float32: bool = False  #: its latents are brought to the number format of the decoder


SMALLEST_SIDE = 64  #: pixels

_DECODED_AT_ONCE = 8  #: frames, where a family can be told: all of them would need many times the memory

FAMILIES = (
    Family(
        "Z-Image", Stage.IMAGE, ("ZImagePipeline",), "ZImagePipeline", steps=8, guidance=0.0, decodes_in_float32=True
    ),
    Family("FLUX.2 klein", Stage.IMAGE, ("Flux2KleinPipeline",), "Flux2KleinPipeline", steps=4, guidance=1.0),
    Family(
        "SDXL",
        Stage.IMAGE,
        ("StableDiffusionXLPipeline",),
        "StableDiffusionXLPipeline",
        steps=30,
        guidance=5.0,
        multiple=8,
        pixels=1536 * 1024,
        negative=True,
    ),
    Family(
        "Stable Diffusion 1",
        Stage.IMAGE,
        ("StableDiffusionPipeline",),
        "StableDiffusionPipeline",
        steps=30,
        guidance=7.5,
        multiple=8,
        pixels=768 * 768,
        negative=True,
    ),
    Family(
        "Qwen-Image",
        Stage.IMAGE,
        ("QwenImagePipeline",),
        "QwenImagePipeline",
        steps=50,
        guidance=4.0,
        guidance_argument="true_cfg_scale",
        decodes_in_float32=True,
        pixels=1664 * 1664,
        negative=True,
        least_negative=" ",
    ),
    Family(
        "Wan 2.2 5B",
        Stage.VIDEO,
        ("WanPipeline", "WanImageToVideoPipeline"),
        "WanImageToVideoPipeline",
        steps=50,
        guidance=5.0,
        multiple=32,
        pixels=1280 * 704,
        frame_step=4,
        frames=121,
        fps=24,
        negative=True,
        frame_times=True,
        vae_in_float32=True,
        decodes_in_float32=True,
    ),
    Family(
        "Wan A14B",
        Stage.VIDEO,
        ("WanImageToVideoPipeline",),
        "WanImageToVideoPipeline",
        steps=40,
        guidance=3.5,
        pixels=1280 * 720,
        frame_step=4,
        frames=81,
        fps=16,
        negative=True,
        frame_times=False,
        vae_in_float32=True,
        decodes_in_float32=True,
    ),
    Family(
        "LTX-Video",
        Stage.VIDEO,
        ("LTXPipeline", "LTXImageToVideoPipeline"),
        "LTXImageToVideoPipeline",
        steps=50,
        guidance=3.0,
        multiple=32,
        pixels=1216 * 704,
        frame_step=8,
        frames=257,
        fps=25,
        fps_argument="frame_rate",
        negative=True,
    ),
    Family(
        "HunyuanVideo-1.5",
        Stage.VIDEO,
        ("HunyuanVideo15ImageToVideoPipeline",),
        "HunyuanVideo15ImageToVideoPipeline",
        steps=50,
        guidance=6.0,
        guidance_argument="",
        pixels=1280 * 720,
        frame_step=4,
        frames=121,
        fps=24,
        negative=True,
        sized=False,
        decodes_in_float32=True,
    ),
    Family(
        "Stable Video Diffusion",
        Stage.VIDEO,
        ("StableVideoDiffusionPipeline",),
        "StableVideoDiffusionPipeline",
        steps=25,
        guidance=3.0,
        guidance_argument="max_guidance_scale",
        multiple=8,
        pixels=1024 * 576,
        frames=25,
        fps=7,
        fps_argument="fps",
        prompted=False,
    ),
)


def find(index: Mapping[str, Any]) -> Family | None:
    """The family of a model, by its `model_index.json`; None where it is none of ours."""
    published = index.get("_class_name")
    fitting = [family for family in FAMILIES if published in family.published]
    # Wan's models share their classes; only the small one gives each frame a time of its own.
    small = bool(index.get("expand_timesteps"))
    return next((family for family in fitting if family.frame_times in (None, small)), None)


def fit(family: Family, width: int, height: int) -> tuple[int, int]:
    """The possible size closest to the wanted one, of nearly the same shape."""
    shrink = min(1.0, math.sqrt(family.pixels / (width * height)))
    sides = [_nearest(side * shrink, family.multiple) for side in (width, height)]
    while sides[0] * sides[1] > family.pixels:
        longer = sides.index(max(sides))
        # The side that rounding has enlarged most gives way first.
        grown = [side - wanted * shrink for side, wanted in zip(sides, (width, height), strict=True)]
        sides[grown.index(max(grown)) if max(grown) > 0 else longer] -= family.multiple
    return sides[0], sides[1]


def _nearest(side: float, multiple: int) -> int:
    least = math.ceil(SMALLEST_SIDE / multiple)
    return max(least, round(side / multiple)) * multiple


def frames(family: Family, wanted: float) -> int:
    """The possible number of frames closest to the wanted one."""
    possible = max(0, round((wanted - 1) / family.frame_step)) * family.frame_step + 1
    longest = (family.frames - 1) // family.frame_step * family.frame_step + 1
    return max(min(possible, longest), 1 + family.frame_step)


def shape(family: Family, size: tuple[int, int], length: float | int, fps: int | None) -> Shape:
    """What is made for a wanted size and length: seconds as a float, or frames as an int."""
    width, height = fit(family, *size)
    if family.stage is Stage.IMAGE:
        return Shape(width, height)
    speed = fps or family.fps
    return Shape(width, height, frames(family, length if isinstance(length, int) else length * speed), speed)


def wrong_size(family: Family, width: int, height: int) -> str:
    """Why the family cannot make exactly this size, and what it can make instead; empty where it can."""
    if min(width, height) < SMALLEST_SIDE:
        return f"{family.name} makes nothing smaller than {SMALLEST_SIDE} pixels a side"
    nearest = fit(family, width, height)
    if nearest == (width, height):
        return ""
    nearby = "{}x{}".format(*nearest)
    if width * height > family.pixels:
        return f"{family.name} makes at most {family.pixels:,} pixels: the nearest size is {nearby}"
    return f"{family.name} makes sides that are multiples of {family.multiple}: the nearest size is {nearby}"


def wrong_frames(family: Family, wanted: int) -> str:
    """Why the family cannot make exactly this many frames, and what it can; empty where it can."""
    nearest = frames(family, wanted)
    if nearest == wanted:
        return ""
    if wanted > family.frames:
        return f"{family.name} makes at most {family.frames} frames"
    if family.frame_step == 1:
        return f"{family.name} makes 2 frames at least"
    return (
        f"{family.name} makes a multiple of {family.frame_step} frames plus one: "
        f"the nearest number is {nearest}, which is {nearest / family.fps:.2f} s"
    )


def smaller(family: Family, shape: Shape) -> list[Shape]:
    """Shapes that need about half and about a quarter of the memory of `shape`, largest first."""
    found: list[Shape] = []
    for share in (0.5, 0.25):
        side = math.sqrt(share)
        width, height = fit(family, max(1, round(shape.width * side)), max(1, round(shape.height * side)))
        candidate = Shape(width, height, shape.frames, shape.fps)
        if width * height < shape.width * shape.height and candidate not in found:
            found.append(candidate)
    if shape.frames > 1:
        fewer = frames(family, shape.frames / 2)
        if fewer < shape.frames:
            found.insert(1, Shape(shape.width, shape.height, fewer, shape.fps))
    return found


def arguments(family: Family, shape: Shape, steps: int, guidance: float | None) -> dict[str, Any]:
    """What the pipeline may be called with, apart from prompt, image and chance; not every class knows all of it."""
    found: dict[str, Any] = {"num_inference_steps": steps, "output_type": "pt"}
    if family.sized:
        found |= {"width": shape.width, "height": shape.height}
    if family.stage is Stage.VIDEO:
        found |= {"num_frames": shape.frames, "decode_chunk_size": _DECODED_AT_ONCE}
    if family.fps_argument:
        found[family.fps_argument] = shape.fps
    if guidance is not None and family.guidance_argument:
        found[family.guidance_argument] = guidance
    return found
