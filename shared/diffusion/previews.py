"""What a running job will look like: the model's estimate of the finished latents, as a small picture.

Latents have dozens of channels and no colours. Which colours they stand for is learnt here, from the finished pictures
of this very model: a straight line from channels to red, green and blue, fitted by least squares. So every model has
previews from its second job on, and one whose latents say nothing about colours has none.
"""

import io
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from shared.diffusion.families import Family, Shape
from shared.diffusion.frames import Pixels
from shared.generator import PREVIEW_BYTES, OnPreview

LONGEST = 256  #: pixels of a preview's longer side

_LESSONS = 8  #: finished jobs that are learnt from
_ROWS = 4096  #: pixels of each
_EVERY_S = 0.25

Matrix = NDArray[np.float64]


def estimate(scheduler: Any, before: Any, after: Any, step: int) -> Any:
    """What the latents will be at the end, seen from after `step` (from 1); None where that cannot be told.

    Solvers of higher order keep the estimate. Euler's steps are straight lines in the noise level, so that two latents
    and their levels give it.
    """
    kept = getattr(scheduler, "model_outputs", None)
    if kept and kept[-1] is not None:
        clean = scheduler.config.get("predict_x0") or "++" in scheduler.config.get("algorithm_type", "")
        return kept[-1] if clean else None
    levels = getattr(scheduler, "sigmas", None)
    if before is None or levels is None or "Euler" not in type(scheduler).__name__ or step >= len(levels):
        return None
    if "Ancestral" in type(scheduler).__name__:
        return None
    upper, lower = float(levels[step - 1]), float(levels[step])
    if upper == lower:
        return None
    return after - lower * ((after - before) / (lower - upper))


class Colours:
    """A straight line from latents to colours, better with every finished job."""

    def __init__(self, least: float = 0.3) -> None:
        self._least = least  #: share of the pictures' variance that must be explained
        self._lessons = 0
        self._inner: Matrix | None = None
        self._cross: Matrix = np.zeros(0)
        self._squares = 0.0
        self._sums: Matrix = np.zeros(3)
        self._count = 0
        self._line: Matrix | None = None

    @property
    def known(self) -> bool:
        return self._line is not None

    @property
    def eager(self) -> bool:
        return self._lessons < _LESSONS

    def learn(self, cells: Matrix, picture: Pixels) -> None:
        """`cells`: rows, columns, channels; `picture`: the same scene, of any size."""
        rows, columns, _ = cells.shape
        small = Image.fromarray(picture).resize((columns, rows), Image.Resampling.BOX)
        inputs = _with_one(cells)
        wanted = np.asarray(small, np.float64).reshape(-1, 3)
        stride = max(1, len(inputs) // _ROWS)
        inputs, wanted = inputs[::stride], wanted[::stride]
        if self._inner is None:
            self._inner = np.zeros((inputs.shape[1], inputs.shape[1]))
            self._cross = np.zeros((inputs.shape[1], 3))
        self._inner += inputs.T @ inputs
        self._cross += inputs.T @ wanted
        self._squares += float((wanted**2).sum())
        self._sums += wanted.sum(axis=0)
        self._count += len(wanted)
        self._lessons += 1
        firm = self._inner + np.eye(len(self._inner)) * (1e-3 * np.trace(self._inner) / len(self._inner))
        line = np.linalg.solve(firm, self._cross)
        left = self._squares - 2 * float((line * self._cross).sum()) + float((line * (self._inner @ line)).sum())
        spread = self._squares - float((self._sums**2).sum()) / self._count
        explained = 1 - left / spread if spread > 0 else 0.0
        self._line = line if explained >= self._least else None

    def picture(self, cells: Matrix) -> Image.Image:
        assert self._line is not None  # noqa: S101
        found = (_with_one(cells) @ self._line).clip(0, 255).astype(np.uint8)
        return Image.fromarray(found.reshape(cells.shape[0], cells.shape[1], 3))


def _with_one(cells: Matrix) -> Matrix:
    flat = cells.reshape(-1, cells.shape[2])
    return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)


class Previews:
    """Follows the runs of one pipeline, and shows what they are making every few steps."""

    def __init__(self, family: Family, every: int, colours: Colours | None = None, every_s: float = _EVERY_S) -> None:
        self._family = family
        self._every = every
        self._every_s = every_s
        self._colours = colours or Colours()
        self._last: Any = None
        self._shown_at = 0.0

    def begin(self) -> None:
        self._last = None

    def step(self, scheduler: Any, step: int, count: int, latents: Any, shape: Shape, show: OnPreview) -> None:
        """After every step; shows at most every quarter of a second, and never the last one."""
        if not self._every or latents is None:
            return
        before, self._last = self._last, latents
        now = time.monotonic()
        if step % self._every or step >= count or not self._colours.known or now - self._shown_at < self._every_s:
            return
        coming = estimate(scheduler, before, latents, step)
        if coming is None or coming.shape != latents.shape:
            return
        cells = self._cells(coming, shape)
        if cells is not None:
            self._shown_at = now
            show(jpeg(self._colours.picture(cells[0]), shape))

    def finish(self, shots: Pixels) -> None:
        """Learn from the finished picture, or from the middle of the finished clip."""
        latents, self._last = self._last, None
        if not self._every or latents is None or not self._colours.eager:
            return
        count, height, width, _ = shots.shape
        cells = self._cells(latents, Shape(width, height, count))
        if cells is not None:
            self._colours.learn(cells[0], shots[round(cells[1] * (count - 1))])

    def _cells(self, latents: Any, shape: Shape) -> tuple[Matrix, float] | None:
        """The middle frame as rows, columns, channels, and where in the clip it is, from 0 to 1.

        Some families pack the grid into one row of tokens, each as large as what sizes are multiples of.
        """
        one = latents.detach()[0]
        if one.ndim == 2:
            rows, columns = shape.height // self._family.multiple, shape.width // self._family.multiple
            if rows * columns == 0 or one.shape[0] % (rows * columns):
                return None
            one = one.reshape(-1, rows, columns, one.shape[1])
        elif one.ndim == 3:
            one = one.permute(1, 2, 0)[None]
        elif one.shape[0] == shape.frames:
            one = one.permute(0, 2, 3, 1)
        else:
            one = one.permute(1, 2, 3, 0)
        frames = one.shape[0]
        middle = frames // 2
        cells = one[middle].to("cpu", torch.float64).numpy()
        if not np.isfinite(cells).all():
            return None
        return cells, middle / max(1, frames - 1)


def jpeg(picture: Image.Image, shape: Shape) -> bytes:
    """At most `PREVIEW_BYTES`, in the shape of what is being made."""
    shrink = LONGEST / max(shape.width, shape.height)
    size = max(1, round(shape.width * shrink)), max(1, round(shape.height * shrink))
    shown = picture.resize(size, Image.Resampling.BICUBIC)
    for quality in (80, 60, 40, 20, 5):
        file = io.BytesIO()
        shown.save(file, "JPEG", quality=quality)
        if file.tell() <= PREVIEW_BYTES:
            break
    return file.getvalue()
