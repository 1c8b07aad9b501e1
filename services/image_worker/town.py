"""Places that people made: a city, a road, a room; each is a function that paints on an easel."""

from itertools import pairwise

import numpy as np

from services.image_worker.easel import Easel, Point, box
from services.image_worker.palette import mix


def city(e: Easel) -> None:
    """A skyline in three depths with lit windows."""
    e.sky(0.6)
    e.disc(float(e.rng.uniform(0.09, 0.15)), 0.5)
    for i, (low, high, wide) in enumerate(((0.24, 0.50, 0.07), (0.30, 0.58, 0.095), (0.40, 0.68, 0.13))):
        _towers(e, i / 2, low, high, wide)
        if i < 2:
            e.haze(0.66, 0.16, mix(e.palette.sky[2], e.palette.far, 0.4), 0.42)
    street = np.full(e.width, 0.82, np.float32)
    e.ridge(street, mix(e.palette.near, e.palette.far, 0.12), e.palette.near, 0.12)


def road(e: Easel) -> None:
    """A straight road into the distance, with poles beside it."""
    horizon = 0.48
    e.sky(horizon + 0.04)
    e.disc(float(e.rng.uniform(0.1, 0.15)), 0.55)
    for i in range(2):
        low = horizon - 0.02 + 0.015 * i
        rolling = low - 0.05 * np.abs(e.noise(1.2 + i, 4)) * e.flat
        e.ridge(rolling.astype(np.float32), e.layer(0.25 * i), mix(e.layer(0.25 * i), e.palette.sky[2], 0.4), 0.24)
    e.ridge(np.full(e.width, horizon, np.float32), e.layer(0.5), e.layer(1), 0.3)
    end = (float(e.rng.uniform(0.56, 0.7)), horizon)
    asphalt = mix(e.palette.near, e.palette.sky[1], 0.12)
    e.shapes([[(end[0] - 0.004, horizon), (end[0] + 0.004, horizon), (1.02, 1.0), (0.18, 1.0)]], asphalt)
    marks = [1 - 0.74**k for k in range(15)]
    dashes = [_dash(end, (0.6, 1.0), 1 - a, 1 - (a + b) / 2) for a, b in pairwise(marks)]
    e.shapes(dashes, e.palette.disc, 0.75)
    _poles(e, end)
    e.stand = (end[0] + 0.015, horizon + 0.07)


def room(e: Easel) -> None:
    """An interior: a tall window, its light on the floor, a lamp hanging over the darker half."""
    wall, floor = mix(e.palette.near, e.palette.far, 0.38), mix(e.palette.near, e.palette.far, 0.12)
    e.pixels[:] = np.array(wall, np.float32)
    e.haze(0.3, 0.42, e.palette.far, 0.4)
    w, h = e.square(0.34)[0], 0.4
    left, top = e.focus[0] - w / 2, 0.18
    e.ridge(np.full(e.width, 0.66, np.float32), floor, e.palette.near, 0.3)
    e.shapes([box(0, 0.655, 1, 0.662)], mix(wall, e.palette.near, 0.5))
    slant = w * float(e.rng.uniform(0.7, 1.2))
    for a, b in ((0.0, 0.47), (0.53, 1.0)):
        floor_light = [(left + w * a - slant * 1.3, 1.0), (left + w * b - slant * 1.3, 1.0)]
        e.shapes(
            [[*floor_light, (left + w * b - slant * 0.3, 0.71), (left + w * a - slant * 0.3, 0.71)]],
            e.palette.disc,
            0.2,
        )
    _window(e, left, top, w, h)
    e.glow((left + w / 2, top + h / 2), 2.6, 0.34)
    _lamp(e, 0.3)
    e.stand = (left + w * 0.27, 0.68)
    e.stature = 2.7


