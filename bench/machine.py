"""What the figures were taken on: without it they mean nothing."""

import os
import platform
import sqlite3
import subprocess
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bench.figures import quantile
from bench.servers import Servers

PACKAGES = (
    "aio-pika",
    "aiormq",
    "alembic",
    "av",
    "celery",
    "diffusers",
    "fastapi",
    "kombu",
    "pillow",
    "psycopg",
    "pydantic",
    "sqlalchemy",
    "torch",
    "transformers",
    "uvicorn",
    "uvloop",
    "websockets",
)


def describe(servers: Servers) -> dict[str, Any]:
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": f"{platform.system()} {platform.release()}",
            "fsync_ms_p50": round(_fsync_ms(servers.folder), 3),
            "load_before": [round(load, 2) for load in os.getloadavg()],
        },
        "versions": {
            "python": platform.python_version(),
            "rabbitmq": _rabbitmq(servers),
            "postgresql": _postgresql(servers),
            "sqlite": sqlite3.sqlite_version,
            "commit": _commit(),
            **{name: found for name in PACKAGES if (found := _version(name))},
        },
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _fsync_ms(folder: Path) -> float:
    """What a durable commit costs here at the least."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - started) * 1000)
    return quantile(took, 0.5)


def _rabbitmq(servers: Servers) -> str:
    overview = httpx.get(f"{servers.broker.management_url}/api/overview", auth=servers.broker_login).json()
    return f"{overview['rabbitmq_version']} (Erlang {overview['erlang_version']})"


def _postgresql(servers: Servers) -> str:
    with psycopg.connect(servers.postgres_url.replace("+psycopg", "", 1)) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else ""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
