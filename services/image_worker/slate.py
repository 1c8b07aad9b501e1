"""The small print on a card, like the slate before a take: number, style, title and length."""

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw

from services.image_worker import palette, typesetting
from services.image_worker.fonts import Voice
from services.image_worker.palette import Colour, Palette
from shared.generator import Job

SAFE = 0.84  #: share of width and height that text keeps to; the video's camera never crops into it


@dataclass(frozen=True, slots=True)
class Ink:
    """One colour of text on a card."""

    mask: Image.Image  #: mode L, as large as the card
    colour: Colour


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things are on a card, in pixels."""

    width: int
    height: int

    @property
    def unit(self) -> int:
        return min(self.width, self.height)

    @property
    def left(self) -> int:
        return math.ceil(self.width * (1 - SAFE) / 2) + (1 if self.unit > 200 else 0)

    @property
    def top(self) -> int:
        return math.ceil(self.height * (1 - SAFE) / 2) + (1 if self.unit > 200 else 0)

    @property
    def inner(self) -> int:
        return self.width - 2 * self.left

    @property
    def label(self) -> int:
        """Size of the small print; 0 where the card is too small to carry any."""
        return max(11, round(self.unit * 0.0245)) if self.unit >= 200 else 0


def rgb(colour: Colour) -> tuple[int, int, int]:
    """The colour as Pillow takes it."""
    return (round(colour[0] * 255), round(colour[1] * 255), round(colour[2] * 255))


def write(mask: Image.Image, setting: typesetting.Setting, frame: Frame, left: float, top: float, width: float) -> None:
    """Lays text on a mask. Whatever a face draws beyond its box ends at the edge of the safe area."""
    x0, y0 = math.floor(left), max(frame.top, math.floor(top - setting.leading * 0.5))
    x1 = math.ceil(left + width)
    y1 = min(frame.height - frame.top, math.ceil(top + setting.height + setting.leading * 0.5))
    if x1 <= x0 or y1 <= y0:
        return
    small = typesetting.draw(setting, x1 - x0, y1 - y0, left - x0, top - y0, width)
    mask.paste(255, (x0, y0), small)


def draw(
    picture: Image.Image, mask: Image.Image, job: Job, frame: Frame, colours: Palette, mirrored: bool
) -> list[Ink]:
    """The small print: number plate and style above, project and length below. Returns the inks besides the text's."""
    size = frame.label
    high = round(size * 1.9)
    number = typesetting.label(f"{max(0, job.number):02d}", Voice.MONO, 700, size, frame.inner / 3)
    scene = typesetting.label("SCENE", Voice.MONO, 600, size, frame.inner / 3)
    pad = round(size * 0.62)
    wide, narrow = math.ceil(scene.width()) + 2 * pad, math.ceil(number.width()) + 2 * pad
    left = frame.width - frame.left - wide - narrow if mirrored else frame.left
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left, frame.top, left + wide - 1, frame.top + high - 1), fill=rgb(colours.ground))
    pen.rectangle((left + wide, frame.top, left + wide + narrow - 1, frame.top + high - 1), fill=rgb(colours.accent))
    write(mask, scene, frame, left + pad, _middle(frame.top, high, scene), scene.width() + 1)
    dark, light = sorted((colours.ground, colours.ink), key=palette.luminance)
    on_accent = max(
        (dark, light, (0.0, 0.0, 0.0)),
        key=lambda c: (palette.contrast(c, colours.accent) >= 7, palette.contrast(c, colours.accent)),
    )
    plate = Image.new("L", picture.size)
    write(plate, number, frame, left + wide + pad, _middle(frame.top, high, number), number.width() + 1)
    _style(picture, mask, job, frame, colours, mirrored, frame.inner - wide - narrow - size)
    _footer(picture, mask, job, frame, colours, mirrored)
    return [Ink(plate, on_accent)]


def _middle(top: float, height: float, setting: typesetting.Setting) -> float:
    """Where a line starts so that its capitals stand in the middle of a box."""
    return top + height / 2 + 0.36 * setting.size - setting.ascent


def _style(
    picture: Image.Image, mask: Image.Image, job: Job, frame: Frame, colours: Palette, mirrored: bool, room: float
) -> None:
    pad = round(frame.label * 0.62)
    tag = typesetting.label(
        job.style.upper()[:200], Voice.MONO, 500, frame.label, min(room - 2 * pad, frame.inner * 0.45)
    )
    if not tag.lines or room < frame.label * 6:
        return
    wide, high = math.ceil(tag.width()) + 2 * pad, round(frame.label * 1.9)
    left = frame.left if mirrored else frame.width - frame.left - wide
    ImageDraw.Draw(picture).rectangle(
        (left, frame.top, left + wide - 1, frame.top + high - 1), fill=rgb(colours.ground)
    )
    write(mask, tag, frame, left + pad, _middle(frame.top, high, tag), tag.width() + 1)


def _footer(picture: Image.Image, mask: Image.Image, job: Job, frame: Frame, colours: Palette, mirrored: bool) -> None:
    size = frame.label
    top = frame.height - frame.top - round(size * 1.35)
    line = top - round(size * 0.3)
    pen = ImageDraw.Draw(picture)
    tint = palette.mix(colours.ground, colours.ink, 0.32)
    pen.rectangle((frame.left, line, frame.width - frame.left - 1, line + max(0, size // 18 - 1)), fill=rgb(tint))
    seconds = f"{job.seconds:.1f} s" if math.isfinite(job.seconds) and 0 < job.seconds < 1e5 else ""
    length = typesetting.label(seconds, Voice.MONO, 500, size, frame.inner * 0.25)
    title = typesetting.label(job.title[:400], Voice.SANS, 500, size, frame.inner * 0.7)
    length_left = frame.left if mirrored else frame.width - frame.left - length.width()
    title_left = frame.width - frame.left - title.width() if mirrored else frame.left
    write(mask, title, frame, title_left, _middle(top, size * 1.35, title), title.width())
    write(mask, length, frame, length_left, _middle(top, size * 1.35, length), length.width())
