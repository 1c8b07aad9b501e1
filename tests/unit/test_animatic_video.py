"""The clip that the video animatic makes: what it contains, how it moves, what it refuses."""

import io
import struct
from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import av
import numpy as np
import pytest
from PIL import Image

from services.video_worker import camera
from services.video_worker.animatic import Animatic
from shared.contracts.scene import Stage
from shared.generator import GenerationFailed, Job, Rendered, Stopped


def picture(
    width: int = 640, height: int = 360, kind: str = "PNG", ground: tuple[int, int, int] = (40, 50, 70)
) -> bytes:
    """A plain ground with one soft bright disc in the upper left: something whose place can be measured exactly."""
    y, x = np.mgrid[:height, :width]
    away = np.hypot(x - width / 3, y - height / 3) / (height / 12)
    light = np.clip(1.5 - away, 0, 1)[:, :, None]
    light = light * light * (3 - 2 * light)
    pixels = (1 - light) * np.array(ground) + light * np.array([250, 240, 200])
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, kind)
    return file.getvalue()


def job(source: bytes | None, width: int = 640, height: int = 360, seconds: float = 2.0, fps: int = 24) -> Job:
    text = "She walks away."
    return Job(UUID(int=1), Stage.VIDEO, 1, 4, "Title", text, text, "", 7, width, height, seconds, fps, source)


def render(wanted: Job) -> Rendered:
    return Animatic().generate(wanted, lambda fraction: None, lambda: False)


def decoded(data: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(data), "r") as file:
        return [frame.to_ndarray(format="gray") for frame in file.decode(video=0)]


def atoms(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        assert size >= 8
        found.append(kind)
        at += size
    return found


def test_the_same_job_gives_the_same_bytes_whichever_attempt_it_is() -> None:
    wanted = job(picture(), seconds=0.5)
    assert render(wanted).data == render(replace(wanted, attempt=2, scene_id=UUID(int=5))).data


def test_another_text_or_seed_gives_another_move() -> None:
    wanted = job(picture(), seconds=0.5)
    others = [replace(wanted, text="He stays."), replace(wanted, seed=8)]
    assert len({render(one).data for one in [wanted, *others]}) == 3


@pytest.mark.parametrize(
    ("width", "height", "seconds", "fps"),
    [(640, 360, 2.0, 24), (360, 640, 0.5, 30), (64, 64, 1.0, 10), (321, 181, 0.4, 25), (640, 360, 0.1, 1)],
)
def test_a_clip_has_the_frames_size_and_length_that_were_asked_for(
    width: int, height: int, seconds: float, fps: int
) -> None:
    rendered = render(job(picture(), width, height, seconds, fps))
    count = max(1, round(seconds * fps))
    frames = decoded(rendered.data)
    assert len(frames) == count
    assert (rendered.width, rendered.height) == (width - width % 2, height - height % 2)
    assert {frame.shape for frame in frames} == {(rendered.height, rendered.width)}
    assert rendered.seconds == pytest.approx(count / fps, abs=0.001)
    assert rendered.media_type == "video/mp4"


def test_a_clip_is_what_every_browser_plays() -> None:
    data = render(job(picture(), seconds=0.5)).data
    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)
        assert stream.average_rate == 24
        assert "creation_time" not in file.metadata | stream.metadata
    assert b"avc1" in data


def test_a_clip_can_start_while_it_loads() -> None:
    order = atoms(render(job(picture(), seconds=0.5)).data)
    assert order[0] == b"ftyp"
    assert order.index(b"moov") < order.index(b"mdat")


