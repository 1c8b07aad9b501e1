"""What a sentence adds to its landscape: weather, stars, birds, a boat, a person."""

from services.image_worker.easel import Easel, Point
from services.image_worker.palette import mix


def stars(e: Easel) -> None:
    """A scatter of stars over the upper part of the picture."""
    x, y = e.rng.uniform(0, 1, 190), e.rng.uniform(0, 0.62, 190) ** 1.15
    size = 0.0007 + 0.0016 * e.rng.uniform(0, 1, 190) ** 3
    for share in (0.45, 0.9):
        chosen = e.rng.uniform(0, 1, 190) < share
        dots = [_dot(e, *star) for star in zip(x[chosen], y[chosen], size[chosen], strict=True)]
        e.ellipses(dots, e.palette.disc, 0.5)


def birds(e: Easel) -> None:
    """A few birds far off."""
    wings = [(-1, -0.45), (-0.4, -0.5), (0, 0), (0.45, -0.55), (1, -0.3), (0.45, -0.38), (0, 0.2), (-0.42, -0.32)]
    flock = []
    for _ in range(int(e.rng.integers(4, 8))):
        x = e.focus[0] - 0.2 + float(e.rng.normal(0, 0.06))
        y = e.focus[1] + 0.02 + float(e.rng.normal(0, 0.035))
        w, h = e.square(float(e.rng.uniform(0.012, 0.02)))
        flock.append([(x + a * w, y + b * h) for a, b in wings])
    e.shapes(flock, e.layer(0.75), 0.9)


def rain(e: Easel) -> None:
    """Slanting streaks."""
    drops = []
    for x, y, s in e.rng.uniform((0, -0.05, 0.35), (1.1, 1, 1), (260, 3)):
        w, h = e.square(0.0011 * s)[0], 0.075 * s
        drops.append([(x, y), (x + w, y), (x + w - 0.011 * s, y + h), (x - 0.011 * s, y + h)])
    e.shapes(drops, mix(e.palette.sky[2], e.palette.disc, 0.6), 0.26)


def snow(e: Easel) -> None:
    """Flakes, some near and soft."""
    for count, size, opacity in ((170, 0.0022, 0.75), (50, 0.0045, 0.5), (14, 0.009, 0.28)):
        e.ellipses([_dot(e, x, y, size) for x, y in e.rng.uniform(0, 1, (count, 2))], (1.0, 1.0, 1.0), opacity)


def figure(e: Easel) -> None:
    """A person seen from behind, where the landscape has a place to stand."""
    if e.stand is None:
        return
    x, y = e.stand
    w, h = e.square(0.105 * e.stature)
    w *= 0.34
    side = [(0.1, -0.8), (0.24, -0.74), (0.28, -0.5), (0.17, -0.42), (0.2, 0.02), (0.05, 0.02)]
    outline = [*side, (0.0, -0.36), *((-a, b) for a, b in reversed(side))]
    dark = mix(e.palette.near, (0.0, 0.0, 0.0), 0.25)
    e.shapes([[(x + a * w, y + b * h) for a, b in outline]], dark)
    e.ellipses([((x - 0.155 * w, y - h * 0.97), (x + 0.155 * w, y - h * 0.815))], dark)


def boat(e: Easel) -> None:
    """A small sail near the horizon."""
    x, y = e.focus[0] - 0.19, 0.49
    w, h = e.square(0.06)
    hull = [(-0.6, 0.0), (0.7, 0.0), (0.45, 0.22), (-0.4, 0.22)]
    sails = [[(-0.02, -0.08), (-0.02, -1.3), (0.6, -0.08)], [(-0.1, -0.08), (-0.1, -1.1), (-0.5, -0.08)]]
    e.shapes([[(x + a * w, y + b * h) for a, b in hull]], e.layer(0.9))
    canvas = mix(e.palette.disc, e.palette.far, 0.2)
    e.shapes([[(x + a * w, y + b * h) for a, b in sail] for sail in sails], canvas)


def _dot(e: Easel, x: float, y: float, size: float) -> tuple[Point, Point]:
    w, h = e.square(size)
    return (x - w, y - h), (x + w, y + h)
