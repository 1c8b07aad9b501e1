"""A private PostgreSQL for the tests: own data folder and port, on 127.0.0.1 only, beside any other server.

PostgreSQL refuses to run as root. Root therefore lends it the account `postgres` (or `nobody`), and the data folder
must lie where that account may go: under /tmp, not under a closed home.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from scripts.ports import LOOPBACK, is_free

USER = "studio"
INSTALLATIONS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")

# Without fsync tests are several times faster. Killed processes lose nothing by it, only a machine without power does.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
}


class PostgresError(Exception):
    """The private PostgreSQL cannot be used; the text says why and what to do."""


def installation() -> Path | None:
    """The folder with the newest PostgreSQL's programs."""
    found = [path for pattern in INSTALLATIONS for path in sorted(Path("/").glob(pattern.lstrip("/")))]
    found += [Path(program).parent for program in [shutil.which("postgres")] if program]
    return next((path for path in reversed(found) if (path / "initdb").exists()), None)


def create_database(server_url: str, name: str) -> str:
    """A new, empty database on the server behind `server_url`; answers its URL."""
    with psycopg.connect(_plain(server_url), autocommit=True) as connection:
        # The server's own default may be any encoding, and stories are written in all scripts.
        plain = "CREATE DATABASE {} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0"
        connection.execute(sql.SQL(plain).format(sql.Identifier(name)))
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def drop_database(server_url: str, name: str) -> None:
    """Also when somebody is still connected to it."""
    with psycopg.connect(_plain(server_url), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _plain(url: str) -> str:
    """SQLAlchemy names the driver in a URL, PostgreSQL itself does not."""
    return url.replace("postgresql+psycopg:", "postgresql:", 1)


class Postgres:
    """One private server. It dies with the *thread* that called `start`, so that thread must outlive it."""

    def __init__(self, data: Path, port: int, **settings: str) -> None:
        self.data = data.resolve()
        self.port = port
        self.settings = SETTINGS | settings
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def password(self) -> str:
        return self._password_file.read_text()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://{USER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def start(self, timeout_s: float = 30) -> None:
        if not (self.data / "cluster" / "PG_VERSION").exists():
            self._initialise()
        if not is_free(self.port):
            raise PostgresError(f"Port {self.port} for the private PostgreSQL is taken by another program.")
        settings = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        with (self.data / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                # INT is PostgreSQL's "fast" end: it waits for no client.
                ["setpriv", "--pdeathsig", "INT", "--", self._program("postgres")]
                + ["-D", str(self.data / "cluster"), "-p", str(self.port), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._account(),
            )
        self._wait_until_ready(timeout_s)

    def stop(self) -> None:
        """End in order, without waiting for clients."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End at once, as a power cut would for this one program. The server's own children notice and follow."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def create_database(self, name: str) -> str:
        return create_database(self.url(), name)

    def drop_database(self, name: str) -> None:
        drop_database(self.url(), name)

    def _initialise(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        self._password_file.write_text(secrets.token_hex(16))
        self._password_file.chmod(0o600)
        if account := self._account():
            for path in (self.data, self._password_file):
                shutil.chown(path, account["user"], account["group"])
        done = subprocess.run(
            [self._program("initdb"), "-D", str(self.data / "cluster"), "-U", USER]
            + [
                "--pwfile",
                str(self._password_file),
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--locale",
                "C",
                "--no-sync",
                "--no-instructions",
            ],
            check=False,
            cwd="/",
            capture_output=True,
            text=True,
            **self._account(),
        )
        if done.returncode != 0:
            raise PostgresError(f"initdb in {self.data} failed: {done.stderr}")

    def _account(self) -> dict[str, Any]:
        """What makes a subprocess run as somebody else, when we are root."""
        if os.geteuid() != 0:
            return {}
        known = {entry.pw_name for entry in pwd.getpwall()}
        name = next(name for name in ("postgres", "nobody") if name in known)
        return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}

    def _wait_until_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                psycopg.connect(_plain(self.url()), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if self.process is None or self.process.poll() is not None:
                    raise PostgresError(f"PostgreSQL ended while it started; see {self.data}/server.log.") from error
                if time.monotonic() > deadline:
                    raise PostgresError(f"PostgreSQL was not ready after {timeout_s:.0f} s.") from error
                time.sleep(0.02)
            else:
                return

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)

    @property
    def _password_file(self) -> Path:
        return self.data / "password"

    def _program(self, name: str) -> str:
        found = installation()
        if found is None:
            raise PostgresError(
                "PostgreSQL is not installed: run `sudo apt-get install postgresql`, or set TEST_POSTGRES_URL."
            )
        return str(found / name)
