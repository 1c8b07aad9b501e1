"""Wires the notifier: the bus, the sockets, and what keeps them in time."""

import asyncio
import inspect
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from services.notifier.connections import Connections
from services.notifier.consumer import Consumer
from services.notifier.server import Server
from services.notifier.settings import NotifierSettings
from shared.bus import Bus
from shared.logs import configure_logs, get_logger
from shared.settings import ServiceSettings, SettingsError, check_bind, load

try:
    import uvloop
except ImportError:
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run
else:
    run = uvloop.run

OTHER_FILES = 100  #: open files beside the sockets

log = get_logger(__name__)


async def serve(settings: NotifierSettings) -> None:
    """Until SIGTERM or SIGINT. Raises `SettingsError` before anything starts."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    connections = Connections(settings.max_unsent_bytes)
    async with Bus(settings.amqp_url, "notifier") as bus:
        consumer = Consumer(bus, connections)
        server = Server(settings, connections, consumer.trouble)
        await server.open()
        try:
            async with asyncio.TaskGroup() as group:
                work = (consumer.status(), consumer.presence(), connections.keep_time(), connections.sweep())
                tasks = [group.create_task(each) for each in work]
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, stop.set)
                await stop.wait()
                log.info("leaving", sockets=len(connections))
                # Neither a broker that hangs nor anything unforeseen may hold the end back.
                loop.call_later(settings.stop_s, os._exit, 1)
                await server.close()
                for task in tasks:
                    task.cancel()
        finally:
            await server.close()
    log.info("ended")


def allow_open_files(sockets: int) -> None:
    """Raise this process's own limit if need be. Raises `SettingsError` where the system forbids it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = sockets + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise SettingsError(f"MAX_SOCKETS={sockets} needs {needed} open files and the system allows {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def usage() -> str:
    """The variables this service reads, with their defaults and the remarks beside them in the source."""
    remarks: dict[str, str] = {}
    for settings in (ServiceSettings, NotifierSettings):
        remarks |= re.findall(r"^    (\w+): .*?#: (.*)$", inspect.getsource(settings), re.MULTILINE)
    lines = ["python -m services.notifier: hands status events to browsers over WebSocket.", "", "Environment:"]
    for name, variable in NotifierSettings.model_fields.items():
        default = "" if variable.default is None else f"[{variable.default}]"
        lines.append(f"  {name.upper():<18} {remarks.get(name, '')} {default}".rstrip())
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """0: ended by a signal. 1: failed. 2: the settings are wrong."""
    if arguments:
        print(usage())
        return 0 if arguments[0] in ("-h", "--help") else 2
    try:
        settings = load(NotifierSettings)
        check_bind("NOTIFIER_HOST", settings.notifier_host, settings)
        allow_open_files(settings.max_sockets)
        configure_logs("notifier", settings.log_level)
        run(serve(settings))
    except SettingsError as error:
        print(f"notifier: {error}", file=sys.stderr)
        return 2
    except Exception:
        log.exception("failed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