def test_colours_survive() -> None:
    """Right matrix, right range: a frame in the middle has the picture's own colours."""
    data = render(job(picture(ground=(150, 40, 70)), seconds=1.0)).data
    with av.open(io.BytesIO(data), "r") as file:
        frames = list(file.decode(video=0))
    middle = frames[len(frames) // 2]
    luma, blue, red = (
        float(np.asarray(plane, np.uint8).reshape(plane.height, plane.line_size)[10, 10]) for plane in middle.planes
    )
    r = 1.164 * (luma - 16) + 1.793 * (red - 128)
    g = 1.164 * (luma - 16) - 0.213 * (blue - 128) - 0.533 * (red - 128)
    b = 1.164 * (luma - 16) + 2.112 * (blue - 128)
    assert (r, g, b) == pytest.approx((150, 40, 70), abs=4)


def test_the_picture_glides_without_a_jump_or_a_stair() -> None:
    """The disc's centre of mass is followed through the frames: sub-pixel steps that change only little by little."""
    places = []
    for frame in decoded(render(job(picture(), seconds=3.0)).data)[9:-9]:  # while the light is steady
        light = np.clip(frame.astype(float) - 80, 0, None)
        total = light.sum()
        y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
        places.append(((x * light).sum() / total, (y * light).sum() / total))
    steps = np.diff(np.array(places), axis=0)
    assert np.hypot(*(np.array(places[-1]) - np.array(places[0]))) > 4  # it moves at all
    assert np.abs(steps).max() < 0.6
    assert np.abs(np.diff(steps, axis=0)).max() < 0.1


@pytest.mark.parametrize("seed", range(40))
def test_the_camera_never_leaves_the_picture_nor_crops_into_the_text(seed: int) -> None:
    move = camera.choose("text", seed)
    views = [move.view(time / 200, 1000, 1000) for time in range(201)]
    for left, top, right, bottom in views:
        assert min(left, top) >= 0 and max(right, bottom) <= 1000
        assert max(left, top) <= 60 and min(right, bottom) >= 940  # text begins at 80
    sizes = [right - left for left, _, right, _ in views]
    assert all(a > b for a, b in pairwise(sizes)) or all(a < b for a, b in pairwise(sizes))


def test_moves_differ_in_direction_and_in_zoom() -> None:
    moves = [camera.choose("text", seed) for seed in range(60)]
    assert {move.start > move.end for move in moves} == {True, False}
    assert {(move.drift[0] > 0, move.drift[1] > 0) for move in moves} == {(a, b) for a in (0, 1) for b in (0, 1)}


def test_the_first_frame_is_no_empty_thumbnail_and_the_middle_is_at_full_light() -> None:
    frames = decoded(render(job(picture(), seconds=2.0)).data)
    first, middle = float(frames[0].max()), float(frames[len(frames) // 2].max())
    assert 0.55 * middle < first < 0.85 * middle
    assert middle > 225


def test_a_picture_of_another_shape_is_shown_whole() -> None:
    frame = decoded(render(job(picture(360, 640), 640, 360, 1.0)).data)[12]
    bright = np.argwhere(frame > 180)
    assert len(bright) > 0
    height, width = np.ptp(bright[:, 0]) + 1, np.ptp(bright[:, 1]) + 1
    assert 0.8 < width / height < 1.25  # the disc is still round


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_it_reads_the_common_kinds_of_image(kind: str) -> None:
    assert len(decoded(render(job(picture(kind=kind), seconds=0.2)).data)) == 5


def test_progress_is_told_often_and_grows_to_one() -> None:
    told: list[float] = []
    Animatic().generate(job(picture(), seconds=2.0), told.append, lambda: False)
    assert len(told) >= 20
    assert all(a < b for a, b in pairwise(told))
    assert told[-1] == 1.0


def test_it_stops_within_a_frame_of_being_asked_to() -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked >= 10

    told: list[float] = []
    with pytest.raises(Stopped):
        Animatic().generate(job(picture(), seconds=60.0), told.append, cancelled)
    assert asked == 10
    assert max(told, default=0.0) < 0.05


def test_it_does_not_begin_when_it_was_already_asked_to_stop() -> None:
    with pytest.raises(Stopped):
        Animatic().generate(job(picture()), lambda fraction: None, lambda: True)


@pytest.mark.parametrize(
    "source", [None, b"", b"not an image", picture()[:200], b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 50]
)
def test_a_missing_or_broken_source_is_refused_for_good(source: bytes | None) -> None:
    with pytest.raises(GenerationFailed) as failure:
        render(job(source))
    assert failure.value.cause == "bad_source"
    assert not failure.value.retryable


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_that_would_fill_the_memory_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    source = picture()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 640 * 360 - 1)
    with pytest.raises(GenerationFailed) as failure:
        render(job(source))
    assert failure.value.cause == "bad_source"
    assert "DecompressionBomb" in failure.value.detail


@pytest.mark.parametrize(
    ("change", "cause", "field", "bound"),
    [
        ({"width": 63}, "bad_size", "width", "64"),
        ({"height": 4097}, "bad_size", "height", "4096"),
        ({"seconds": 0.0}, "bad_length", "seconds", "0.1"),
        ({"seconds": float("nan")}, "bad_length", "seconds", "600"),
        ({"fps": 0}, "bad_length", "fps", "120"),
    ],
)
def test_a_number_out_of_range_is_refused_by_name_and_bounds(
    change: dict[str, float], cause: str, field: str, bound: str
) -> None:
    with pytest.raises(GenerationFailed) as failure:
        render(replace(job(picture()), **change))  # type: ignore[arg-type]
    assert failure.value.cause == cause
    assert not failure.value.retryable
    assert field in failure.value.message and bound in failure.value.message
