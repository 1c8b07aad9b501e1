"""A worker as a process: its name on this host, its probes, its end."""

import asyncio
import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TextIO

from shared.artifacts import open_artifacts
from shared.contracts.scene import Stage
from shared.generator import DeviceLost, Generator, OnLoad
from shared.health import serve_health
from shared.logs import get_logger
from shared.settings import check_bind
from shared.worker import Worker, WorkerSettings

try:
    import uvloop
except ImportError:
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run
else:
    run = uvloop.run

DEVICE_LOST = 70  #: exit code: nothing is wrong with the settings, and another start may well do

log = get_logger(__name__)


def run_worker(
    stage: Stage, settings: WorkerSettings, host: str, port: int, make_generator: Callable[[OnLoad], Generator]
) -> None:
    """Be a worker for `stage` until a signal ends it.

    Raises `SettingsError` before anything starts, or where the generator cannot be loaded. Ends the process with
    `DEVICE_LOST` where its device cannot be used any more.
    """
    check_bind(f"{stage.upper()}_WORKER_HOST", host, settings)
    name, lock = own_name(settings.worker_name or f"{stage}@{socket.gethostname()}")
    artifacts = open_artifacts(settings.artifacts_url)

    async def serve() -> None:
        worker = Worker(stage, make_generator, settings, name, artifacts)
        log.info("worker_started", worker=name)
        with serve_health(host, port, settings.token, lambda: worker.trouble):
            await worker.run()
        log.info("worker_ended", worker=name)

    with lock:
        try:
            run(serve())
        except DeviceLost as error:
            log.error("device_lost", worker=name, error=str(error))
            # A library whose device is gone may hang in a tidy end.
            os._exit(DEVICE_LOST)
    # A generator that never listened would hold the interpreter back for ever.
    os._exit(0)


def own_name(wanted: str) -> tuple[str, TextIO]:
    """A name that no other worker on this host uses, and the lock that holds it.

    A worker that is started again after a crash gets the same name, since the kernel has freed its
    lock; two that run side by side never do. Coordinators rely on both.
    """
    number = 1
    while True:
        name = wanted if number == 1 else f"{wanted}-{number}"
        safe = "".join(c if c.isalnum() or c in "-_.@" else "_" for c in name)
        lock = (Path(tempfile.gettempdir()) / f"videogen-{os.getuid()}-{safe}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            number += 1
        else:
            return name, lock
