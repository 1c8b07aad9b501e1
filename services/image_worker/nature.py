"""Landscapes, and the two motifs without one; each is a function that paints on an easel."""

import numpy as np

from services.image_worker import details
from services.image_worker.easel import Array, Easel
from services.image_worker.palette import mix


def mountains(e: Easel) -> None:
    """Ranges one behind the other, paler with distance."""
    e.sky(0.52)
    e.disc(float(e.rng.uniform(0.08, 0.13)), 0.55)
    for i in range(5):
        depth = i / 4
        crest = 1 - np.abs(e.noise(1.1 + 0.5 * i, 6, 0.48)) * 1.3
        low = 0.47 + 0.11 * i
        _range(e, (low - (0.2 - 0.022 * i) * crest * e.flat).astype(np.float32), depth)


def hills(e: Easel) -> None:
    """Soft hills under a wide sky."""
    e.sky(0.48)
    e.disc(float(e.rng.uniform(0.11, 0.18)), 0.5)
    for i in range(5):
        low = 0.44 + 0.105 * i
        _range(e, (low + (0.05 + 0.012 * i) * e.noise(0.7 + 0.2 * i, 2, 0.35) * e.flat).astype(np.float32), i / 4)


def dunes(e: Easel) -> None:
    """Sweeping dunes, each crest lit and its far side in shade."""
    e.sky(0.5)
    e.disc(float(e.rng.uniform(0.13, 0.19)), 0.5)
    for i in range(4):
        sweep = e.across * e.rng.uniform(1.5, 2.3) + e.rng.uniform(0, 6.3)
        wave = np.sin(sweep + 0.9 * np.sin(sweep)) + 0.25 * np.sin(2.3 * sweep)
        profile = (0.46 + 0.125 * i + (0.035 + 0.014 * i) * wave * e.flat).astype(np.float32)
        colour = e.layer(i / 3.2)
        e.ridge(profile, mix(colour, e.palette.sky[2], 0.4 - 0.08 * i), mix(colour, e.palette.near, 0.3), 0.17)
        e.remember(profile, i == 1)


def sea(e: Easel) -> None:
    """Open water to the horizon, with the sun's or moon's path on it."""
    horizon = float(e.rng.uniform(0.44, 0.49))
    e.sky(horizon)
    radius = float(e.rng.uniform(0.09, 0.15))
    e.focus = (e.focus[0], horizon - radius * e.unit / e.height * float(e.rng.uniform(0.45, 1.5)))
    e.disc(radius, 0.6)
    e.ridge(np.full(e.width, horizon, np.float32), mix(e.palette.far, e.palette.sky[2], 0.35), e.layer(0.75), 0.34)
    _glitter(e, horizon, radius)
    for i in range(4):
        depth = 0.55 + 0.15 * i
        phase = e.across * (7.5 - 1.5 * i) + e.rng.uniform(0, 6.3)
        swell = np.sin(phase + 0.5 * np.sin(phase)) * (0.006 + 0.005 * i) * e.flat + 0.006 * e.noise(1.2, 2)
        level = horizon + 0.13 + 0.115 * i
        profile = (level + swell).astype(np.float32)
        e.ridge((profile - 0.0035).astype(np.float32), mix(e.layer(depth), e.palette.sky[2], 0.2))
        e.ridge(profile, e.layer(depth), e.layer(min(1, depth + 0.25)), 0.16)


def forest(e: Easel) -> None:
    """Conifers in the mist, row before row."""
    e.sky(0.52)
    e.disc(float(e.rng.uniform(0.08, 0.13)), 0.6)
    for i in range(5):
        depth = i / 4
        low = 0.46 + 0.12 * i
        floor = low + 0.025 * e.noise(0.8, 2) * e.flat
        profile = _trees(e, floor.astype(np.float32), 0.1 + 0.055 * i, 0.032 + 0.012 * i)
        e.ridge(profile, e.layer(depth), mix(e.layer(depth), e.palette.sky[2], 0.34 * (1 - depth)), 0.26)
        e.remember(floor.astype(np.float32), i == 1)


def clouds(e: Easel) -> None:
    """High above: banks of cloud in evening light, birds."""
    e.sky(0.7)
    e.disc(float(e.rng.uniform(0.12, 0.18)), 0.65)
    for i in range(5):
        billow = np.abs(e.noise(1.6 + 0.4 * i, 4, 0.5))
        profile = (0.45 + 0.12 * i - 0.17 * billow * e.flat).astype(np.float32)
        light = mix(e.palette.sky[2], e.palette.disc, 0.5 - 0.1 * i)
        shade = mix(light, e.layer(0.4 + 0.12 * i), 0.35 + 0.15 * i)
        e.ridge(profile, mix(light, shade, 0.25 + 0.16 * i), shade, 0.2)
    details.birds(e)


