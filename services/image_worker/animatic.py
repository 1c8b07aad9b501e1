"""Image generator without a model: the sentence typeset on a composed card, like a frame of an animatic.

The same job gives the same bytes, whichever attempt it is.
"""

import hashlib
import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from services.image_worker import backdrop, palette, slate, typesetting
from services.image_worker.easel import Array
from services.image_worker.fonts import Voice
from services.image_worker.palette import Colour, Palette
from services.image_worker.slate import Frame, Ink, rgb, write
from shared.generator import Cancelled, GenerationFailed, Job, OnStep, Rendered, Stopped

SMALLEST, LARGEST = 64, 4096  #: pixels per side

_PAINTED = 1920 * 1080  #: a larger backdrop is painted at this many pixels and enlarged
_CONTRAST = 7.0  #: aimed at between text and every pixel behind it; 4.5 is the promise
_SERIF = (
    "vintage|sepia|retro|watercolou?r|fairy\\w*|fantasy|romantic|romance|storybook|classic\\w*|gothic|period|poster|"
    "noir|western|literary|ghibli"
)


@dataclass(frozen=True, slots=True)
class Card:
    """A composed card: the ground as it is without text, and the text to lay on it."""

    ground: Image.Image
    inks: tuple[Ink, ...]
    setting: typesetting.Setting

    def picture(self) -> Image.Image:
        """Ground and text together, mode RGB."""
        picture = self.ground.copy()
        for ink in self.inks:
            picture.paste(rgb(ink.colour), mask=ink.mask)
        return picture


class Animatic:
    """Implements `shared.generator.Generator` for the stage `image`; gives a PNG of exactly the size asked for."""

    name = "animatic"

    def generate(self, job: Job, on_step: OnStep, cancelled: Cancelled) -> Rendered:
        """Draw the card. Raises `Stopped`, and `GenerationFailed` for a size out of range."""
        for field, value in (("width", job.width), ("height", job.height)):
            if not SMALLEST <= value <= LARGEST:
                message = f"{field} is {value}; it must be between {SMALLEST} and {LARGEST} pixels."
                raise GenerationFailed("bad_size", message, retryable=False)

        def step(fraction: float) -> None:
            on_step(fraction)
            if cancelled():
                raise Stopped

        if cancelled():
            raise Stopped
        card = compose(job, step)
        picture = card.picture()
        step(0.85)
        file = io.BytesIO()
        picture.save(file, "PNG", compress_level=4 if picture.width * picture.height <= _PAINTED else 1)
        on_step(1.0)
        return Rendered(file.getvalue(), "image/png", picture.width, picture.height)


def compose(job: Job, step: OnStep = lambda fraction: None) -> Card:
    """The card for a job, in layers; calls `step` with the finished fraction in between."""
    scene = _hash(job.text, job.style, str(job.seed))
    colours = palette.choose(job.style, f"{job.text} {job.prompt}"[:4000], _hash(job.style, job.title), scene)
    frame = Frame(job.width, job.height)
    voice = Voice.SERIF if palette.find(_SERIF, job.style) else Voice.SANS
    text = typesetting.Text(job.text, voice, 560 if voice is Voice.SANS else 520)
    step(0.1)
    setting = _fit(text, frame)
    step(0.25)
    motif = backdrop.choose(f"{job.text} {job.prompt}"[:4000], colours, scene)
    ground = _painted(frame, colours, motif, scene, text.rtl)
    step(0.6)
    bottom = frame.height - frame.top - (round(frame.label * 2.5) if frame.label else 0)
    top = bottom - math.ceil(setting.height)
    ground = _scrim(ground, colours, top if setting.lines else bottom, frame)
    mask = Image.new("L", (frame.width, frame.height))
    write(mask, setting, frame, frame.left, top, frame.inner)
    inks = [Ink(mask, colours.ink)]
    picture = Image.fromarray((ground * 255 + 0.5).astype(np.uint8))
    if frame.label:
        inks += slate.draw(picture, mask, job, frame, colours, text.rtl)
    step(0.75)
    return Card(picture, tuple(inks), setting)


def _hash(*parts: str) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return int.from_bytes(digest.digest(), "big")


def _fit(text: typesetting.Text, frame: Frame) -> typesetting.Setting:
    """The text as large as looks right: in the lower part of the card, and higher up only where it is long."""
    room = frame.height - 2 * frame.top - round(frame.label * 5.6)
    length = len(text.text)
    largest = frame.unit * (0.15 if length <= 12 else 0.115 if length <= 40 else 0.088)
    comfortable = max(14, round(frame.unit * 0.048))
    smallest = max(6, round(frame.unit * 0.0135))
    for share in (0.4, 0.56, 0.76):
        setting = text.fit(frame.inner, room * share, round(largest), smallest, comfortable)
        if setting.size >= comfortable and not setting.elided:
            return setting
    return text.fit(frame.inner, room, round(largest), smallest, comfortable)


def _painted(frame: Frame, colours: Palette, motif: backdrop.Motif, scene: int, mirrored: bool) -> Array:
    shrink = min(1.0, math.sqrt(_PAINTED / (frame.width * frame.height)))
    width, height = max(8, round(frame.width * shrink)), max(8, round(frame.height * shrink))
    pixels = backdrop.paint(width, height, colours, motif, scene, mirrored)
    if shrink == 1.0:
        return pixels
    small = Image.fromarray((pixels * 255 + 0.5).astype(np.uint8))
    large = small.resize((frame.width, frame.height), Image.Resampling.BICUBIC)
    back: Array = np.asarray(large, np.float32) / np.float32(255)
    return back


def _scrim(ground: Array, colours: Palette, top: int, frame: Frame) -> Array:
    """Fades the ground towards the text's own background from above its first line: as much as reading needs."""
    pad = round(frame.unit * 0.02)
    first = max(0, top - pad)
    part = ground[first:].reshape(-1, 3)
    worst = part.max(axis=0) if colours.dark else part.min(axis=0)
    need = _opacity((float(worst[0]), float(worst[1]), float(worst[2])), colours)
    feather = frame.height * 0.17
    rows = np.arange(frame.height, dtype=np.float32)
    rise = np.clip((rows - (first - feather)) / feather, 0, 1)
    share = (rise * rise * (3 - 2 * rise) * np.float32(need))[:, None, None]
    faded: Array = ground + share * (np.array(colours.ground, np.float32) - ground)
    return faded


def _opacity(worst: Colour, colours: Palette) -> float:
    """The least share of the ground's colour that makes ink readable on `worst`."""
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        if palette.contrast(palette.mix(worst, colours.ground, middle), colours.ink) >= _CONTRAST:
            high = middle
        else:
            low = middle
    return max(0.5, high)
