"""`make run` and `make demo` as processes: what dies comes back, and what is stopped is gone."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from scripts.broker import PORTS
from scripts.ports import free_block
from tests.fixtures.stack import ROOT, eventually

PROGRAMS = {
    "broker": "scripts.broker",
    "coordinator": "services.coordinator",
    "notifier": "services.notifier",
    "image-worker": "services.image_worker",
    "video-worker": "services.video_worker",
}


@dataclass
class Run:
    """A `make run` with its own folder and ports."""

    var: Path
    environment: dict[str, str]
    output: Path
    process: subprocess.Popen[bytes]

    def says(self, text: str) -> bool:
        return text in self.output.read_text()

    def wait_until_running(self) -> None:
        def running() -> bool:
            assert self.process.poll() is None, self.output.read_text()
            return self.says("Ctrl-C stops everything")

        eventually(running, within_s=90, what="the stack being up")

    def interrupt(self) -> None:
        """Ctrl-C in a terminal reaches every process of the foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def processes(self) -> dict[int, str]:
        """Everything that was started by this stack, by the folder in its environment or arguments."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                if str(self.var).encode() in (process / "environ").read_bytes() + command:
                    found[int(process.name)] = command.replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def pid(self, module: str) -> int | None:
        return next((pid for pid, command in self.processes().items() if f" -m {module}" in command), None)

    def ready(self) -> bool:
        ports = (self.environment["COORDINATOR_PORT"], self.environment["NOTIFIER_PORT"])
        try:
            return all(httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200 for port in ports)
        except httpx.TransportError:
            return False


@contextmanager
def running_stack(folder: Path, **more: str) -> Iterator[Run]:
    services, broker = free_block(4), free_block(PORTS)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.endswith("_URL")},
        "COORDINATOR_PORT": str(services),
        "NOTIFIER_PORT": str(services + 1),
        "IMAGE_WORKER_PORT": str(services + 2),
        "VIDEO_WORKER_PORT": str(services + 3),
        "BROKER_PORT": str(broker),
        "MIN_FREE_BYTES": "0",
        **more,
    }
    var, output = folder / "var", folder / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.stack", "run", "--var", str(var)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Run(var, environment, output, process)
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def studio_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with running_stack(tmp_path_factory.mktemp("stack")) as run:
        run.wait_until_running()
        yield run


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_killed_is_started_again(studio_run: Run, program: str) -> None:
    module = PROGRAMS[program]
    before = eventually(lambda: studio_run.pid(module) or 0, what=f"{program} running")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: studio_run.pid(module) not in (None, before), within_s=30, what=f"{program} running again")
    eventually(studio_run.ready, within_s=30, what="coordinator and notifier being ready again")
    eventually(lambda: studio_run.says(f"stack: {program} "), what="a word about it")


def test_a_second_start_says_that_it_runs_already(studio_run: Run) -> None:
    second = [sys.executable, "-m", "scripts.stack", "run", "--var", str(studio_run.var)]
    done = subprocess.run(second, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"already running here (process {studio_run.process.pid})" in done.stderr


def test_a_taken_port_is_named_with_its_setting(studio_run: Run, tmp_path: Path) -> None:
    port = studio_run.environment["NOTIFIER_PORT"]
    with running_stack(tmp_path, NOTIFIER_PORT=port) as run:
        assert run.process.wait(30) == 1
        assert run.says(f"Port {port} is taken by another program: set NOTIFIER_PORT")


def test_a_service_that_cannot_start_ends_the_stack_with_its_reason(tmp_path: Path) -> None:
    with running_stack(tmp_path, LOG_LEVEL="loud") as run:
        assert run.process.wait(60) == 1
        assert run.says("LOG_LEVEL")
        eventually(lambda: run.processes() == {}, what="no process left")


def test_ctrl_c_stops_everything_once_however_often_it_is_pressed(tmp_path: Path) -> None:
    with running_stack(tmp_path) as run:
        run.wait_until_running()
        assert len(run.processes()) > len(PROGRAMS)
        run.interrupt()
        eventually(lambda: run.says("stopping"), what="the first Ctrl-C being heard")
        run.interrupt()
        assert run.process.wait(60) == 0
        assert run.output.read_text().count("everything has stopped") == 1
        assert run.processes() == {}


def test_nothing_runs_on_when_the_stack_itself_is_killed(tmp_path: Path) -> None:
    with running_stack(tmp_path) as run:
        run.wait_until_running()
        run.process.kill()
        eventually(lambda: run.processes() == {}, within_s=40, what="no process left")


@pytest.mark.timeout(360)
def test_the_demo_counts_what_was_really_made(tmp_path: Path) -> None:
    story, out = tmp_path / "story.txt", tmp_path / "out"
    story.write_text("A lighthouse wakes at dusk. Its keeper counts the boats.")
    # On ports of its own: at its usual ones, the demo of another test run may start at the same moment.
    ports = f"s.DEMO_PORT, s.broker.DEFAULT_PORT = {free_block(4)}, {free_block(20)}"
    start = f"import scripts.stack as s; {ports}; exit(s.main())"
    command = [sys.executable, "-c", start, "demo", "--story", str(story), "--out", str(out)]
    environment = {**os.environ, "MIN_FREE_BYTES": "0"}
    done = subprocess.run(
        [*command, "--var", str(tmp_path / "var")],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"demo: 2 sentences, 2 images, 2 videos, 0 failed, \d+\.\d s", done.stdout.splitlines()[-1]), (
        done.stdout
    )
    assert len(list(out.rglob("*.mp4"))) == 2
