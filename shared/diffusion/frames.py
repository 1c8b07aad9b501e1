"""From the tensor that a pipeline gives to the file that a creator sees: whole numbers on the device, and one copy.

A pipeline's own way to pictures costs more than the encoding: seconds for a clip, in Python, on one core.
"""

import io
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from shared.generator import Rendered

Pixels = NDArray[np.uint8]  #: frames, rows, columns, red green blue

_BT709 = 1  #: in FFmpeg's numbering of matrices, primaries and transfer functions
_LIMITED = 1  #: of colour ranges: 16 to 235, as every player expects
_X264 = {"preset": "veryfast", "crf": "18", "profile": "high"}
_STILL = 1 / 255  #: between the darkest and the brightest value of a picture that shows nothing


def blank(made: Any) -> str:
    """Why this is no picture, or nothing: `made` is batch, (frames,) colours, rows, columns from 0 to 1."""
    low, high = torch.aminmax(made.detach())
    # A comparison with something that is not a number is false, whichever way.
    if not bool(torch.isfinite(low) & torch.isfinite(high)):
        return "it holds values that are not numbers"
    return "every pixel has the same colour" if float(high - low) < _STILL else ""


def pixels(made: Any) -> Pixels:
    """Whole numbers of the first of a batch, made on its device and copied once."""
    first = made.detach()[0]
    shots = first if first.ndim == 4 else first[None]
    if shots.device.type == "cpu":
        return _whole_by_shot(shots)
    whole = shots.float().mul(255).add_(0.5).to(torch.uint8)
    copied: Pixels = whole.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return copied


def _whole_by_shot(shots: Any) -> Pixels:
    """On the processor a whole clip at once would go through main memory three times; one shot stays in its caches.

    By numpy: for work this small, torch's threads wait for each other longer than they calculate on a busy machine.
    """
    count, colours, rows, columns = shots.shape
    found = np.empty((count, rows, columns, colours), np.uint8)
    scaled = np.empty((colours, rows, columns), np.float32)
    whole = np.empty((colours, rows, columns), np.uint8)
    for number in range(count):
        np.multiply(shots[number].float().numpy(), 255, out=scaled)
        scaled += 0.5
        np.copyto(whole, scaled, casting="unsafe")
        for colour in range(colours):
            found[number, :, :, colour] = whole[colour]
    return found


def picture(shot: Pixels, kind: str) -> Rendered:
    """One shot (rows, columns, 3) as a file without loss."""
    file = io.BytesIO()
    image = Image.fromarray(shot)
    if kind == "png":
        image.save(file, "PNG", compress_level=1)
    else:
        # As small as PNG in a tenth of the time; slower methods gain a few percent.
        image.save(file, "WEBP", lossless=True, method=0, quality=0)
    return Rendered(file.getvalue(), f"image/{kind}", image.width, image.height)


def clip(shots: Pixels, fps: int, check: Callable[[], None] = lambda: None) -> Rendered:
    """H.264 in MP4 that plays while it loads; `check` is asked before every frame, and may raise.

    Odd rows and columns are cut off, as the pixel format demands.
    """
    count, height, width = shots.shape[0], shots.shape[1] // 2 * 2, shots.shape[2] // 2 * 2
    with tempfile.TemporaryDirectory() as folder:
        # The index can only be moved to the front of a real file.
        path = Path(folder) / "clip.mp4"
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as file:
            stream = file.add_stream("libx264", rate=fps, options=_X264)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            context = stream.codec_context
            context.time_base = Fraction(1, fps)
            context.color_primaries = context.color_trc = context.colorspace = _BT709
            context.color_range = _LIMITED
            for number in range(count):
                check()
                shot = np.ascontiguousarray(shots[number, :height, :width])
                frame = av.VideoFrame.from_ndarray(shot, "rgb24").reformat(
                    format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED
                )
                frame.pts, frame.time_base = number, Fraction(1, fps)
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        data = path.read_bytes()
    return Rendered(data, "video/mp4", width, height, count / fps)
