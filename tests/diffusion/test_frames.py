"""From a tensor to a file: every pixel where it was, and a clip that starts while it loads."""

import io
import struct

import av
import numpy as np
import pytest
import torch
from PIL import Image

from shared.diffusion import frames
from shared.generator import Stopped


def tensor(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(3))


def shots(count: int, width: int, height: int) -> frames.Pixels:
    """A disc that wanders over a ground of three colours."""
    y, x = np.mgrid[:height, :width]
    made = np.zeros((count, height, width, 3), np.uint8)
    for number in range(count):
        away = np.hypot(x - width * (number + 1) / (count + 1), y - height / 2)
        made[number] = np.where((away < height / 5)[..., None], (230, 40, 60), (20, 120, 200))
    return made


def test_a_tensor_becomes_whole_numbers_rounded_to_the_nearest() -> None:
    made = torch.tensor([0.0, 0.49 / 255, 0.51 / 255, 0.5, 254.6 / 255, 1.0]).reshape(1, 1, 2, 3).expand(1, 3, 2, 3)
    assert frames.pixels(made)[0, :, :, 0].tolist() == [[0, 0, 1], [128, 255, 255]]


@pytest.mark.parametrize("shape", [(1, 3, 8, 12), (1, 5, 3, 8, 12)])
def test_pixels_keep_their_places_and_colours(shape: tuple[int, ...]) -> None:
    made = tensor(*shape)
    found = frames.pixels(made)
    assert found.shape == (shape[1] if len(shape) == 5 else 1, 8, 12, 3)
    shot = made[0, 2] if len(shape) == 5 else made[0]
    assert found[2 if len(shape) == 5 else 0, 5, 7].tolist() == [round(float(c) * 255) for c in shot[:, 5, 7]]


@pytest.mark.parametrize("kind", ["webp", "png"])
def test_a_picture_is_kept_without_loss(kind: str) -> None:
    shot = frames.pixels(tensor(1, 3, 33, 47))[0]
    made = frames.picture(shot, kind)
    assert (made.media_type, made.width, made.height, made.seconds) == (f"image/{kind}", 47, 33, None)
    with Image.open(io.BytesIO(made.data)) as file:
        assert file.format == kind.upper()
        assert (np.asarray(file.convert("RGB")) == shot).all()


def test_a_clip_has_every_frame_in_its_colours_at_its_speed() -> None:
    given = shots(9, 96, 64)
    made = frames.clip(given, 24)
    assert (made.media_type, made.width, made.height, made.seconds) == ("video/mp4", 96, 64, 9 / 24)
    with av.open(io.BytesIO(made.data), "r") as file:
        stream = file.streams.video[0]
        assert stream.average_rate == 24
        context = stream.codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)
        shown = [frame.to_ndarray(format="rgb24", src_colorspace=1).astype(int) for frame in file.decode(video=0)]
    assert len(shown) == 9
    for frame, wanted in zip(shown, given, strict=True):
        assert np.abs(frame - wanted).mean() < 6


def test_a_clip_plays_while_it_loads() -> None:
    data = frames.clip(shots(3, 64, 64), 8).data
    atoms, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        atoms.append(kind)
        at += size
    assert atoms.index(b"moov") < atoms.index(b"mdat")


def test_odd_rows_and_columns_are_cut_off() -> None:
    made = frames.clip(shots(2, 65, 67), 8)
    assert (made.width, made.height) == (64, 66)


def test_a_clip_stops_between_two_frames() -> None:
    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        frames.clip(shots(9, 64, 64), 8, check)
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (torch.full((1, 3, 8, 8), 0.4), "every pixel has the same colour"),
        (torch.full((1, 3, 8, 8), float("nan")), "it holds values that are not numbers"),
        (torch.cat([tensor(1, 2, 3, 8, 8), torch.full((1, 1, 3, 8, 8), float("nan"))], 1), "it holds values that are"),
        (tensor(1, 3, 8, 8) / 0, "it holds values that are not numbers"),
        (tensor(1, 3, 8, 8), ""),
    ],
)
def test_what_is_no_picture_is_known(made: torch.Tensor, reason: str) -> None:
    found = frames.blank(made)
    assert found.startswith(reason) and bool(found) == bool(reason)
