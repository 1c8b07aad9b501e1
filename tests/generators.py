"""The scripted generator: does what the words in the prompt say. For tests, benches and end-to-end runs.

    take:0.5          works for half a second, in steps of 20 ms
    fail:bad_prompt   fails for good with this cause
    late:bad_end      the same, when it has worked
    oom:832x480       fails for good where more pixels than these are asked for
    flaky:2           fails the first two attempts with an error worth retrying
    crash             kills its process (crash:2 - only in the first two attempts)
    lose              loses its device (lose:2 - only in the first two attempts)
    hang              never ends and does not listen
    boom              raises something nobody expected
    preview           shows a picture of one colour after every step, that of the finished image in the end

The file SCRIPTED_LOAD, where it is set, says how far loading may go: a number of its three parts, or why
it cannot go on. When it comes to its device and leaves it, it writes to the file SCRIPTED_DEVICE.

Every start and end is written to the file SCRIPTED_LOG as a JSON line, by the generator itself, so a
test can see what really ran, and when two ran at once.
"""

import io
import json
import os
import re
import signal
import socket
import struct
import time
import zlib
from pathlib import Path
from typing import Any
from uuid import uuid4

from shared.contracts.scene import Stage
from shared.generator import Cancelled, DeviceLost, GenerationFailed, Job, OnLoad, OnPreview, OnStep, Rendered, Stopped
from shared.settings import SettingsError

STEP_S = 0.02
PROCESS = uuid4().hex  #: told from all others, also where every container has a process 1


PARTS = ("text encoder", "model", "decoder")


class Scripted:
    name = "scripted"

    on_preview: OnPreview = staticmethod(lambda _: None)

    def __init__(self, on_load: OnLoad) -> None:
        for loaded, part in enumerate(PARTS):
            on_load(loaded, len(PARTS), part)
            while _allowed() <= loaded:
                time.sleep(STEP_S)
        self.take_device()

    def take_device(self) -> None:
        _note("SCRIPTED_DEVICE", {"what": "takes"})

    def leave_device(self) -> None:
        _note("SCRIPTED_DEVICE", {"what": "leaves"})

    def generate(self, job: Job, on_step: OnStep, cancelled: Cancelled) -> Rendered:
        self._log("start", job)
        try:
            self._act(job, on_step, cancelled)
        except BaseException as error:
            self._log("stopped" if isinstance(error, Stopped) else "failed", job)
            raise
        self._log("end", job)
        if job.stage is Stage.IMAGE:
            return Rendered(_png(job.seed), "image/png", 8, 8)
        assert job.source, "a video starts from an image"
        return Rendered(b"\x00\x00\x00\x18ftypmp42" + job.source[:64], "video/mp4", 8, 8, job.seconds)

    def _act(self, job: Job, on_step: OnStep, cancelled: Cancelled) -> None:
        words = _words(job)
        if "crash" in words and job.attempt <= int(words["crash"] or 1_000_000):
            os.kill(os.getpid(), signal.SIGKILL)
        if "lose" in words and job.attempt <= int(words["lose"] or 1_000_000):
            raise DeviceLost("an illegal memory access was encountered")
        if "boom" in words:
            raise ZeroDivisionError("an unexpected error")
        while "hang" in words:
            time.sleep(1)
        _fail(words, job)
        take_s = float(words.get("take", os.environ.get("SCRIPTED_TAKE_S", "0")) or 0)
        started = time.monotonic()
        while (spent := time.monotonic() - started) < take_s:
            if cancelled():
                raise Stopped
            time.sleep(min(STEP_S, take_s - spent))
            fraction = min(1.0, (time.monotonic() - started) / take_s)
            on_step(fraction)
            if "preview" in words:
                self.on_preview(_jpeg(job.seed, fraction))
        if "late" in words:
            raise GenerationFailed(words["late"], "It failed in the end.", retryable=False)
        on_step(1.0)

    def _log(self, what: str, job: Job) -> None:
        line = {
            "what": what,
            "stage": job.stage,
            "scene_id": str(job.scene_id),
            "attempt": job.attempt,
            "number": job.number,
            "text": job.text,
            "host": socket.gethostname(),
            "process": PROCESS,
        }
        _note("SCRIPTED_LOG", line)


def _fail(words: dict[str, str], job: Job) -> None:
    if "flaky" in words and job.attempt <= int(words["flaky"]):
        raise GenerationFailed("flaky", "It failed, and may work the next time.", retryable=True)
    if "oom" in words:
        width, height = map(int, words["oom"].split("x"))
        if job.width * job.height > width * height:
            message = f"The GPU has too little memory for {job.width} x {job.height}."
            raise GenerationFailed("out_of_memory", message, retryable=False, fits=(width, height))
    if "fail" in words:
        raise GenerationFailed(words["fail"], "It will never work.", retryable=False, detail="scripted")


def _note(variable: str, line: dict[str, Any]) -> None:
    path = os.environ.get(variable)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, "pid": os.getpid(), "at": time.monotonic()}) + "\n")


def _allowed() -> int:
    """How many parts may be loaded by now. Raises `SettingsError` with what the file says instead."""
    path = os.environ.get("SCRIPTED_LOAD")
    said = Path(path).read_text() if path else str(len(PARTS))
    if not said.isdecimal():
        raise SettingsError(said)
    return int(said)


def _words(job: Job) -> dict[str, str]:
    """`stage/word:value`; a word without a stage counts for both."""
    found = {}
    for word in job.prompt.split():
        stage, slash, rest = word.rpartition("/")
        if slash and stage != job.stage:
            continue
        name, _, value = rest.partition(":")
        if re.fullmatch("take|fail|late|oom|flaky|crash|lose|hang|boom|preview", name):
            found[name] = value
    return found


def _jpeg(seed: int, fraction: float) -> bytes:
    """From grey to the colour of `_png`."""
    from PIL import Image

    colour = tuple(round(128 + ((seed >> shift & 255) - 128) * fraction) for shift in (0, 8, 16))
    file = io.BytesIO()
    Image.new("RGB", (16, 9), colour).save(file, "JPEG")
    return file.getvalue()


def _png(seed: int) -> bytes:
    """A real picture of 8 x 8 pixels in one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    colour = bytes((seed & 255, seed >> 8 & 255, seed >> 16 & 255))
    rows = b"".join(b"\x00" + colour * 8 for _ in range(8))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
