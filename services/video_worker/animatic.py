"""Video generator without a model: a slow camera move over the scene's image, as H.264 in MP4.

The same job gives the same bytes. Needs one core: a clip takes less time to make than to watch.
"""

import io
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from services.video_worker import camera
from services.video_worker.source import source_image
from shared.generator import Cancelled, GenerationFailed, Job, OnStep, Rendered, Stopped

SMALLEST, LARGEST = 64, 4096  #: pixels per side
SHORTEST, LONGEST = 0.1, 600.0  #: seconds
SLOWEST, FASTEST = 1, 120  #: frames per second

_STEPS = 40  #: progress is told this often
_FADE = 0.35  #: seconds in which the picture lights up, and dims at the end
_DIM = 0.7  #: brightness of the first and last frame; black would make an empty thumbnail

#: x264 settings. One thread, so that a machine with more cores writes the same bytes.
_OPTIONS = {"preset": "veryfast", "crf": "19", "profile": "high", "threads": "1", "x264-params": "keyint=48:bframes=2"}

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Source:
    """The picture as three planes of full size: BT.709 luma and chroma, limited range."""

    luma: Image.Image
    blue: Image.Image
    red: Image.Image


class Animatic:
    """Implements `shared.generator.Generator` for the stage `video`; gives an MP4 that starts while it loads.

    Width and height are rounded down to even numbers, as the pixel format demands; `Rendered` tells the result.
    """

    name = "animatic"

    def generate(self, job: Job, on_step: OnStep, cancelled: Cancelled) -> Rendered:
        """Render the clip. Raises `Stopped`, or `GenerationFailed` for a bad size, length or source."""
        _check(job)
        if cancelled():
            raise Stopped
        width, height = job.width - job.width % 2, job.height - job.height % 2
        source = _planes(_filled(source_image(job.source), width, height))
        frames = max(1, round(job.seconds * job.fps))
        with tempfile.TemporaryDirectory() as folder:
            # The index can only be moved to the front of a real file.
            path = Path(folder) / "clip.mp4"
            with av.open(
                str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}
            ) as file:
                stream = _stream(file, width, height, job.fps)
                told = 0
                for done, frame in enumerate(_rendered(job, source, frames, width, height), start=1):
                    file.mux(stream.encode(frame))
                    if cancelled():
                        raise Stopped
                    if done * _STEPS // frames > told and done < frames:
                        told = done * _STEPS // frames
                        on_step(done / frames)
                file.mux(stream.encode(None))
            rendered = _measured(path.read_bytes())
        on_step(1.0)
        return rendered


def _check(job: Job) -> None:
    for field, value in (("width", job.width), ("height", job.height)):
        if not SMALLEST <= value <= LARGEST:
            message = f"{field} is {value}; it must be between {SMALLEST} and {LARGEST} pixels."
            raise GenerationFailed("bad_size", message, retryable=False)
    if not (math.isfinite(job.seconds) and SHORTEST <= job.seconds <= LONGEST):
        message = f"seconds is {job.seconds}; it must be between {SHORTEST} and {LONGEST:.0f}."
        raise GenerationFailed("bad_length", message, retryable=False)
    if not SLOWEST <= job.fps <= FASTEST:
        message = f"fps is {job.fps}; it must be between {SLOWEST} and {FASTEST}."
        raise GenerationFailed("bad_length", message, retryable=False)


def _filled(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The picture in the clip's shape. One of another shape is shown whole, on a soft blur of itself."""
    if abs(math.log(picture.width * height / (picture.height * width))) < 0.03:
        # More pixels than twice the clip's would only slow down every frame.
        if picture.width > 2 * width:
            return picture.resize((2 * width, 2 * height), Image.Resampling.LANCZOS)
        return picture
    small = ImageOps.fit(picture, (max(8, width // 8), max(8, height // 8)), Image.Resampling.BICUBIC)
    soft = small.filter(ImageFilter.GaussianBlur(6)).point(lambda value: value * 0.55)
    ground = soft.resize((width, height), Image.Resampling.BICUBIC)
    whole = ImageOps.contain(picture, (width, height), Image.Resampling.LANCZOS)
    ground.paste(whole, ((width - whole.width) // 2, (height - whole.height) // 2))
    return ground


def _planes(picture: Image.Image) -> _Source:
    rgb = np.asarray(picture, np.float32)
    r, g, b = rgb[:, :, 0], rgb[:, :, 1], rgb[:, :, 2]
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    blue, red = (b - luma) / 1.8556, (r - luma) / 1.5748
    levels = (16 + luma * (219 / 255), 128 + blue * (224 / 255), 128 + red * (224 / 255))
    return _Source(*(Image.fromarray(np.clip(plane + 0.5, 0, 255).astype(np.uint8)) for plane in levels))


def _rendered(job: Job, source: _Source, frames: int, width: int, height: int) -> Iterator[av.VideoFrame]:
    move = camera.choose(job.text, job.seed)
    chroma = (width // 2, height // 2)
    for number in range(frames):
        view = move.view(number / max(1, frames - 1), source.luma.width, source.luma.height)
        light = _light(number, frames, job.fps)
        # Boxes of fractional pixels: the picture glides instead of stepping from pixel to pixel.
        luma = np.asarray(source.luma.resize((width, height), Image.Resampling.BICUBIC, box=view))
        blue = np.asarray(source.blue.resize(chroma, Image.Resampling.BICUBIC, box=view))
        red = np.asarray(source.red.resize(chroma, Image.Resampling.BICUBIC, box=view))
        if light < 1:
            luma, blue, red = _dimmed(luma, light, 16), _dimmed(blue, light, 128), _dimmed(red, light, 128)
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, pixels in zip(frame.planes, (luma, blue, red), strict=True):
            _fill(plane, pixels)
        frame.pts, frame.time_base = number, Fraction(1, job.fps)
        yield frame


def _light(number: int, frames: int, fps: int) -> float:
    span = min(_FADE * fps, frames * 0.15)
    near = min(number, frames - 1 - number) / span if span >= 1 else 1.0
    share = min(1.0, near)
    return _DIM + (1 - _DIM) * share * share * (3 - 2 * share)


def _dimmed(plane: Plane, light: float, black: int) -> Plane:
    table = np.clip(black + (np.arange(256) - black) * light + 0.5, 0, 255).astype(np.uint8)
    dimmed: Plane = table[plane]
    return dimmed


def _fill(plane: av.video.plane.VideoPlane, pixels: Plane) -> None:
    # Rows of a plane are padded to what the processor likes.
    rows = np.zeros((plane.height, plane.line_size), np.uint8)
    rows[:, : plane.width] = pixels
    plane.update(rows.tobytes())


def _stream(file: av.container.OutputContainer, width: int, height: int, fps: int) -> av.VideoStream:
    stream = file.add_stream("libx264", rate=fps, options=_OPTIONS)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, fps)
    context.color_primaries = context.color_trc = context.colorspace = 1  # BT.709
    context.color_range = 1  # limited
    return stream


def _measured(data: bytes) -> Rendered:
    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.video[0]
        seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        return Rendered(data, "video/mp4", stream.width, stream.height, seconds)
