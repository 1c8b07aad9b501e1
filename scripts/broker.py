"""A private RabbitMQ: own data folder, node, cookie and ports, on 127.0.0.1 only, beside any other broker.

It runs without epmd, Erlang's name server: node and `rabbitmqctl` know the distribution port beforehand. So no
daemon is left behind, and two brokers never meet.

    python -m scripts.broker run --data var/broker --port 24672
"""

import argparse
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from scripts.ports import LOOPBACK, is_free, is_open

NODE = "studio@localhost"
USER = "studio"
DEFAULT_PORT = 24672
PORTS = 3  # AMQP, management console, Erlang distribution

INSTALLATIONS = ("/usr/lib/rabbitmq/lib/rabbitmq_server-*", "/opt/rabbitmq")

# Plugins are named rabbitmq_*; everything else in the folder belongs to the core.
PLUGINS = ("rabbitmq_management-", "rabbitmq_management_agent-", "rabbitmq_web_dispatch-", "rabbitmq_prelaunch-")

# A video may take hours, and the broker's default takes a job back after 30 minutes. An integer, never `undefined`:
# that crashes 4.3.0 to 4.3.2. Statistics each second keep the console fresh.
CONFIGURATION = """\
listeners.tcp.local = {host}:{port}
management.tcp.ip = {host}
management.tcp.port = {management_port}
default_user = {user}
default_pass = {password}
consumer_timeout = 14400000
heartbeat = 10
collect_statistics_interval = 1000
disk_free_limit.absolute = 50MB
log.console = false
log.file = broker.log
log.file.rotation.size = 10485760
log.file.rotation.count = 3
"""

# In virtual machines schedulers that sleep at once double the start-up time; waiting "very_short" costs no idle CPU.
ERLANG_FLAGS = "+S 2:2 +sbwt very_short +sbwtdio very_short +B i"


class BrokerError(Exception):
    """The private broker cannot be used; the text says why and what to do."""


def installation() -> Path | None:
    """The folder of the newest RabbitMQ on this machine."""
    found = [Path(path) for pattern in INSTALLATIONS for path in sorted(Path("/").glob(pattern.lstrip("/")))]
    return next((path for path in reversed(found) if (path / "sbin" / "rabbitmq-server").exists()), None)


