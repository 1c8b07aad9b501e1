"""The coordinator: the database, the state of every run, and the REST API."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from services.coordinator.advance import Advance
from services.coordinator.collect import Collector
from services.coordinator.consumer import Consumer
from services.coordinator.door import Door, listed
from services.coordinator.leases import Ticks
from services.coordinator.outbox import Relay
from services.coordinator.page import Page
from services.coordinator.presence import Presence
from services.coordinator.problems import answer_errors
from services.coordinator.purge import Purger
from services.coordinator.routes import api, probes
from services.coordinator.settings import CoordinatorSettings
from services.coordinator.store.database import Database, DatabaseInUse, Unavailable
from services.coordinator.store.outbox import Sent
from shared.artifacts import Bucket, open_artifacts
from shared.bus import Bus
from shared.logs import configure_logs, get_logger
from shared.settings import SettingsError, check_bind, load

log = get_logger(__name__)


def make_app(settings: CoordinatorSettings, database: Database) -> FastAPI:
    """The whole coordinator as an ASGI app; its parts run from start-up to shut-down. Raises `SettingsError`."""
    presence = Presence()
    artifacts = open_artifacts(settings.artifacts_url, settings.artifacts_public_endpoint)
    parts: dict[str, Relay | Purger | Consumer] = {}

    def hand_over(sent: Sequence[Sent]) -> None:
        if isinstance(relay := parts.get("relay"), Relay):
            relay.hand_over(sent)

    def wake_purger() -> None:
        if isinstance(purger := parts.get("purger"), Purger):
            purger.wake()

    def ready() -> str | None:
        consumer = parts.get("consumer")
        return None if isinstance(consumer, Consumer) and consumer.connected else "not connected to RabbitMQ"

    advance = Advance(database, settings.window, hand_over)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        async with Bus(settings.amqp_url, "coordinator") as bus:
            ticks = Ticks(bus, advance, presence, artifacts, settings)
            relay = parts["relay"] = Relay(database, bus)
            purger = parts["purger"] = Purger(database, bus)
            collector = Collector(database, artifacts, settings)
            consumer = parts["consumer"] = Consumer(bus, advance, presence, ticks.restart)
            loops = [relay.run, purger.run, ticks.run, collector.run]
            loops += [consumer.results, consumer.questions, consumer.presence]
            tasks = [asyncio.create_task(_guarded(loop.__qualname__, loop)) for loop in loops]
            try:
                yield
            finally:
                await _end(tasks, settings.stop_s)

    app = FastAPI(
        title="VideoGen Studio",
        version=version("videogen-studio"),
        lifespan=running,
        # FastAPI's pages of documentation load scripts from a server that the operator did not name.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    answer_errors(app)
    app.include_router(api(advance, presence, settings, artifacts, wake_purger))
    app.include_router(probes(ready))
    page = Path(settings.page_folder)
    if page.is_dir():
        app.mount("/", Page(page, artifacts.origin if isinstance(artifacts, Bucket) else ""))
    app.add_middleware(Door, settings=settings)
    if origins := listed(settings.allowed_origins):
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_credentials=True,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Range", "If-None-Match"],
        )
    return app


async def _end(tasks: Iterable[asyncio.Task[None]], within_s: float) -> None:
    """Cancel until they have ended: a library that waits for a broker can swallow a cancellation."""
    loop = asyncio.get_running_loop()
    deadline, pending = loop.time() + within_s, set(tasks)
    while pending and loop.time() < deadline:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1)
    for task in pending:
        log.error("part_did_not_end", part=task.get_name())


_failed_parts: list[str] = []  #: of this process; it ends with another code then


async def _guarded(name: str, loop: object) -> None:
    """A part that ends by a mistake of ours ends the process: the supervisor starts a sound one."""
    try:
        await loop()  # type: ignore[operator]
    except asyncio.CancelledError:
        raise
    except BaseException:
        log.exception("part_failed", part=name)
        _failed_parts.append(name)
        signal.raise_signal(signal.SIGTERM)
        raise


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m services.coordinator",
        description=__doc__,
        epilog="Settings are environment variables: "
        + ", ".join(name.upper() for name in CoordinatorSettings.model_fields),
    )
    parser.parse_args()
    try:
        settings = load(CoordinatorSettings)
        configure_logs("coordinator", settings.log_level)
        check_bind("COORDINATOR_HOST", settings.coordinator_host, settings)
        database = Database(settings.database_url)
        database.open()
        app = make_app(settings, database)
    except (SettingsError, DatabaseInUse, ValueError) as error:
        print(f"coordinator: {error}", file=sys.stderr)
        return 2
    except Unavailable as error:
        print(f"coordinator: the database does not answer: {error}", file=sys.stderr)
        return 3
    # What was loaded lives for ever, and a large storyboard is many objects and no garbage: looking
    # through all of them again and again took a third of the time of every large request.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    config = uvicorn.Config(
        app,
        host=settings.coordinator_host,
        port=settings.coordinator_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # The server raises what it caught once more after its clean end, which would then not be one.
        signal.signal(number, lambda *_: None)
    try:
        uvicorn.Server(config).run()
    finally:
        database.close()
    return 1 if _failed_parts else 0


if __name__ == "__main__":
    sys.exit(main())
