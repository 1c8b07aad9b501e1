"""What a backdrop is painted with: washes, ridges, shapes and light, as numpy arrays.

Distances across are in units of the shorter side, so that a portrait card shows the same hills as a landscape one.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from services.image_worker.palette import Colour, Palette, mix

Array = NDArray[np.float32]
Point = tuple[float, float]


class Easel:
    """A picture in the making. x and y of points run from 0 to 1 across and down the card."""

    def __init__(self, width: int, height: int, palette: Palette, rng: np.random.Generator) -> None:
        self.width, self.height, self.palette, self.rng = width, height, palette, rng
        self.unit = float(min(width, height))
        self.pixels: Array = np.zeros((height, width, 3), np.float32)
        self.x: Array = ((np.arange(width) + 0.5) / width).astype(np.float32)[None, :]
        self.y: Array = ((np.arange(height) + 0.5) / height).astype(np.float32)[:, None]
        self.across: Array = self.x[0] * np.float32(width / self.unit)
        self.focus: Point = (float(rng.uniform(0.64, 0.8)), float(rng.uniform(0.25, 0.34)))
        self.stand: Point | None = None  #: where a figure's feet may be
        self.stature = 1.0  #: how large the figure is, 1 being far off
        self.overhead: Callable[[Easel], None] | None = None  #: painted on the sky, behind everything else

    def layer(self, depth: float) -> Colour:
        """Colour of a layer, from far away (0) to right in front (1)."""
        # On light paper the front stays pale as well: mist instead of silhouettes.
        return mix(self.palette.far, self.palette.near, depth if self.palette.dark else 0.62 * depth)

    def sky(self, horizon: float) -> None:
        """A wash from the palette's top colour to its horizon colour at the height `horizon`."""
        stops = np.array([0.0, horizon * 0.55, horizon, 1.0], np.float32)
        colours = np.array([*self.palette.sky, self.palette.sky[2]], np.float32)
        for channel in range(3):
            self.pixels[:, :, channel] = np.interp(self.y[:, 0], stops, colours[:, channel])[:, None]
        if self.overhead:
            self.overhead(self)

    def distance(self, at: Point) -> Array:
        """Of every pixel from a point, in units of the shorter side."""
        dx = (self.x - np.float32(at[0])) * np.float32(self.width / self.unit)
        dy = (self.y - np.float32(at[1])) * np.float32(self.height / self.unit)
        away: Array = np.sqrt(dx * dx + dy * dy)
        return away

    def disc(self, radius: float, glow: float = 0.5, at: Point | None = None, colour: Colour | None = None) -> None:
        """A sun or moon with a soft halo."""
        away = self.distance(at or self.focus)
        colour = colour or self.palette.disc
        # Screen instead of blend: a halo adds light and never greys what lies under it.
        halo = np.exp(-away / np.float32(radius * 2.4)) * np.float32(glow)
        self.pixels += (1 - self.pixels) * (halo[:, :, None] * np.array(colour, np.float32))
        self.cover(np.clip((radius - away) * self.unit + 0.5, 0, 1), colour)

    def cover(self, mask: Array, colour: Colour, top: int = 0) -> None:
        """Lays a colour over the rows from `top` on where `mask` (0 to 1) says so."""
        rows = self.pixels[top : top + mask.shape[0]]
        rows += mask[:, :, None] * (np.array(colour, np.float32) - rows)

    def ridge(self, profile: Array, colour: Colour, foot: Colour | None = None, fade: float = 0.3) -> None:
        """Fills everything below `profile` (y of every column); towards `foot` colour over the height `fade`."""
        top = int(np.clip(profile.min() * self.height - 1, 0, self.height))
        below = (self.y[top:] - profile[None, :]) * np.float32(self.height)
        mask = np.clip(below + 0.5, 0, 1)
        if mask.size == 0:
            return
        if foot is None:
            self.cover(mask, colour, top)
            return
        share = np.clip(below / np.float32(fade * self.height), 0, 1)[:, :, None]
        a, b = np.array(colour, np.float32), np.array(foot, np.float32)
        rows = self.pixels[top:]
        rows += mask[:, :, None] * (a + share * (b - a) - rows)

    def noise(self, pitch: float, octaves: int = 4, gain: float = 0.5) -> Array:
        """Smooth noise across the card, about -1 to 1; `pitch` bumps per shorter side in the first octave."""
        total = np.zeros(self.width, np.float32)
        size = 1.0
        for _ in range(octaves):
            knots = self.rng.uniform(-1, 1, int(self.across[-1] * pitch) + 4)
            place = self.across * pitch + self.rng.uniform(0, 1)
            cell = place.astype(int)
            t = place - cell
            t = t * t * (3 - 2 * t)
            total += np.float32(size) * (knots[cell] * (1 - t) + knots[cell + 1] * t).astype(np.float32)
            pitch, size = pitch * 2.03, size * gain
        return total

    def shapes(self, polygons: Sequence[Sequence[Point]], colour: Colour, opacity: float = 1.0) -> None:
        """Smooth-edged polygons."""

        def paint(pen: ImageDraw.ImageDraw, at: Callable[[Point], Point]) -> None:
            for points in polygons:
                pen.polygon([at(point) for point in points], fill=255)

        self._stamp(colour, opacity, paint)

    def ellipses(self, boxes: Sequence[tuple[Point, Point]], colour: Colour, opacity: float = 1.0) -> None:
        """Smooth-edged ellipses, each in the box between two points."""

        def paint(pen: ImageDraw.ImageDraw, at: Callable[[Point], Point]) -> None:
            for first, second in boxes:
                pen.ellipse([at(first), at(second)], fill=255)

        self._stamp(colour, opacity, paint)

    def _stamp(
        self, colour: Colour, opacity: float, paint: Callable[[ImageDraw.ImageDraw, Callable[[Point], Point]], None]
    ) -> None:
        sheet = Image.new("L", (self.width * 2, self.height * 2))
        paint(ImageDraw.Draw(sheet), lambda p: (p[0] * self.width * 2, p[1] * self.height * 2))
        box = sheet.getbbox()
        if box is None:
            return
        left, top, right, bottom = box[0] // 2, box[1] // 2, -(-box[2] // 2), -(-box[3] // 2)
        patch = np.asarray(sheet.crop((left * 2, top * 2, right * 2, bottom * 2)).reduce(2), np.float32) / 255
        area = self.pixels[top:bottom, left:right]
        area += (patch * np.float32(opacity))[:, :, None] * (np.array(colour, np.float32) - area)

    @property
    def flat(self) -> float:
        """Heights are shares of the card; times this, a tall card gets them no taller than a square one."""
        return min(1.0, self.unit / self.height)

    def remember(self, profile: Array, here: bool) -> None:
        """Notes that a figure may stand on this ridge."""
        if here:
            x = self.focus[0] - 0.12
            self.stand = (x, float(profile[min(self.width - 1, int(x * self.width))]) + 0.004)

    def glow(self, at: Point, fall: float, strength: float) -> None:
        """Light around a point; the larger `fall`, the smaller its reach."""
        light = np.exp(-self.distance(at) * np.float32(fall)) * np.float32(strength)
        self.pixels += (1 - self.pixels) * (light[:, :, None] * np.array(self.palette.disc, np.float32))

    def square(self, size: float) -> Point:
        """Width and height, as shares of the card, of a square with sides of `size` units."""
        return (size * self.unit / self.width, size * self.unit / self.height)

    def haze(self, at: float, depth: float, colour: Colour, strength: float) -> None:
        """A band of mist around the height `at`."""
        band = np.exp(-(((self.y - np.float32(at)) / np.float32(depth)) ** 2)) * np.float32(strength)
        self.pixels += band[:, :, None] * (np.array(colour, np.float32) - self.pixels)

    def finish(self) -> Array:
        """Vignette and a trace of grain, which also keeps the soft washes free of bands."""
        away = ((self.x - 0.5) * 2) ** 2 + ((self.y - 0.5) * 2) ** 2
        strength = 0.15 if self.palette.dark else 0.05
        self.pixels *= (1 - np.float32(strength) * np.clip(away - 0.35, 0, 2) ** 1.5)[:, :, None]
        grain = self.rng.standard_normal((self.height, self.width), np.float32) * np.float32(0.0055)
        self.pixels += grain[:, :, None]
        return np.clip(self.pixels, 0, 1, out=self.pixels)


def box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """The corners of a rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
