"""Stacks for the integration tests: one shared by the tests of a file, and one of a test's own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.broker import Broker
from tests.fixtures.servers import database
from tests.fixtures.stack import Stack, running_stack


@pytest.fixture(scope="module")
def studio(
    module_amqp: tuple[str, str], module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """One of each service, for tests that kill nothing; each test makes its own project."""
    amqp_url, management_url = module_amqp
    folder = tmp_path_factory.mktemp("studio")
    with running_stack(
        amqp_url, management_url, module_database_url, folder, WINDOW_IMAGE="4", WINDOW_VIDEO="4"
    ) as stack:
        yield stack.start()


#: Database and coordinators of the fault tests: one combination in `make test`, all in `make faults`.
COMBINATIONS = ["sqlite-1", "postgresql-1", "postgresql-2"] if os.environ.get("FAULTS") == "all" else ["sqlite-1"]


@pytest.fixture
def sqlite_stack(amqp: tuple[str, str], tmp_path: Path) -> Iterator[Stack]:
    """Nothing started yet; for tests that start, kill and restart."""
    amqp_url, management_url = amqp
    with running_stack(amqp_url, management_url, f"sqlite:///{tmp_path}/studio.db", tmp_path) as stack:
        yield stack


@pytest.fixture(params=COMBINATIONS)
def stack(request: pytest.FixtureRequest, amqp: tuple[str, str], tmp_path: Path) -> Iterator[Stack]:
    """The same on each combination of database and number of coordinators."""
    with combination(request, request.param, amqp, tmp_path) as stack:
        yield stack


@pytest.fixture(params=COMBINATIONS)
def frail_stack(request: pytest.FixtureRequest, own_broker: Broker, tmp_path: Path) -> Iterator[Stack]:
    """The same on a broker of its own, which the test may kill; `broker` is that."""
    own_broker.start()
    with combination(request, request.param, (own_broker.url, own_broker.management_url), tmp_path) as stack:
        stack.broker = own_broker
        yield stack


@contextmanager
def combination(request: pytest.FixtureRequest, name: str, amqp: tuple[str, str], folder: Path) -> Iterator[Stack]:
    kind, _, coordinators = name.partition("-")
    with database(kind, folder, request) as url, running_stack(*amqp, url, folder) as stack:
        stack.coordinators = int(coordinators)
        yield stack


@pytest.fixture
def postgres_url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with database("postgresql", tmp_path, request) as url:
        yield url
