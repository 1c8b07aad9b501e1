"""The studio as `docker compose up` brings it: one of each service, the animatic generators, a browser in front."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from scripts.chromium import running_chromium
from tests.fixtures.compose import ComposeStack, compose_stack, docker
from tests.fixtures.stack import eventually

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

OURS = ("coordinator", "notifier", "image-worker", "video-worker")
ALL = ("rabbitmq", "postgres", *OURS)
STORY = ["A lamp burns in the harbour.", "The boat comes home.", "Nobody speaks."]
SIZE = {"width": 320, "height": 192, "seconds": 1, "fps": 8}


@pytest.fixture(scope="module")
def studio(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    with compose_stack(tmp_path_factory.mktemp("studio")) as stack:
        print(f"\npage ready {stack.up():.1f} s after `docker compose up`")
        yield stack


def made(board: dict[str, Any]) -> list[tuple[str, str]]:
    """Keys of every sentence's image and video."""
    return [(sentence["image"]["key"], sentence["video"]["key"]) for sentence in board["sentences"]]


def test_a_creator_logs_in_once_and_sees_her_story_made(studio: ComposeStack) -> None:
    project_id = studio.project(STORY, size=SIZE)["project"]["id"]
    with running_chromium() as browser:
        # By the other name of this machine: cookies belong to one of them.
        page = browser.new_page(base_url=f"http://localhost:{studio.coordinator_port}")
        page.goto("/")
        page.get_by_label("Token").fill(studio.token)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("A story")).to_be_visible(timeout=10_000)
        page.goto(f"/projects/{project_id}")
        expect(page.locator("[data-connection=live]")).to_be_visible(timeout=10_000)
        page.locator("#generate").click()
        expect(page.locator("[data-sonner-toast]").first).to_be_visible(timeout=60_000)
    board = studio.storyboard(project_id)
    assert board["runs"][0]["status"] == "completed"
    kinds = [studio.api.get(f"/artifacts/{key}").headers["content-type"] for pair in made(board) for key in pair]
    assert sorted(set(kinds)) == ["image/png", "video/mp4"]
    assert len(kinds) == 2 * len(STORY)


def test_the_console_is_there_and_takes_no_password_that_everybody_knows(studio: ComposeStack) -> None:
    overview = f"{studio.management_url}/api/overview"
    assert httpx.get(overview, auth=("guest", "guest")).status_code == 401
    answer = httpx.get(overview, auth=("studio", studio.variables["RABBITMQ_PASSWORD"]))
    assert answer.json()["rabbitmq_version"].startswith("4.")
    queues = httpx.get(
        f"{studio.management_url}/api/queues", auth=("studio", studio.variables["RABBITMQ_PASSWORD"])
    ).json()
    assert {"jobs.image", "jobs.video", "results"} <= {queue["name"] for queue in queues}


def test_the_broker_lets_a_video_take_its_time(studio: ComposeStack) -> None:
    (rabbitmq,) = studio.containers("rabbitmq")
    told = docker("exec", rabbitmq, "rabbitmqctl", "eval", "application:get_env(rabbit, consumer_timeout).")
    assert told.strip() == "{ok,14400000}"


def test_nothing_is_published_beyond_this_machine(studio: ComposeStack) -> None:
    opened_by_tests = {"5672/tcp", "5432/tcp"}
    published = {}
    for service in ALL:
        for container in studio.containers(service):
            for inside, outside in studio.inspect(container)["NetworkSettings"]["Ports"].items():
                if outside and inside not in opened_by_tests:
                    published[inside] = {where["HostIp"] for where in outside}
    assert published == {"8700/tcp": {"127.0.0.1"}, "8701/tcp": {"127.0.0.1"}, "15672/tcp": {"127.0.0.1"}}


def test_nobody_reads_anything_without_the_token(studio: ComposeStack) -> None:
    for path in ("/api/v1/projects", "/api/v1/workers", "/metrics"):
        assert httpx.get(f"{studio.url}{path}").status_code == 401
    assert httpx.get(f"http://127.0.0.1:{studio.notifier_port}/metrics").status_code == 401


def test_services_run_without_rights_on_a_file_system_they_cannot_change(studio: ComposeStack) -> None:
    for service in OURS:
        (container,) = studio.containers(service)
        found = studio.inspect(container)
        assert found["HostConfig"]["ReadonlyRootfs"]
        assert found["HostConfig"]["CapDrop"] == ["ALL"]
        assert "no-new-privileges:true" in found["HostConfig"]["SecurityOpt"]
        status = docker("exec", container, "cat", "/proc/1/status")
        assert "CapEff:\t0000000000000000" in status
        assert "Uid:\t10001" in status


@pytest.mark.parametrize("service", OURS)
def test_a_service_ends_in_order_when_told_and_comes_back(studio: ComposeStack, service: str) -> None:
    (container,) = studio.containers(service)
    before = studio.inspect(container)["State"]["StartedAt"]
    names = {name: studio.workers(name) for name in ("image-worker", "video-worker")}
    # Not `docker stop`, after which nobody starts it again.
    docker("exec", container, "python", "-c", "import os, signal; os.kill(1, signal.SIGTERM)")
    eventually(lambda: studio.inspect(container)["State"]["StartedAt"] != before, what="another start")
    studio.wait_until_healthy(container)
    ends = docker("events", "--since", before, "--until", "0s", "--filter", f"container={container}")
    codes = [line for line in ends.splitlines() if " container die " in line]
    assert "exitCode=0" in codes[-1]
    eventually(
        lambda: all(studio.workers(name) == same for name, same in names.items()), what="the same workers as before"
    )


def test_down_and_up_again_keeps_everything(studio: ComposeStack) -> None:
    project_id = studio.project(STORY, size=SIZE)["project"]["id"]
    studio.ended(studio.press(project_id, stages=["image"])["id"])
    run = studio.press(project_id)
    studio.compose("down")
    print(f"\npage ready {studio.up():.1f} s after the second `docker compose up`")
    assert studio.ended(run["id"])["run"]["status"] == "completed"
    board = studio.storyboard(project_id)
    for pair in made(board):
        for key in pair:
            assert studio.api.get(f"/artifacts/{key}").status_code == 200
