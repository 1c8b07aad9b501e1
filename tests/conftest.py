"""Fixtures for all tests: the servers that the services need. And which tests may run side by side."""

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.fixtures.stack import Stack

pytest_plugins = ["tests.fixtures.servers", "tests.fixtures.s3"]

# How long an example takes says how busy the machine is, and nothing about what is tested.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

#: Tests of one group run one after the other: two browsers or two dying brokers at once make each other slow.
GROUPS = {
    "tests/e2e/": "browser",
    "tests/integration/test_broker.py": "killing",
    "tests/integration/test_chaos.py": "killing",
    "tests/integration/test_faults.py": "killing",
    "tests/integration/test_outages.py": "killing",
    "tests/integration/test_stack.py": "killing",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for start, group in GROUPS.items():
            if item.nodeid.startswith(start):
                item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test tells what its services wrote: a fault that comes once in a hundred runs is told the first time."""
    report = yield
    if report.failed:
        arguments: dict[str, Any] = getattr(item, "funcargs", {})
        report.sections += [("Services", value.logs()) for value in arguments.values() if isinstance(value, Stack)]
    return report
