"""Images are built once a session; each file has a studio of its own."""

import fcntl
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.fixtures.compose import ComposeStack, compose_stack, docker, why_no_engine
from tests.fixtures.stack import ROOT, NotInTime

SERVICES = ("coordinator", "notifier", "image_worker", "video_worker")
SCRIPTED = "tests.generators:Scripted"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    ours = [item for item in items if here in item.path.parents]
    reason = why_no_engine() if any(item.get_closest_marker("containers") for item in ours) else None
    for item in ours:
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The image of each service, built from what lies here."""
    built = {}
    # Of two test processes one builds, and the other finds it in the cache.
    with (ROOT / "Dockerfile").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for service in SERVICES:
            built[service] = f"videogen/{service.replace('_', '-')}"
            docker("build", "--quiet", "--tag", built[service], "--build-arg", f"SERVICE={service}", ".", timeout_s=900)
    return built


def _tool(name: str) -> str:
    """An image of a program that is not ours, from Debian's package: no registry is asked for it."""
    image = f"videogen-test/{name}"
    text = (Path(__file__).parent / f"{name}.Dockerfile").read_bytes()
    docker("build", "--quiet", "--tag", image, "-", stdin=text, timeout_s=600)
    return image


@pytest.fixture(scope="session")
def balancer_image() -> str:
    return _tool("balancer")


@pytest.fixture(scope="session")
def prometheus_image() -> str:
    return _tool("prometheus")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the containers said, where a test waited in vain."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("studio")
    if call.excinfo and call.excinfo.errisinstance(NotInTime) and isinstance(stack, ComposeStack):
        report.sections.append(("containers", stack.logs()))
    return report


@pytest.fixture(scope="module")
def scripted(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    """Three image workers and two video workers that do what the prompt says."""
    with compose_stack(tmp_path_factory.mktemp("scripted"), BACKEND=SCRIPTED) as stack:
        stack.up(**{"image-worker": 3, "video-worker": 2})
        yield stack
