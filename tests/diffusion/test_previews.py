"""Pictures of what is coming: of the estimate and not of the noise, small enough, and only where colours are known."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from shared.contracts.scene import Stage
from shared.diffusion.families import FAMILIES, Shape
from shared.diffusion.model import Model
from shared.diffusion.previews import Colours, Previews, estimate, jpeg
from shared.generator import PREVIEW_BYTES
from tests.diffusion.conftest import Shelf
from tests.diffusion.loaded import load, make
from tests.fixtures.tiny_models import IMAGE_MODELS

SHOWN = ("z-image", "flux2-klein", "sdxl", "qwen-image", "wan-5b", "wan-a14b", "ltx", "svd")


def loaded(shelf: Shelf, name: str, every: int = 1) -> Model:
    """Random weights mean no colours: here any line through them is good enough, and no pause is made."""
    model = load(shelf[name], Stage.IMAGE if name in IMAGE_MODELS else Stage.VIDEO, preview_every=every, steps=6)
    model.previews = Previews(model.family, every, Colours(least=-1e9), every_s=0)
    return model


@pytest.mark.parametrize("name", SHOWN)
def test_from_the_second_job_on_every_step_but_the_last_shows_a_picture(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    shown: list[bytes] = []
    make(model, on_preview=shown.append)
    assert shown == []
    make(model, on_preview=shown.append)
    assert len(shown) in (4, 5)  # Euler's estimate takes two steps, a solver's of higher order one.
    for data in shown:
        assert len(data) <= PREVIEW_BYTES
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "JPEG"
            assert picture.size == (256, 171)


@pytest.mark.parametrize("name", SHOWN)
def test_previews_change_no_pixel(shelf: Shelf, name: str) -> None:
    shows, silent = loaded(shelf, name), loaded(shelf, name, every=0)
    for _ in range(2):
        assert (make(shows) == make(silent)).all()


def test_every_second_step_shows_a_picture_where_that_is_asked_for(shelf: Shelf) -> None:
    model = loaded(shelf, "z-image", every=2)
    shown: list[bytes] = []
    make(model)
    make(model, on_preview=shown.append)
    assert len(shown) == 2


def test_none_is_shown_where_they_are_switched_off(shelf: Shelf) -> None:
    model = loaded(shelf, "z-image", every=0)
    shown: list[bytes] = []
    for _ in range(3):
        make(model, on_preview=shown.append)
    assert shown == []


@pytest.mark.parametrize("name", ["z-image", "flux2-klein", "sdxl", "wan-5b", "ltx"])
def test_the_estimate_is_closer_to_the_end_than_the_noise_is(shelf: Shelf, name: str) -> None:
    model = loaded(shelf, name)
    seen: list[tuple[int, Any, Any]] = []
    step = model.previews.step

    def watched(scheduler: Any, number: int, count: int, latents: Any, *rest: Any) -> None:
        before = seen[-1][1] if seen else None
        coming = estimate(scheduler, before, latents, number)
        seen.append((number, latents.clone(), None if coming is None else coming.clone()))
        step(scheduler, number, count, latents, *rest)

    model.previews.step = watched  # type: ignore
    make(model)
    end = seen[-1][1]
    compared = [(noisy, coming) for _, noisy, coming in seen[:-1] if coming is not None]
    assert len(compared) >= 2
    for noisy, coming in compared:
        assert float((coming - end).norm()) < float((noisy - end).norm())


def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Latents of 16 channels that three of them colour, and the picture that they stand for, eight times as large."""
    chance = np.random.default_rng(seed)
    cells = chance.normal(size=(24, 32, 16))
    colours = 128 + 40 * cells[:, :, :3]
    return cells, np.clip(colours, 0, 255).astype(np.uint8).repeat(8, 0).repeat(8, 1)


def test_colours_are_learnt_from_finished_pictures() -> None:
    colours = Colours()
    assert not colours.known
    for seed in range(2):
        colours.learn(*scene(seed))
    assert colours.known
    cells, picture = scene(9)
    shown = np.asarray(colours.picture(cells), int)
    assert np.abs(shown - picture[::8, ::8]).mean() < 4


def test_latents_that_say_nothing_about_colours_are_not_shown() -> None:
    colours = Colours()
    for seed in range(4):
        colours.learn(scene(seed)[0], scene(seed + 100)[1])
    assert not colours.known


@pytest.mark.parametrize(
    ("name", "latents", "shape"),
    [
        ("Z-Image", (1, 16, 32, 48), Shape(384, 256)),
        ("FLUX.2 klein", (1, 16 * 24, 128), Shape(384, 256)),
        ("Wan 2.2 5B", (1, 48, 3, 16, 24), Shape(384, 256, 9, 24)),
        ("LTX-Video", (1, 2 * 8 * 12, 128), Shape(384, 256, 9, 25)),
        ("Stable Video Diffusion", (1, 14, 4, 32, 48), Shape(384, 256, 14, 7)),
    ],
)
def test_latents_of_every_layout_become_a_grid_of_the_pictures_shape(
    name: str, latents: tuple[int, ...], shape: Shape
) -> None:
    family = next(family for family in FAMILIES if family.name == name)
    found = Previews(family, 1)._cells(torch.zeros(latents), shape)
    assert found is not None
    rows, columns, _ = found[0].shape
    assert rows * shape.width == columns * shape.height


def test_a_preview_of_pure_noise_still_fits() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    assert len(jpeg(Image.fromarray(noise), Shape(1024, 1024))) <= PREVIEW_BYTES
