"""What a generator is: the one thing a worker runs, and the words it is spoken to in.

A generator knows nothing of the bus, of claims or of storage. It turns a `Job` into a `Rendered`
file, tells how far it is, and stops soon after it is asked to.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from uuid import UUID

from shared.contracts.scene import Stage
from shared.settings import SettingsError


@dataclass(frozen=True, slots=True)
class Job:
    """Everything a generator needs to make one scene's image or video: frozen at the press."""

    scene_id: UUID
    stage: Stage
    attempt: int  #: 1 for the first try of this stage; must not change the result
    number: int  #: place of the sentence in the story, from 1
    title: str  #: of the project
    text: str  #: the sentence as it is read
    prompt: str  #: what to draw; the sentence itself where the creator wrote no prompt
    style: str  #: of the project, free text, may be empty
    seed: int  #: 0 .. 2**63-1, the same for every attempt
    width: int  #: pixels
    height: int  #: pixels
    seconds: float  #: length of the video
    fps: int  #: frames per second of the video
    source: bytes | None = None  #: stage `video`: the image file to start from


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished file, measured from the output and not copied from the request."""

    data: bytes
    media_type: str  #: such as `image/png`, `video/mp4`
    width: int
    height: int
    seconds: float | None = None  #: of a video


#: Called with the finished fraction, 0 to 1, after every step.
OnStep = Callable[[float], None]

#: Called with a JPEG of at most `PREVIEW_BYTES` of what the job in hand will look like.
OnPreview = Callable[[bytes], None]

PREVIEW_BYTES = 16_384

#: True once the job should stop; asked between steps.
Cancelled = Callable[[], bool]


class Stopped(Exception):
    """The generator stopped because it was asked to; there is no result."""


class GenerationFailed(Exception):
    """This job cannot be made; says why, for the creator and for the retry decision."""

    def __init__(
        self, cause: str, message: str, *, retryable: bool, detail: str = "", fits: tuple[int, int] | None = None
    ) -> None:
        super().__init__(message)
        self.cause = cause  #: snake_case code that failures are grouped by
        self.message = message  #: one sentence for the creator
        self.retryable = retryable  #: False where the same job would fail the same way
        self.detail = detail  #: technical text to copy into a report
        self.fits = fits  #: width and height in pixels, both even, that the job would fit in; offered for the retry


class DeviceLost(Exception):
    """The device cannot be used any more by this process: the job goes back, and the process ends with its own code.

    CUDA says so itself: after an illegal access or a failed assertion every later call fails, too.
    """


class StandsStill(DeviceLost):
    """The generator tells no progress any more, and does not listen; only the end of the process frees the device."""


#: Called while a generator is made: how many parts are loaded, of how many, and what comes next.
OnLoad = Callable[[int, int, str], None]


class Generator(Protocol):
    """Made once per worker process and used for one job at a time, in a thread of its own."""

    name: str  #: shown to the creator beside the worker, such as `animatic`

    def generate(self, job: Job, on_step: OnStep, cancelled: Cancelled) -> Rendered:
        """Make the job's file. Raises `Stopped` or `GenerationFailed`; anything else is retried."""
        ...


@runtime_checkable
class ShowsPreviews(Protocol):
    """A generator that can show what it is making; the worker sets where to, once."""

    on_preview: OnPreview


@runtime_checkable
class SharesDevice(Protocol):
    """A generator that can leave its device to another process between jobs and come back to it."""

    def leave_device(self) -> None:
        """Move the model to host memory."""
        ...

    def take_device(self) -> None:
        """Move the model back. Raises `GenerationFailed` where it does not fit any more."""
        ...


def load_generator(backend: str, settings: object, on_load: OnLoad) -> Generator:
    """A generator of the operator's own, named as `module:Class`. Raises `SettingsError`.

    Its constructor is given the worker's `settings` and `on_load` where it has parameters of these names.
    """
    module, _, name = backend.partition(":")
    if not module or not name:
        raise SettingsError(f"BACKEND={backend} is unknown: use animatic, or module:Class of a generator of your own")
    try:
        kind: Callable[..., Generator] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"BACKEND={backend} cannot be loaded: {error}") from error
    offered = {"settings": settings, "on_load": on_load}
    return kind(**{name: offered[name] for name in inspect.signature(kind).parameters if name in offered})