def _towers(e: Easel, depth: float, low: float, high: float, wide: float) -> None:
    blocks, lights, x = list[list[Point]](), list[list[Point]](), -0.05
    while x < 1.05:
        w = e.square(wide * float(e.rng.uniform(0.55, 1.25)))[0]
        # Towers keep out of the way of the text: lower on its side.
        top = high - (high - low) * float(e.rng.beta(1.6, 1.8)) * (0.45 + 0.55 * min(1.0, max(0.0, x * 1.6)))
        blocks.append(box(x, top, x + w, 1.0))
        if e.rng.uniform() < 0.3:
            blocks.append(box(x + w * 0.48, top - 0.05, x + w * 0.52, top))
        if depth > 0.4:
            lights += _windows(e, x, top, w, depth)
        x += w * float(e.rng.uniform(0.96, 1.18))
    e.shapes(blocks, e.layer(depth * 0.92))
    e.shapes(lights, mix(e.palette.disc, e.palette.accent, 0.25), 0.5 + 0.3 * depth)


def _windows(e: Easel, x: float, top: float, w: float, depth: float) -> list[list[Point]]:
    across, down = e.square(0.009 + 0.004 * depth)
    columns = int(w / (across * 2.4))
    found: list[list[Point]] = []
    for i in range(columns):
        for j in range(int((0.66 - top) / (down * 2.3))):
            if e.rng.uniform() < 0.2:
                a, b = x + across * (0.9 + 2.4 * i), top + down * (1.6 + 2.3 * j)
                found.append(box(a, b, a + across, b + down * 1.1))
    return found


def _poles(e: Easel, end: Point) -> None:
    bars = []
    for k in range(7):
        share = 0.62**k
        x = end[0] + (1.16 - end[0]) * share
        base, tall = end[1] + 0.4 * share, 0.62 * share
        half = 0.006 * share * e.unit / e.width + 0.0004
        arm = 0.07 * share * e.unit / e.width
        bars += [
            box(x - half, base - tall, x + half, base),
            box(x - arm, base - tall * 0.93, x + arm, base - tall * 0.91),
        ]
    e.shapes(bars, e.layer(0.9))


def _dash(end: Point, start: Point, a: float, b: float) -> list[Point]:
    (xa, ya), (xb, yb) = ((end[0] + (start[0] - end[0]) * s, end[1] + (start[1] - end[1]) * s) for s in (a, b))
    return [(xa - 0.006 * a, ya), (xa + 0.006 * a, ya), (xb + 0.006 * b, yb), (xb - 0.006 * b, yb)]


def _window(e: Easel, left: float, top: float, w: float, h: float) -> None:
    frame = mix(e.palette.near, e.palette.far, 0.15)
    edge, lip = e.square(0.012)
    right, bottom = left + w, top + h
    e.shapes([box(left - edge, top - lip, right + edge, bottom + lip)], frame)
    x0, x1, y0, y1 = (int(v) for v in (left * e.width, right * e.width, top * e.height, bottom * e.height))
    view = e.pixels[max(0, y0) : y1, max(0, x0) : x1]
    share = np.linspace(0, 1, view.shape[0], dtype=np.float32)[:, None, None]
    above = np.array(mix(e.palette.sky[1], e.palette.sky[2], 0.35), np.float32)
    view[:] = above + share * (np.array(e.palette.sky[2], np.float32) - above)
    middle = left + w / 2
    bars = [box(middle - edge / 3, top, middle + edge / 3, bottom)]
    bars += [box(left, top + h * s - lip / 3, right, top + h * s + lip / 3) for s in (0.36, 0.68)]
    e.shapes(bars, frame)


def _lamp(e: Easel, x: float) -> None:
    u, v = e.square(1.0)
    y = 0.3
    dark = mix(e.palette.near, (0.0, 0.0, 0.0), 0.3)
    e.glow((x, y + 0.05 * v), 4.5, 0.5)
    e.shapes(
        [[(x - 0.05 * u, y + 0.045 * v), (x + 0.05 * u, y + 0.045 * v), (x + 0.4 * u, 1.0), (x - 0.4 * u, 1.0)]],
        e.palette.disc,
        0.06,
    )
    e.shapes([box(x - 0.0018 * u, 0, x + 0.0018 * u, y)], dark)
    e.ellipses([((x - 0.022 * u, y + 0.025 * v), (x + 0.022 * u, y + 0.066 * v))], e.palette.disc)
    e.shapes(
        [[(x - 0.016 * u, y), (x + 0.016 * u, y), (x + 0.075 * u, y + 0.05 * v), (x - 0.075 * u, y + 0.05 * v)]], dark
    )
