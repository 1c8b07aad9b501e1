"""The integration tests over RabbitMQ 4 and PostgreSQL 17 in containers that testcontainers starts."""

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.fixtures.compose import docker
from tests.fixtures.servers import Addresses, Servers
from tests.fixtures.stack import ROOT

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

#: One of each kind: the way of a press, a cancel with its purge, retries.
CHOSEN = [
    "tests/integration/test_bulk_queue.py",
    "tests/integration/test_cancel.py",
    "tests/integration/test_migrations.py",
]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Addresses, str]]:
    """A broker's addresses and a database's URL, both in containers whatever else is named for the tests."""
    started = Servers()
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.delenv("TEST_AMQP_URL", raising=False)
            environment.delenv("TEST_POSTGRES_URL", raising=False)
            yield started.addresses("rabbitmq"), started.addresses("postgres")["url"]
    finally:
        started.close()


def test_they_are_the_versions_that_compose_starts(servers: tuple[Addresses, str]) -> None:
    broker, database = servers
    images = docker("ps", "--format", "{{.Image}}").split()
    assert {"rabbitmq:4-management", "postgres:17"} <= set(images)
    user, _, password = broker["amqp"].removeprefix("amqp://").partition("@")[0].partition(":")
    assert httpx.get(f"{broker['management']}/api/overview", auth=(user, password)).json()["rabbitmq_version"] >= "4."
    with psycopg.connect(database.replace("+psycopg", "", 1)) as connection:
        assert connection.info.server_version // 10_000 == 17


def test_the_integration_tests_pass_on_them(servers: tuple[Addresses, str]) -> None:
    broker, database = servers
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "postgresql and not thirty", *CHOSEN],
        cwd=ROOT,
        env={
            **os.environ,
            "TEST_AMQP_URL": broker["amqp"],
            "TEST_MANAGEMENT_URL": broker["management"],
            "TEST_POSTGRES_URL": database,
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
