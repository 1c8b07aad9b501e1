"""Which way of keeping the weights is chosen, and what it says where none fits. No device is needed for that."""

import pytest

from shared.diffusion import memory
from shared.diffusion.families import Shape
from shared.diffusion.memory import GIB, Creep, Mode, Need, Thrift
from shared.settings import SettingsError

#: About what Z-Image-Turbo and Wan 2.2 5B are in bfloat16.
Z_IMAGE = {"text_encoder": 8 * GIB, "transformer": 12 * GIB, "vae": GIB // 6}
WAN = {"text_encoder": 11 * GIB, "transformer": 10 * GIB, "vae": 3 * GIB}


@pytest.mark.parametrize(
    ("weights", "shape", "free", "mode"),
    [
        (Z_IMAGE, Shape(1024, 1024), 79, "resident"),
        (Z_IMAGE, Shape(1024, 1024), 23.5, "resident"),
        (Z_IMAGE, Shape(1024, 1024), 15.5, "model_offload"),
        (Z_IMAGE, Shape(1024, 1024), 7.5, "group_offload"),
        (WAN, Shape(1280, 704, 121, 24), 79, "resident"),
        (WAN, Shape(1280, 704, 121, 24), 23.5, "model_offload"),
        (WAN, Shape(1280, 704, 121, 24), 11.5, "group_offload"),
    ],
)
def test_the_fastest_mode_that_fits_is_chosen(weights: dict[str, int], shape: Shape, free: float, mode: Mode) -> None:
    assert memory.choose("auto", memory.need(weights, shape), int(free * GIB), "a model") == mode


def test_too_little_for_any_mode_is_told_with_both_numbers() -> None:
    with pytest.raises(SettingsError, match=r"WAN needs about 8\.\d GiB of free GPU memory .* and 6\.0 GiB are free"):
        memory.choose("auto", memory.need(WAN, Shape(1280, 704, 121, 24)), 6 * GIB, "WAN")


def test_a_mode_that_is_named_is_used_or_refused() -> None:
    needed = Need(resident=20 * GIB, model_offload=12 * GIB, group_offload=4 * GIB)
    assert memory.choose("group_offload", needed, 80 * GIB, "a model") == "group_offload"
    with pytest.raises(SettingsError, match=r"20\.0 GiB .*\(resident\).* or set MEMORY_MODE=auto"):
        memory.choose("resident", needed, 16 * GIB, "a model")


def test_a_larger_shape_needs_more_in_every_mode() -> None:
    small, large = (memory.need(WAN, Shape(832, 480, frames, 24)) for frames in (49, 121))
    for mode in ("resident", "model_offload", "group_offload"):
        assert large.of(mode) > small.of(mode)


def test_every_mode_has_a_cheaper_one_until_the_last() -> None:
    steps: list[Thrift] = [Thrift("resident")]
    while (cheaper := steps[-1].cheaper()) is not None:
        steps.append(cheaper)
    assert [(step.mode, step.tiled) for step in steps] == [
        ("resident", False),
        ("model_offload", True),
        ("group_offload", True),
    ]
    assert Thrift("group_offload").cheaper() == Thrift("group_offload", tiled=True)


def test_memory_that_stays_level_is_no_creep() -> None:
    creep = Creep()
    assert not any(creep.grown(level) for level in (10 * GIB, 10 * GIB + 400 * 2**20, 9 * GIB, 11 * GIB, 10 * GIB))


def test_memory_above_the_level_twice_in_a_row_is_creep() -> None:
    creep = Creep()
    assert [creep.grown(level * GIB) for level in (10, 11, 10, 11, 11)] == [False, False, False, False, True]
