"""Three image workers and two video workers: the work spreads, and whatever is killed, every run ends right."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.fixtures.compose import ComposeStack, docker
from tests.fixtures.stack import eventually

pytestmark = [pytest.mark.containers, pytest.mark.timeout(300)]

SCENES = 18
PROMPT = "image/take:0.4 video/take:0.4"


def start(stack: ComposeStack, count: int = SCENES) -> str:
    """Press, and wait until some images are made and others are not; the run's id."""
    sentences = [{"text": f"Sentence {number}.", "prompt": PROMPT} for number in range(count)]
    run_id: str = stack.press(stack.project(sentences)["project"]["id"])["id"]

    def halfway() -> bool:
        return bool(2 <= stack.run(run_id)["run"]["images"]["done"] < count)

    eventually(halfway, what="the middle of the run")
    return run_id


def ends_right(stack: ComposeStack, run_id: str) -> None:
    ended = stack.ended(run_id, within_s=90)
    assert ended["run"]["status"] == "completed"
    assert {scene["status"] for scene in ended["scenes"]} == {"done"}
    assert stack.broken_promises() == []


def test_every_worker_takes_its_part_and_no_job_is_done_twice(scripted: ComposeStack) -> None:
    eventually(lambda: len(scripted.workers("image-worker")) == 3, what="three image workers")
    eventually(lambda: len(scripted.workers("video-worker")) == 2, what="two video workers")
    run_id = start(scripted)
    ends_right(scripted, run_id)
    scenes = {scene["id"] for scene in scripted.run(run_id)["scenes"]}
    ends = [line for line in scripted.history() if line["what"] == "end" and line["scene_id"] in scenes]
    done = Counter((line["stage"], line["host"]) for line in ends)
    parts = {stage: sorted(n for (of, _), n in done.items() if of == stage) for stage in ("image", "video")}
    assert (len(parts["image"]), len(parts["video"])) == (3, 2)
    assert sum(parts["image"]) == sum(parts["video"]) == SCENES
    # An equal part is 6 and 9; a busy machine may give one worker less time than another.
    assert min(parts["image"]) >= 2
    assert min(parts["video"]) >= 3


@pytest.mark.parametrize("service", ["rabbitmq", "postgres"])
def test_a_server_that_is_restarted_in_order_costs_time_and_nothing_else(scripted: ComposeStack, service: str) -> None:
    run_id = start(scripted, 2 * SCENES)  # It takes the broker a while to end.
    scripted.compose("restart", service)
    scripted.wait_until_healthy(scripted.containers(service)[0])
    ends_right(scripted, run_id)


@pytest.mark.parametrize("service", ["rabbitmq", "postgres", "coordinator", "notifier", "video-worker", "image-worker"])
def test_a_container_that_is_killed_in_the_middle_of_a_run_costs_time_and_nothing_else(
    scripted: ComposeStack, service: str
) -> None:
    run_id = start(scripted)
    container = scripted.containers(service)[0]
    scripted.crashed = scripted.crashed or service.endswith("worker")
    scripted.kill(container)
    docker("start", container)
    scripted.wait_until_healthy(container)
    ends_right(scripted, run_id)


def test_a_worker_that_never_comes_back_is_done_without(scripted: ComposeStack) -> None:
    run_id = start(scripted)
    scripted.crashed = True
    scripted.kill(scripted.containers("image-worker")[1])
    ends_right(scripted, run_id)


def test_fewer_workers_go_on_with_what_is_left(scripted: ComposeStack) -> None:
    scripted.compose("up", "--detach", "--no-build", "--scale", "image-worker=3", "--scale", "video-worker=2")
    run_id = start(scripted)
    scripted.compose("up", "--detach", "--no-build", "--scale", "image-worker=1", "--scale", "video-worker=1")
    one: Callable[[], bool] = lambda: len(scripted.workers("image-worker")) == 1  # noqa: E731
    eventually(one, what="one image worker")
    ends_right(scripted, run_id)
