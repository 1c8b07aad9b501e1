"""The rules of the model families: what is made for what is asked."""

import pytest

from shared.contracts.scene import Stage
from shared.diffusion import families
from shared.diffusion.families import FAMILIES, Family, Shape

BY_NAME = {family.name: family for family in FAMILIES}
WAN, LTX, SVD = BY_NAME["Wan 2.2 5B"], BY_NAME["LTX-Video"], BY_NAME["Stable Video Diffusion"]


@pytest.mark.parametrize(
    ("index", "name"),
    [
        ({"_class_name": "ZImagePipeline"}, "Z-Image"),
        ({"_class_name": "Flux2KleinPipeline"}, "FLUX.2 klein"),
        ({"_class_name": "StableDiffusionXLPipeline"}, "SDXL"),
        ({"_class_name": "QwenImagePipeline"}, "Qwen-Image"),
        ({"_class_name": "WanPipeline", "expand_timesteps": True}, "Wan 2.2 5B"),
        ({"_class_name": "WanImageToVideoPipeline", "expand_timesteps": True}, "Wan 2.2 5B"),
        ({"_class_name": "WanImageToVideoPipeline", "boundary_ratio": 0.9}, "Wan A14B"),
        ({"_class_name": "LTXPipeline"}, "LTX-Video"),
        ({"_class_name": "HunyuanVideo15ImageToVideoPipeline"}, "HunyuanVideo-1.5"),
        ({"_class_name": "StableVideoDiffusionPipeline"}, "Stable Video Diffusion"),
    ],
)
def test_a_model_is_known_by_its_index(index: dict[str, object], name: str) -> None:
    found = families.find(index)
    assert found is not None and found.name == name


@pytest.mark.parametrize("index", [{}, {"_class_name": "CogVideoXPipeline"}, {"_class_name": ["pipeline", "Mine"]}])
def test_a_model_of_no_supported_family_is_known_as_such(index: dict[str, object]) -> None:
    assert families.find(index) is None


def test_a_text_to_video_wan_without_image_input_is_not_taken_for_the_small_one() -> None:
    assert families.find({"_class_name": "WanPipeline"}) is None


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize(
    "asked", [(1280, 720), (720, 1280), (1024, 1024), (64, 64), (4096, 4096), (4096, 64), (66, 998), (2048, 858)]
)
def test_every_wanted_size_becomes_one_that_the_family_can_make(family: Family, asked: tuple[int, int]) -> None:
    width, height = families.fit(family, *asked)
    assert width % family.multiple == height % family.multiple == 0
    assert min(width, height) >= families.SMALLEST_SIDE
    assert width * height <= family.pixels
    assert families.fit(family, width, height) == (width, height)
    if max(asked) / min(asked) < 3:
        assert abs(width / height - asked[0] / asked[1]) < 0.16 * asked[0] / asked[1]


def test_the_usual_sizes_are_the_published_ones() -> None:
    assert families.fit(WAN, 1280, 720) == (1280, 704)
    assert families.fit(BY_NAME["Wan A14B"], 1280, 720) == (1280, 720)
    assert families.fit(BY_NAME["Z-Image"], 1280, 720) == (1280, 720)
    assert families.fit(SVD, 1280, 720) == (1024, 576)


@pytest.mark.parametrize(
    ("family", "asked", "made"),
    [(WAN, 96, 97), (WAN, 98, 97), (WAN, 81, 81), (WAN, 1, 5), (WAN, 1440, 121)]
    + [(LTX, 100, 97), (LTX, 16, 17), (LTX, 1, 9), (SVD, 14, 14), (SVD, 400, 25), (SVD, 1, 2)],
)
def test_a_wanted_number_of_frames_becomes_the_nearest_possible(family: Family, asked: int, made: int) -> None:
    assert families.frames(family, asked) == made
    assert families.wrong_frames(family, made) == ""


def test_a_length_in_seconds_is_made_at_the_models_own_speed() -> None:
    assert families.shape(BY_NAME["Wan A14B"], (832, 480), 4.0, None) == Shape(832, 480, 65, 16)
    assert families.shape(WAN, (1280, 704), 4.0, None) == Shape(1280, 704, 97, 24)
    assert families.shape(WAN, (1280, 704), 49, 12) == Shape(1280, 704, 49, 12)


def test_a_size_that_cannot_be_made_exactly_is_refused_with_the_nearest() -> None:
    assert "multiples of 32: the nearest size is 832x480" in families.wrong_size(WAN, 840, 480)
    assert "at most 901,120 pixels" in families.wrong_size(WAN, 1920, 1088)
    assert "nothing smaller than 64" in families.wrong_size(WAN, 32, 640)
    assert families.wrong_size(WAN, 832, 480) == ""


def test_a_number_of_frames_that_cannot_be_made_exactly_is_refused_with_the_nearest() -> None:
    assert "multiple of 4 frames plus one: the nearest number is 81" in families.wrong_frames(WAN, 80)
    assert "at most 25 frames" in families.wrong_frames(SVD, 26)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_what_would_fit_is_smaller_and_possible(family: Family) -> None:
    full = families.shape(family, (1280, 720), 4.0, None)
    offered = families.smaller(family, full)
    assert offered
    for shape in offered:
        assert shape.width * shape.height * shape.frames < 0.75 * full.width * full.height * full.frames
        assert families.wrong_size(family, shape.width, shape.height) == ""
        if family.stage is Stage.VIDEO:
            assert families.wrong_frames(family, shape.frames) == ""


def test_the_smallest_shape_has_nothing_smaller() -> None:
    assert families.smaller(BY_NAME["Z-Image"], Shape(64, 64)) == []