class Broker:
    """One private broker. Its beam dies with the *thread* that called `launch`, so that thread must outlive it."""

    def __init__(self, data: Path, port: int = DEFAULT_PORT) -> None:
        self.data = data.resolve()
        self.port = port
        self.management_port = port + 1
        self.distribution_port = port + 2
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{self.password}@{LOOPBACK}:{self.port}/"

    @property
    def management_url(self) -> str:
        return f"http://{LOOPBACK}:{self.management_port}"

    @property
    def password_file(self) -> Path:
        return self.data / "password"

    @property
    def password(self) -> str:
        return self._secret(self.password_file)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, timeout_s: float = 60) -> None:
        self.launch()
        self.wait_until_ready(timeout_s)

    def launch(self, lock_timeout_s: float = 20) -> None:
        """Start without waiting. A predecessor in the same folder that is about to end is waited for."""
        with self._lock(lock_timeout_s) as lock:
            for port in range(self.port, self.port + PORTS):
                if not is_free(port):
                    raise BrokerError(f"Port {port} for the private RabbitMQ is taken by another program.")
            script = self._prepare()
            console = os.open(self.data / "log" / "console.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", str(script)],
                env=self._environment(),
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C must not reach Erlang
                pass_fds=[lock],  # the lock lives exactly as long as the beam
            )
            os.close(console)

    def wait_until_ready(self, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while not is_open(self.port):
            if not self.is_running():
                raise BrokerError(f"RabbitMQ ended while it started; see {self.data / 'log'}.\n{self._last_words()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"RabbitMQ was not ready after {timeout_s:.0f} s; see {self.data / 'log'}.")
            time.sleep(0.02)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout_s: float = 30) -> None:
        """End in order: everything is on disk afterwards."""
        if self.process is None or not self.is_running():
            return
        # With this handler in place RabbitMQ waits 5 s for itself while it shuts down (seen with 3.10.8).
        self.ctl("eval", "gen_event:delete_handler(rabbit_event, rabbit_mgmt_db_handler, []).", check=False)
        self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End at once, as a power cut would for this one program."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def wipe(self) -> None:
        """End at once and forget every queue and message; the password stays."""
        self.kill()
        shutil.rmtree(self.data / "mnesia", ignore_errors=True)

    def ctl(self, *arguments: str, check: bool = True, timeout_s: float = 30) -> str:
        """What `rabbitmqctl` prints (0.4 s a call; the management API is quicker)."""
        script = self._installation() / "sbin" / "rabbitmqctl"
        environment = self._environment() | {
            "RABBITMQ_CTL_ERL_ARGS": f"-dist_listen false -erl_epmd_port {self.distribution_port}",
        }
        done = subprocess.run(
            [script, *arguments],
            check=False,
            env=environment,
            cwd=self.data,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        if check and done.returncode != 0:
            raise BrokerError(f"rabbitmqctl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _prepare(self) -> Path:
        (self.data / "log").mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        self._secret(self.data / ".erlang.cookie")
        (self.data / "enabled_plugins").write_text("[rabbitmq_management].\n")
        self._write_private(
            self.data / "rabbitmq.conf",
            CONFIGURATION.format(
                host=LOOPBACK,
                port=self.port,
                management_port=self.management_port,
                user=USER,
                password=self.password,
            ),
        )
        return self._link_server() / "sbin" / "rabbitmq-server"

    def _link_server(self) -> Path:
        """The installation with only the plugins we run: for each module Erlang searches every folder (2 s of 4)."""
        original, server = self._installation(), self.data / "server"
        shutil.rmtree(server, ignore_errors=True)
        for folder in ("sbin", "plugins"):
            (server / folder).mkdir(parents=True)
            for entry in (original / folder).iterdir():
                if not entry.name.startswith("rabbitmq_") or entry.name.startswith(PLUGINS):
                    (server / folder / entry.name).symlink_to(entry)
        (server / "escript").symlink_to(original / "escript")
        return server

    def _environment(self) -> dict[str, str]:
        """Nothing of the caller's RABBITMQ_* or ERL_* variables, and nothing of /etc/rabbitmq."""
        data = self.data
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(data),  # where Erlang reads the cookie
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the beam instead of staying as its parent
            "RABBITMQ_SCRIPTS_DIR": str(data / "server" / "sbin"),
            "RABBITMQ_CONF_ENV_FILE": str(data / "no-environment-file"),
            "RABBITMQ_CONFIG_FILE": str(data / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(data / "no-advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(data / "generated"),
            "RABBITMQ_MNESIA_BASE": str(data / "mnesia"),
            "RABBITMQ_LOG_BASE": str(data / "log"),
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            # The node brings its distribution up itself, from the first moment on and without epmd.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-sname {NODE}"
            f" -erl_epmd_port {self.distribution_port} -kernel inet_dist_use_interface {{127,0,0,1}} {ERLANG_FLAGS}",
            # As a flag for every Erlang that is started from here: once a minute the node itself starts one to "ensure"
            # an epmd, which would listen on all addresses and stay for ever.
            "ERL_FLAGS": "-start_epmd false",
            "ERL_EPMD_PORT": "1",  # nobody listens there, so an epmd of this machine is never asked
            "ERL_CRASH_DUMP_SECONDS": "0",
        }

    def _secret(self, path: Path) -> str:
        if not path.exists():
            self._write_private(path, secrets.token_hex(16))
        return path.read_text()

    def _write_private(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)

    @contextmanager
    def _lock(self, timeout_s: float) -> Iterator[int]:
        self.data.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.data / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise BrokerError(f"Another RabbitMQ uses {self.data}; stop it first.") from None
                    time.sleep(0.05)
            yield lock
        finally:
            os.close(lock)

    def _last_words(self) -> str:
        return (self.data / "log" / "console.log").read_text(errors="replace")[-2000:]

    def _installation(self) -> Path:
        found = installation()
        if found is None:
            raise BrokerError(
                "RabbitMQ is not installed: run `sudo apt-get install rabbitmq-server`, or set AMQP_URL to a broker of"
                " yours."
            )
        return found

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise BrokerError("This broker was not started.")
        return self.process


def run(broker: Broker) -> int:
    """Stay until SIGTERM or SIGINT, then end in order; a broker that ends by itself is an error."""
    broker.start()
    wanted = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    signal.signal(signal.SIGCHLD, lambda *_: None)  # an ignored signal would never be delivered to sigwait
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    # Whoever reads this may end us in the same moment.
    print(f"RabbitMQ is ready on {LOOPBACK}:{broker.port}, console {broker.management_url}", flush=True)
    while broker.is_running():
        if signal.sigwait(wanted) in (signal.SIGTERM, signal.SIGINT):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            broker.stop()
            return 0
    print(f"RabbitMQ ended by itself; see {broker.data / 'log'}.", file=sys.stderr)
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.broker", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="run in the foreground until Ctrl-C")
    ctl_parser = commands.add_parser("ctl", help="call rabbitmqctl of a running one")
    for command in (run_parser, ctl_parser):
        command.add_argument("--data", type=Path, default=Path("var/broker"))
        command.add_argument("--port", type=int, default=DEFAULT_PORT, help="AMQP; the next two ports are used, too")
    ctl_parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    broker = Broker(options.data, options.port)
    try:
        if options.command == "ctl":
            print(broker.ctl(*options.arguments), end="")
            return 0
        return run(broker)
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
