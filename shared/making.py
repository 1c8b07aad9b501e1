"""What happens to a job in the generator's thread: its image is read, the generator works, the file is stored.

Files are read and stored in the same thread: each way to another one takes half a millisecond.
"""

import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from prometheus_client import Histogram
from pydantic import ValidationError

from shared.artifacts import ENDINGS, ArtifactMissing, Artifacts
from shared.contracts.claims import Granted
from shared.contracts.commands import GenerateImage, GenerateVideo
from shared.contracts.scene import Artifact, Failure, Fits, Stage
from shared.faults import crash_point
from shared.generator import Cancelled, GenerationFailed, Generator, Job, OnStep, Rendered, SharesDevice, Stopped
from shared.logs import get_logger

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)
DETAIL = 4_000  #: characters of technical text; every snapshot carries that of each failed scene
ASK_AGAIN_S = 2  #: of a storage that failed
LISTEN_S = 0.1  #: between two looks whether the job was cancelled meanwhile

log = get_logger(__name__)
generation_seconds = Histogram("videogen_generation_seconds", "Time in the generator", ["stage"], buckets=SECONDS)
handover_seconds = Histogram(
    "videogen_handover_seconds", "End of one generation to the start of the next", ["stage"], buckets=SECONDS
)

Command = GenerateImage | GenerateVideo
T = TypeVar("T")


@dataclass(slots=True)
class Maker:
    """A loaded generator with the storage that it works for. Every method is for the generator's thread."""

    stage: Stage
    generator: Generator
    artifacts: Artifacts
    patience_s: float  #: for a full disk to be emptied, or a bucket to answer
    wait_for: Callable[[str], None]  #: told what holds the job up, and "" when nothing does any more
    _on_device: bool = True  #: the model is where it can be used
    _ended_at: float | None = None

    def make(self, command: Command, granted: Granted, on_step: OnStep, cancelled: Cancelled) -> Artifact:
        """Make and store what was granted. Raises `Stopped`, `GenerationFailed`, `DeviceLost`, and whatever the
        generator raises."""
        job = self._job(command, granted, cancelled)
        start = time.monotonic()
        if self._ended_at is not None:
            handover_seconds.labels(self.stage).observe(start - self._ended_at)
        try:
            if not self._on_device and isinstance(self.generator, SharesDevice):
                self.generator.take_device()
                self._on_device = True
            rendered = self.generator.generate(job, on_step, cancelled)
        finally:
            self._ended_at = time.monotonic()
            generation_seconds.labels(self.stage).observe(self._ended_at - start)
        crash_point("worker.before_store")
        return self._store(command, rendered, cancelled)

    def leave_device(self) -> None:
        """Move the model away, where it can be; the next job brings it back."""
        if self._on_device and isinstance(self.generator, SharesDevice):
            self.generator.leave_device()
            self._on_device = False

    def _job(self, command: Command, granted: Granted, cancelled: Cancelled) -> Job:
        source = None
        if granted.source is not None:
            key = granted.source.key
            failed = "The image that this video starts from could not be read"
            try:
                source = self._patiently(failed, cancelled, lambda: self.artifacts.read(key))
            except ArtifactMissing as error:
                message = "The image that this video starts from is missing; make the image again."
                raise GenerationFailed("image_missing", message, retryable=False, detail=str(error)) from error
        asked = granted.input
        return Job(
            scene_id=command.scene_id,
            stage=self.stage,
            attempt=command.attempt,
            number=granted.number,
            title=asked.title,
            text=asked.text,
            prompt=asked.prompt,
            style=asked.style,
            seed=asked.seed,
            width=asked.size.width,
            height=asked.size.height,
            seconds=asked.size.seconds,
            fps=asked.size.fps,
            source=source,
        )

    def _store(self, command: Command, rendered: Rendered, cancelled: Cancelled) -> Artifact:
        ending = ENDINGS[rendered.media_type]
        key = f"{command.project_id}/{command.scene_id}/{self.stage}-{command.attempt}-{uuid4().hex[:8]}.{ending}"
        failed = f"The finished {self.stage} could not be stored"
        self._patiently(failed, cancelled, lambda: self.artifacts.put(key, rendered.data))
        return Artifact(
            key=key,
            media_type=rendered.media_type,
            size=len(rendered.data),
            width=rendered.width,
            height=rendered.height,
            seconds=rendered.seconds,
        )

    def _patiently(self, failed: str, cancelled: Cancelled, do: Callable[[], T]) -> T:
        """Read or store a file. A full disk, or a bucket that does not answer, is waited for: what a generator
        made is not thrown away. `failed` is what to tell the creator when patience ends."""
        deadline = time.monotonic() + self.patience_s
        waited = False
        try:
            while True:
                try:
                    return do()
                except OSError as error:
                    if time.monotonic() > deadline:
                        message = f"{failed}: {error.strerror}."
                        raise GenerationFailed("storage_failed", message, retryable=True, detail=str(error)) from error
                    log.error("storage_failed", error=str(error))
                    waited = True
                    self.wait_for(f"waiting for the storage: {error.strerror}")
                    again_at = time.monotonic() + ASK_AGAIN_S
                    while time.monotonic() < again_at:
                        if cancelled():
                            raise Stopped from error
                        time.sleep(LISTEN_S)
        finally:
            if waited:
                self.wait_for("")


def describe(error: Exception) -> tuple[Failure, bool]:
    """What to tell the creator about an error, and whether another attempt makes sense."""
    if isinstance(error, GenerationFailed):
        cause, fits = _code(error.cause), _fits(error)
        return Failure(
            cause=cause, message=error.message[:1000], detail=error.detail[:DETAIL], fits=fits
        ), error.retryable
    detail = "".join(traceback.format_exception(error))[-DETAIL:]
    message = f"The generator stopped with an unexpected error: {in_short(error)}"
    return Failure(cause="generator_error", message=message[:1000], detail=detail), True


def in_short(error: Exception) -> str:
    """For one line of a log or of the page."""
    return f"{type(error).__name__}: {error}"


def _code(cause: str) -> str:
    """A generator of somebody's own may call its causes what it likes; a reason must never be lost for its name."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cause).lower()
    return re.sub(r"[^a-z0-9]+", "_", words).lstrip("_0123456789")[:64].rstrip("_") or "generator_error"


def _fits(error: GenerationFailed) -> Fits | None:
    if error.fits is None:
        return None
    try:
        return Fits(width=error.fits[0], height=error.fits[1])
    except ValidationError:
        log.warning("size_cannot_be_offered", fits=error.fits)
        return None
