"""The scripted generator: does what the words in the prompt say. For tests, benches and end-to-end runs.

    take:0.5          works for half a second, in steps of 20 ms
    fail:bad_prompt   fails for good with this cause
    flaky:2           fails the first two attempts with an error worth retrying
    crash             kills its process (crash:2 - only in the first two attempts)
    hang              never ends and does not listen
    boom              raises something nobody expected

Every start and end is written to the file SCRIPTED_LOG as a JSON line, by the generator itself, so a
test can see what really ran, and when two ran at once.
"""

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
from shared.generator import Cancelled, GenerationFailed, Job, OnStep, Rendered, Stopped

STEP_S = 0.02
PROCESS = uuid4().hex  #: told from all others, also where every container has a process 1


class Scripted:
    name = "scripted"

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
        if "boom" in words:
            raise ZeroDivisionError("an unexpected error")
        while "hang" in words:
            time.sleep(1)
        if "flaky" in words and job.attempt <= int(words["flaky"]):
            raise GenerationFailed("flaky", "It failed, and may work the next time.", retryable=True)
        if "fail" in words:
            raise GenerationFailed(words["fail"], "It will never work.", retryable=False, detail="scripted")
        take_s = float(words.get("take", os.environ.get("SCRIPTED_TAKE_S", "0")) or 0)
        started = time.monotonic()
        while (spent := time.monotonic() - started) < take_s:
            if cancelled():
                raise Stopped
            time.sleep(min(STEP_S, take_s - spent))
            on_step(min(1.0, (time.monotonic() - started) / take_s))
        on_step(1.0)

    def _log(self, what: str, job: Job) -> None:
        path = os.environ.get("SCRIPTED_LOG")
        if not path:
            return
        line: dict[str, Any] = {
            "what": what,
            "stage": job.stage,
            "scene_id": str(job.scene_id),
            "attempt": job.attempt,
            "number": job.number,
            "text": job.text,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "process": PROCESS,
            "at": time.monotonic(),
        }
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _words(job: Job) -> dict[str, str]:
    """`stage/word:value`; a word without a stage counts for both."""
    found = {}
    for word in job.prompt.split():
        stage, slash, rest = word.rpartition("/")
        if slash and stage != job.stage:
            continue
        name, _, value = rest.partition(":")
        if re.fullmatch("take|fail|flaky|crash|hang|boom", name):
            found[name] = value
    return found


def _png(seed: int) -> bytes:
    """A real picture of 8 x 8 pixels in one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    colour = bytes((seed & 255, seed >> 8 & 255, seed >> 16 & 255))
    rows = b"".join(b"\x00" + colour * 8 for _ in range(8))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
