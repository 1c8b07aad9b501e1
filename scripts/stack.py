"""The whole system on this machine: a private broker and the four services, supervised until Ctrl-C.

    python -m scripts.stack run
    python -m scripts.stack demo --story examples/story.txt --out demo-output

Settings are the services' own environment variables. `run` keeps its data in var/, `demo` in var/demo on other ports,
so that one can be shown while the other works.
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from scripts import broker
from scripts.ports import LOOPBACK, free_block, is_free
from scripts.supervision import Incident, Program, Supervision, supervision_left

ROOT = Path(__file__).resolve().parent.parent
DEMO_OUTPUT = ROOT / "demo-output"
DEMO_PORT = 8710
Port = Annotated[int, Field(ge=1024, le=65535)]


class StackError(Exception):
    """The stack cannot run; the text says why and what to do."""


class StackSettings(BaseSettings):
    """What the stack itself must know of the services' settings."""

    model_config = SettingsConfigDict(extra="ignore")

    amqp_url: str | None = None  #: a broker of yours, instead of a private one
    broker_port: Port = broker.DEFAULT_PORT
    database_url: str | None = None
    artifacts_url: str | None = None
    notifier_url: str | None = None  #: the socket's address, as browsers reach it
    worker_name: str = ""
    coordinator_host: str = LOOPBACK
    notifier_host: str = LOOPBACK
    coordinator_port: Port = 8700
    notifier_port: Port = 8701
    image_worker_port: Port = 8702
    video_worker_port: Port = 8703


class Stack:
    """The broker and the services, with their data in one folder that was claimed before."""

    def __init__(self, settings: StackSettings, var: Path) -> None:
        self.settings = settings
        self.var = var
        self.page_url = f"http://{_reachable(settings.coordinator_host)}:{settings.coordinator_port}"
        self.socket_url = f"ws://{_reachable(settings.notifier_host)}:{settings.notifier_port}"
        self.broker: broker.Broker | None = None
        if settings.amqp_url is None:
            self.broker = broker.Broker(var / "broker", free_block(broker.PORTS, settings.broker_port))
        self.environment = os.environ | self._services_environment()
        self._supervision = Supervision(var, self._programs(), self.environment, ROOT)

    def __enter__(self) -> Self:
        for name in ("coordinator_port", "notifier_port", "image_worker_port", "video_worker_port"):
            port = getattr(self.settings, name)
            if not is_free(port):
                raise StackError(f"Port {port} is taken by another program: set {name.upper()} to a free one.")
        self._supervision.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervision.stop()

    def wait_until_ready(self, stopping: threading.Event, say: Callable[[str], None]) -> None:
        """Returns when coordinator and notifier answer, or when somebody asked to stop.

        A service that cannot even start ends the stack with its reason; once all is up, every death is mended forever.
        """
        started = time.monotonic()
        waiting = {
            "coordinator": f"{self.page_url}/readyz",
            "notifier": f"{self.socket_url.replace('ws:', 'http:', 1)}/readyz",
        }
        while waiting and not stopping.wait(0.1):
            for incident in self.watch(say):
                if incident.given_up:
                    log = self._supervision.log(incident.program)
                    raise StackError(f"{incident.program} {incident.text}; the end of {log}:\n{_tail(log)}")
            for name in [name for name, url in waiting.items() if _answers(url)]:
                del waiting[name]
                say(f"{name} is ready after {time.monotonic() - started:.1f} s")

    def watch(self, say: Callable[[str], None]) -> list[Incident]:
        """Tell what died and came back; called about once a second."""
        if not self._supervision.is_running():
            raise StackError(f"The supervisor ended unexpectedly; see {self.var / 'log'}.")
        incidents = list(self._supervision.incidents())
        for incident in incidents:
            if not incident.given_up:
                say(f"{incident.program} {incident.text}; see {self._supervision.log(incident.program)}")
        return incidents

    def table(self) -> str:
        rows = {"page and API": self.page_url, "live updates": self.socket_url}
        if self.broker is not None:
            console = f"{self.broker.management_url}  user {broker.USER}, password in {self.broker.password_file}"
            rows["RabbitMQ console"] = console
        rows |= {name: self.environment[name.upper() + "_URL"] for name in ("database", "artifacts")}
        rows["logs"] = str(self.var / "log")
        return "\n".join(f"  {name:<18}{value}" for name, value in rows.items())

    def _services_environment(self) -> dict[str, str]:
        settings = self.settings
        return {
            "AMQP_URL": settings.amqp_url or (self.broker.url if self.broker else ""),
            "DATABASE_URL": settings.database_url or f"sqlite:///{self.var / 'studio.db'}",
            "ARTIFACTS_URL": settings.artifacts_url or str(self.var / "artifacts"),
            "NOTIFIER_URL": settings.notifier_url or self.socket_url,
            "VIDEOGEN_URL": self.page_url,  # where the command-line client looks
            "COORDINATOR_PORT": str(settings.coordinator_port),
            "NOTIFIER_PORT": str(settings.notifier_port),
            "IMAGE_WORKER_PORT": str(settings.image_worker_port),
            "VIDEO_WORKER_PORT": str(settings.video_worker_port),
            "PYTHONUNBUFFERED": "1",
        }

    def _programs(self) -> list[Program]:
        python = (sys.executable, "-m")
        programs = []
        if self.broker is not None:
            where = ("--data", str(self.broker.data), "--port", str(self.broker.port))
            programs.append(Program("broker", (*python, "scripts.broker", "run", *where), group=1))
        # Workers stop first, so that the coordinator still hears what becomes of their jobs.
        programs += [Program(name, (*python, f"services.{name}"), group=2) for name in ("coordinator", "notifier")]
        for kind, port in (("image", self.settings.image_worker_port), ("video", self.settings.video_worker_port)):
            # The same name after a restart, and another one for another stack on this machine.
            name = f"{self.settings.worker_name or socket.gethostname()}-{kind}-{port}"
            command = ("env", f"WORKER_NAME={name}", *python, f"services.{kind}_worker")
            programs.append(Program(f"{kind}-worker", command, group=3))
        return programs


