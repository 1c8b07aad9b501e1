"""One run of a pipeline that can be stopped, and that leaves the pipeline as it was.

Pipelines have a switch of their own for stopping. It is reset as a run starts, decodes in spite of it, and half of the
families have none. So we raise: from the step, and from a hook before every pass of a part, which also stops a text
encoder or a decoder. Afterwards the pipeline is told the run has ended, which it only tells itself after a success:
otherwise offloaded parts would stay on the device, and what caches remember would change the next picture.
"""

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from shared.diffusion.failures import Trouble, classify
from shared.generator import Cancelled

#: Called after every step with its number from 1, how many there are, and the latents where the pipeline shows them.
OnStepEnd = Callable[[int, int, Any], None]

_WHOLE = ("transformer", "unet", "text_encoder", "image_encoder")  #: one pass of these is at most a step


class _Halt(BaseException):
    """Not an `Exception`: no handler inside a pipeline may swallow it."""


class Brake:
    """Asks before every pass of every part whether the run is to stop."""

    def __init__(self, pipeline: Any) -> None:
        self.cancelled: Cancelled = lambda: False
        for name, part in pipeline.components.items():
            if isinstance(part, torch.nn.Module):
                for module in _stations(name, part):
                    module.register_forward_pre_hook(self._before_pass)

    def check(self) -> None:
        if self.cancelled():
            raise _Halt

    def _before_pass(self, module: Any, args: Any) -> None:
        self.check()


def _stations(name: str, part: Any) -> Iterator[Any]:
    """Where a part may be stopped: as a whole, or block by block where one pass decodes a whole clip."""
    if name.startswith(_WHOLE):
        yield part
    elif name.startswith("vae"):
        for coder in (getattr(part, "encoder", None), getattr(part, "decoder", None)):
            if coder is None:
                continue
            yield coder
            for child in coder.children():
                yield from child if isinstance(child, torch.nn.ModuleList) else (child,)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: finished, stopped, or in trouble."""

    finished: Any = None
    stopped: bool = False
    trouble: Trouble | None = None
    text: str = ""  #: of the error; the error itself would hold every tensor of the run


def run(
    pipeline: Any,
    arguments: dict[str, Any],
    brake: Brake,
    cancelled: Cancelled,
    on_step_end: OnStepEnd,
    finish: Callable[[Any], Any],
) -> Outcome:
    """Call the pipeline once, and `finish` with what it gives. Raises nothing but what is no `Exception`."""
    brake.cancelled = cancelled
    try:
        outcome = _attempt(pipeline, arguments, brake, on_step_end, finish)
    finally:
        brake.cancelled = lambda: False
    # Not within the handlers above: there the error still holds the run's tensors.
    if outcome.trouble is not Trouble.DEVICE and outcome.finished is None:
        pipeline.maybe_free_model_hooks()
    return outcome


def _attempt(
    pipeline: Any, arguments: dict[str, Any], brake: Brake, on_step_end: OnStepEnd, finish: Callable[[Any], Any]
) -> Outcome:
    pace = _Pace(pipeline._execution_device)

    def step(number: int, count: int, latents: Any = None) -> None:
        pace.keep()
        on_step_end(number, count, latents)
        brake.check()

    called = dict(arguments)
    shows_steps = "callback_on_step_end" in inspect.signature(pipeline.__call__).parameters
    if shows_steps:

        def after_step(inner: Any, index: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            step(index + 1, getattr(inner, "num_timesteps", None) or called["num_inference_steps"], tensors["latents"])
            return {}

        called["callback_on_step_end"] = after_step
    else:
        pipeline.progress_bar = lambda iterable=None, total=None: _Bar(iterable, total, step)
    try:
        brake.check()
        return Outcome(finish(pipeline(**called)))
    except _Halt:
        return Outcome(stopped=True)
    except Exception as error:  # noqa: BLE001 - whatever a pipeline raises is told by its meaning
        return Outcome(trouble=classify(error), text=f"{error}\n\n{traceback.format_exc(limit=-12)}")
    finally:
        if not shows_steps:
            del pipeline.progress_bar


class _Pace:
    """Keeps Python at most one step ahead of the GPU.

    A step is over for Python once it is queued: without this, progress would be told before it is made, and a stop
    would wait for everything that was queued before it.
    """

    def __init__(self, device: Any) -> None:
        self._runs_ahead = device.type == "cuda"
        self._last: Any = None

    def keep(self) -> None:
        if not self._runs_ahead:
            return
        if self._last is not None:
            self._last.synchronize()
        self._last = torch.cuda.Event()
        self._last.record()


class _Bar:
    """Stands in for the progress bar of a pipeline that has no other way to tell its steps."""

    def __init__(self, iterable: Iterable[Any] | None, total: int | None, step: Callable[[int, int], None]) -> None:
        self._items = list(iterable) if iterable is not None else []
        self._total = total if total is not None else len(self._items)
        self._step = step
        self._number = 0

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            yield item
            self.update()

    def update(self, count: int = 1) -> None:
        self._number += count
        self._step(self._number, self._total)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None
