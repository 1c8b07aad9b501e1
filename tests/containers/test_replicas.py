"""Two coordinators and two notifiers behind a balancer that knows nothing of sessions."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.containers.conftest import SCRIPTED
from tests.fixtures.compose import ComposeStack, compose_stack, docker
from tests.fixtures.stack import eventually

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

SENTENCES = [{"text": f"Sentence {number}.", "prompt": "take:0.3"} for number in range(12)]


@pytest.fixture(scope="module")
def studio(
    images: dict[str, str], balancer_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComposeStack]:
    folder = tmp_path_factory.mktemp("replicas")
    with compose_stack(folder, "docker-compose.replicas.yml", BACKEND=SCRIPTED, BALANCER_IMAGE=balancer_image) as stack:
        stack.up(coordinator=2, notifier=2)
        stack.notifier_port = stack.coordinator_port  # One address for everything.
        for service in ("coordinator", "notifier"):
            for container in stack.containers(service):
                stack.wait_until_healthy(container)
        yield stack


def sockets(stack: ComposeStack) -> list[float]:
    """Open sockets of each notifier, by its own word."""
    texts = [stack.ask(container, "/metrics", 8701) for container in stack.containers("notifier")]
    return [float(re.findall(r"^videogen_notifier_sockets (\S+)$", text, re.MULTILINE)[0]) for text in texts]


def halfway(stack: ComposeStack, run_id: str) -> bool:
    return bool(stack.run(run_id)["run"]["images"]["done"] >= 2)


def hear_the_end(page: ClientConnection) -> None:
    """Listen until the run is completed and every scene done.

    Each of two coordinators publishes what it commits: events overtake each other, and versions tell.
    """
    scenes: dict[str, tuple[int, str]] = {}
    run = ""
    while run != "completed" or len(scenes) < len(SENTENCES) or {status for _, status in scenes.values()} != {"done"}:
        event = json.loads(page.recv(timeout=30))
        for scene in event.get("scenes", []):
            scenes[scene["id"]] = max(scenes.get(scene["id"], (0, "")), (scene["version"], scene["status"]))
        if run != "completed" and event.get("run"):
            run = event["run"]["status"]


def test_the_page_is_told_one_address_for_everything(studio: ComposeStack) -> None:
    assert studio.api.get("/config").json()["socket_url"] == f"ws://127.0.0.1:{studio.coordinator_port}"
    assert "<title>" in httpx.get(f"{studio.url}/").text


def test_whoever_answers_says_the_same_and_every_socket_hears_the_end(studio: ComposeStack) -> None:
    project_id = studio.project(SENTENCES)["project"]["id"]
    url = f"{studio.socket_url}/api/v1/projects/{project_id}/events"
    headers = {"Authorization": f"Bearer {studio.token}"}
    with ExitStack() as open_sockets:
        pages: list[ClientConnection] = []
        while not all(sockets(studio)):
            assert len(pages) < 8, "the balancer hands all sockets to one notifier"
            pages.append(open_sockets.enter_context(connect(url, additional_headers=headers, max_size=None)))
        run_id = studio.press(project_id)["id"]
        assert studio.press(project_id)["id"] == run_id, "the other coordinator folds the second press into the first"
        assert studio.ended(run_id)["run"]["status"] == "completed"
        for page in pages:
            hear_the_end(page)
    told = [studio.ask(each, f"/api/v1/projects/{project_id}") for each in studio.containers("coordinator")]
    assert len(told) == 2
    assert told[0] == told[1] == studio.api.get(f"/projects/{project_id}").text
    assert studio.broken_promises() == []


def test_one_coordinator_and_one_notifier_are_killed_and_the_others_go_on(studio: ComposeStack) -> None:
    for number in (0, 1):
        run_id = studio.press(studio.project(SENTENCES)["project"]["id"])["id"]
        eventually(partial(halfway, studio, run_id), what="the middle of the run")
        killed = [studio.containers(service)[number] for service in ("coordinator", "notifier")]
        for container in killed:
            docker("kill", container)
        assert studio.ended(run_id)["run"]["status"] == "completed"
        for container in killed:
            docker("start", container)
            studio.wait_until_healthy(container)
    assert studio.broken_promises() == []