def claim(var: Path, *, fresh: bool = False) -> None:
    """Make this folder ours until this process ends, and empty it if asked."""
    var.mkdir(parents=True, exist_ok=True)
    lock = os.open(var / "stack.lock", os.O_RDWR | os.O_CREAT, 0o600)  # left open on purpose: it is the claim
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StackError(f"It is already running here ({os.read(lock, 50).decode()}): Ctrl-C there stops it.") from None
    os.truncate(lock, 0)
    os.write(lock, f"process {os.getpid()}".encode())
    if supervision_left(var):
        _say("a killed predecessor still stops; waiting for it")
        while supervision_left(var):
            time.sleep(0.2)
    if fresh:
        for entry in var.iterdir():
            if entry.name != "stack.lock":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def run(var: Path) -> int:
    stopping = _stop_on_signals()
    claim(var)
    with Stack(StackSettings(), var) as stack:
        _say("starting; the first time takes longest")
        stack.wait_until_ready(stopping, _say)
        if not stopping.is_set():
            print(f"\nVideoGen Studio is running.\n\n{stack.table()}\n\nCtrl-C stops everything.\n", flush=True)
        while not stopping.wait(1):
            stack.watch(_say)
        _say("stopping; a worker gets up to 30 s to hand its job back")
    _say("everything has stopped")
    return 0


def demo(var: Path, story: Path, out: Path) -> int:
    if not story.is_file():
        raise StackError(f"There is no story at {story}.")
    stopping = _stop_on_signals()
    claim(var, fresh=True)
    if out.resolve() == DEMO_OUTPUT:
        shutil.rmtree(out, ignore_errors=True)  # the demo's own folder: files of another story would mix with these
    with Stack(_demo_settings(), var) as stack:
        stack.wait_until_ready(stopping, _say)
        summary = {} if stopping.is_set() else _generate(stack, story.resolve(), out.resolve(), stopping)
        _say("stopping")
    if not summary:
        print("demo: interrupted" if stopping.is_set() else "demo: failed before the end", flush=True)
        return 130 if stopping.is_set() else 1
    counts = ", ".join(f"{summary[name]} {name}" for name in ("sentences", "images", "videos", "failed"))
    print(f"demo: {counts}, {summary['seconds']:.1f} s", flush=True)
    complete = summary["sentences"] == summary["images"] == summary["videos"] > 0
    return 0 if complete and summary["failed"] == 0 else 1


def _generate(stack: Stack, story: Path, out: Path, stopping: threading.Event) -> Mapping[str, float]:
    """What the command-line client counted; nothing when it did not come to an end."""
    result = stack.var / "summary.json"
    client = subprocess.Popen(
        [sys.executable, "-m", "client", "generate", story, "--yes", "--out", out, "--summary-json", result],
        cwd=ROOT,
        env=stack.environment,
    )
    while client.poll() is None and not stopping.is_set():
        stack.watch(_say)
        stopping.wait(0.2)
    if client.poll() is None:
        client.terminate()
    client.wait()
    summary: dict[str, float] = json.loads(result.read_text()) if result.exists() else {}
    return summary


def _demo_settings() -> StackSettings:
    first = free_block(4, DEMO_PORT)
    return StackSettings(
        database_url=None,
        artifacts_url=None,
        notifier_url=None,
        coordinator_host=LOOPBACK,
        notifier_host=LOOPBACK,
        broker_port=broker.DEFAULT_PORT + 10,
        coordinator_port=first,
        notifier_port=first + 1,
        image_worker_port=first + 2,
        video_worker_port=first + 3,
    )


def _stop_on_signals() -> threading.Event:
    """Set by the first Ctrl-C; later ones change nothing, because everything already stops as fast as it safely can."""
    stopping = threading.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(wanted, lambda *_: stopping.set())
    return stopping


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own http:// address
            return bool(answer.status == 200)
    except OSError:
        return False


def _reachable(host: str) -> str:
    return LOOPBACK if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound


def _tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else f"(nothing in {log})"


def _say(text: str) -> None:
    print(f"stack: {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.stack", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="start everything and stay until Ctrl-C")
    run_parser.add_argument("--var", type=Path, default=ROOT / "var", help="data folder")
    demo_parser = commands.add_parser("demo", help="start everything, generate one story, stop")
    demo_parser.add_argument("--var", type=Path, default=ROOT / "var" / "demo", help="data folder, emptied first")
    demo_parser.add_argument("--story", type=Path, default=ROOT / "examples" / "story.txt")
    demo_parser.add_argument("--out", type=Path, default=DEMO_OUTPUT)
    options = parser.parse_args()
    try:
        if options.command == "demo":
            return demo(options.var, options.story, options.out)
        return run(options.var)
    except (StackError, broker.BrokerError) as error:
        print(f"stack: {error}", file=sys.stderr)
    except ValidationError as error:
        for wrong in error.errors():
            print(f"stack: {'.'.join(map(str, wrong['loc'])).upper()}: {wrong['msg']}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