def space(e: Easel) -> None:
    """Stars, a great planet low on one side, its ring or a moon."""
    top, middle, _ = e.palette.sky
    e.sky(1.6)
    e.haze(0.3, 0.5, mix(top, middle, 0.6), 0.5)
    details.stars(e)
    at, radius = (e.focus[0] + 0.02, 0.5), float(e.rng.uniform(0.3, 0.38))
    away = e.distance(at)
    body = np.clip((radius - away) * e.unit + 0.5, 0, 1)
    lit = np.clip(1 - e.distance((at[0] - 0.1, at[1] - 0.2)) / np.float32(radius * 1.7), 0, 1)[:, :, None] ** 0.8
    near = np.array(e.palette.near, np.float32)
    far = np.array(mix(e.palette.sky[2], e.palette.disc, 0.3), np.float32)
    rim = np.exp(-np.clip(away - radius, 0, None) * 16) * 0.35
    e.pixels += (1 - e.pixels) * (rim[:, :, None] * np.array(e.palette.sky[2], np.float32))
    e.pixels += body[:, :, None] * (near + lit * (far - near) - e.pixels)
    e.disc(0.035, 0.25, (e.focus[0] - 0.26, 0.24))


def arcs(e: Easel) -> None:
    """No landscape: great discs and bands that overlap, as on a poster."""
    e.sky(1.1)
    cx, cy = e.focus[0], e.focus[1] + 0.16
    for i, radius in enumerate((0.62, 0.5, 0.39, 0.28)):
        tone = mix(e.palette.far, e.palette.sky[2], 0.25 * i)
        e.cover(np.clip((radius - e.distance((cx, cy))) * e.unit + 0.5, 0, 1) * np.float32(0.55), tone)
    e.disc(0.17, 0.35, (cx, cy))
    for i in range(3):
        lean = float(e.rng.uniform(-0.16, 0.16))
        edge = (0.66 + 0.1 * i + lean * (e.x[0] - 0.5)).astype(np.float32)
        e.ridge(edge, e.layer(0.35 + 0.3 * i), e.layer(0.6 + 0.2 * i), 0.2)


def _range(e: Easel, profile: Array, depth: float) -> None:
    """One range of hills, with mist at its foot."""
    colour = e.layer(depth)
    e.ridge(profile, colour, mix(colour, e.palette.sky[2], 0.42 * (1 - depth)), 0.24)
    e.remember(profile, 0.4 < depth < 0.6)


def _glitter(e: Easel, horizon: float, radius: float) -> None:
    top = int(horizon * e.height) + 1
    y = (e.y[top:] - np.float32(horizon)) / np.float32(1 - horizon)
    rows = y.shape[0]
    # Neighbouring rows share their ripple; ripples grow towards the viewer.
    ripple = np.cumsum(0.9 / (1.5 + 9 * y[:, 0])).astype(int) % 997
    phase = e.rng.uniform(0, 6.3, 997)[ripple][:, None].astype(np.float32)
    pitch = (e.rng.uniform(26, 60, 997)[ripple][:, None] / (0.6 + 2.2 * y)).astype(np.float32)
    wave = np.sin(e.across[None, :] * pitch + phase) + 0.6 * np.sin(e.across[None, :] * pitch * 0.43 - phase * 2)
    spread = np.float32(radius * e.unit / e.width) * (0.8 + 1.6 * y)
    path = np.exp(-(((e.x - np.float32(e.focus[0])) / spread) ** 2)) * np.exp(-2.4 * y)
    e.cover(np.clip((wave - 0.35) * 2, 0, 1).reshape(rows, -1) * path * np.float32(0.85), e.palette.disc, top)


def _trees(e: Easel, floor: Array, tall: float, wide: float) -> Array:
    profile = floor.copy()
    tall *= e.flat
    x = -wide
    while x < float(e.across[-1]) + wide:
        h, w = tall * float(e.rng.uniform(0.55, 1.15)), wide * float(e.rng.uniform(0.8, 1.2))
        a, b = np.searchsorted(e.across, (x - w, x + w))
        if b > a:
            d = np.abs(e.across[a:b] - x) / w
            tiers = 0.07 * np.abs(((d * 4.5) % 1) - 0.5) * (1 - d) * 2
            crown = floor[a:b] - h * (np.clip(1 - d, 0, 1) ** 1.25 - tiers)
            profile[a:b] = np.minimum(profile[a:b], crown)
        x += w * float(e.rng.uniform(0.7, 1.5))
    return profile.astype(np.float32)
