"""Stacks for the integration tests: one shared by the tests of a file, and one of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.fixture
def stack(amqp: tuple[str, str], tmp_path: Path) -> Iterator[Stack]:
    """Nothing started yet, on SQLite; for tests that start, kill and restart."""
    amqp_url, management_url = amqp
    with running_stack(amqp_url, management_url, f"sqlite:///{tmp_path}/studio.db", tmp_path) as stack:
        yield stack
