"""Processes that run for as long as we do: started in order, started again when they die, stopped in reverse order.

The work is done by supervisord; here is its configuration, and a watch over it. supervisord gives a program up
(FATAL) that fails to start several times in a row. On a long night that is a trap: the watch starts it again.
Everything ends when its parent ends, even by SIGKILL: we, then supervisord, then the programs.
"""

import http.client
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

SUPERVISORD = (sys.executable, "-m", "supervisor.supervisord")
RPC_FACTORY = "supervisor.rpcinterface:make_main_rpcinterface"

# Seconds from one failed start to the next grow by one each time, up to this many; then the watch begins anew.
START_RETRIES = 3


@dataclass(frozen=True)
class Program:
    name: str
    command: Sequence[str]
    group: int  #: lower groups start first and stop last; within a group all at once


@dataclass(frozen=True)
class Incident:
    program: str
    text: str
    given_up: bool = False  #: supervisord would try no more; the watch does


def supervision_left(folder: Path) -> bool:
    """Whether a supervisord of an earlier start, whose parent was killed, is still stopping its programs."""
    try:
        return _runs(int((folder / "supervisord.pid").read_text()), folder / "supervisord.conf")
    except (OSError, ValueError):
        return False


def _runs(pid: int, configuration: Path) -> bool:
    """Whether this process is (still) a supervisord with that configuration."""
    try:
        return str(configuration) in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


class Supervision:
    """One supervisord in `folder` over `programs`."""

    def __init__(self, folder: Path, programs: Sequence[Program], environment: Mapping[str, str], cwd: Path) -> None:
        self.folder = folder
        self.programs = programs
        self.environment = dict(environment)
        self.cwd = cwd
        self.process: subprocess.Popen[bytes] | None = None
        self._pids: dict[str, int] = {}
        self._failing: set[str] = set()
        # A socket's path must be short, a checkout's need not be.
        self._run = Path(tempfile.mkdtemp(prefix="videogen-"))

    def start(self) -> None:
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        self._configuration_file.write_text(self._configuration())
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *SUPERVISORD, "-n", "-s", "-c", self._configuration_file],
            env=self.environment,
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # the terminal's Ctrl-C reaches us alone, and we stop them in order
        )

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def incidents(self) -> Iterator[Incident]:
        """What went wrong since the last look. Call it about once a second: this is the watch."""
        for info in self._states():
            name, pid, state = info["name"], info["pid"], info["statename"]
            if state == "FATAL":
                yield Incident(name, "ends again and again", given_up=True)
                self._ask("startProcess", f"{info['group']}:{name}", False)
            elif state == "BACKOFF" and name not in self._failing:
                self._failing.add(name)
                yield Incident(name, "ended soon after its start and is started again")
            elif state in ("STARTING", "RUNNING"):
                if self._pids.get(name, pid) != pid and name not in self._failing:
                    yield Incident(name, "ended and was started again")
                self._pids[name] = pid
                if state == "RUNNING" and name in self._failing:
                    self._failing.discard(name)
                    yield Incident(name, "runs again")

    def pid(self, program: str) -> int:
        return next((int(info["pid"]) for info in self._states() if info["name"] == program), 0)

    def log(self, program: str) -> Path:
        return self.folder / "log" / f"{program}.log"

    def stop(self) -> None:
        """Returns when the last process is gone. supervisord itself kills what does not end in time."""
        if self.process is not None and self.is_running():
            patience = time.monotonic() + 3
            while self._in_mid_start() and self.is_running() and time.monotonic() < patience:
                time.sleep(0.05)
            self.process.terminate()
            while self.is_running():
                self._ask("getState")  # its own loop turns once a second, and each step of stopping takes a turn
                time.sleep(0.1)
        shutil.rmtree(self._run, ignore_errors=True)

    def _states(self) -> list[dict[str, Any]]:
        states: list[dict[str, Any]] = self._ask("getAllProcessInfo") or []
        return states

    def _ask(self, method: str, *arguments: object) -> Any:
        """supervisord's answer, or None while it is not up yet or already stopping. A question also wakes its loop."""
        transport = SupervisorTransport(serverurl=f"unix://{self._socket}")
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return None
        finally:
            transport.close()

    def _in_mid_start(self) -> bool:
        """Whether a program is forked but not yet executed: a signal in that moment would be lost."""
        pids = [info["pid"] for info in self._states()]
        return not pids or any(_runs(pid, self._configuration_file) for pid in pids if pid)

    @property
    def _configuration_file(self) -> Path:
        return self.folder / "supervisord.conf"

    @property
    def _socket(self) -> Path:
        return self._run / "supervisor.sock"

    def _configuration(self) -> str:
        sections: list[tuple[str, dict[str, object]]] = [
            ("unix_http_server", {"file": self._socket, "chmod": "0700"}),
            (
                "supervisord",
                {
                    "logfile": self.folder / "log" / "supervisord.log",
                    "logfile_maxbytes": "5MB",
                    "logfile_backups": 2,
                    "pidfile": self.folder / "supervisord.pid",
                    "childlogdir": self.folder / "log",
                },
            ),
            ("rpcinterface:supervisor", {"supervisor.rpcinterface_factory": RPC_FACTORY}),
        ]
        for group in sorted({program.group for program in self.programs}):
            members = [program for program in self.programs if program.group == group]
            sections.append((f"group:group{group}", {"programs": ",".join(p.name for p in members), "priority": group}))
            sections += [(f"program:{program.name}", self._program(program)) for program in members]
        lines = []
        for title, values in sections:
            lines += [f"[{title}]", *(f"{name}={str(value).replace('%', '%%')}" for name, value in values.items()), ""]
        return "\n".join(lines)

    def _program(self, program: Program) -> dict[str, object]:
        return {
            "command": shlex.join(["setpriv", "--pdeathsig", "TERM", "--", *program.command]),
            "autorestart": "true",
            "startsecs": 10,  # on a busy machine a service may take seconds to find that it cannot start
            "startretries": START_RETRIES,
            "stopwaitsecs": 30,
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": self.log(program.name),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": 3,
        }
