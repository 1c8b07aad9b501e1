"""Two workers and one GPU: they take turns, change places once per stage, and a dead one holds nobody up."""

from typing import Any

import pytest

from shared.settings import SettingsError
from shared.turns import Turns
from tests.fixtures.checker import check
from tests.fixtures.stack import Stack, eventually


@pytest.fixture
def shared(sqlite_stack: Stack) -> Stack:
    """A coordinator and both workers with one lock, loaded, and gone from the GPU again."""
    stack = sqlite_stack
    stack.settings |= {
        "GPU_LOCK": str(stack.folder / "gpu.lock"),
        "GPU_IDLE_S": "3",
        "SCRIPTED_DEVICE": str(stack.folder / "device.jsonl"),
    }
    stack.start()

    def left() -> bool:
        return [line["what"] for line in stack.device_history()].count("leaves") == 2

    eventually(left, what="both workers having loaded and left the GPU")
    return stack


def pid(stack: Stack, stage: str) -> int:
    process = stack.services[f"{stage}-worker"].process
    assert process
    return process.pid


def detail(stack: Stack, stage: str) -> str:
    workers = stack.api.get("/workers").json()["workers"]
    return next((str(worker["detail"]) for worker in workers if worker["stage"] == stage), "")


def collisions(stack: Stack) -> list[str]:
    """Each moment when two were on the GPU, or one worked without being on it."""
    broken = []
    there: set[int] = set()
    for line in sorted(stack.device_history() + stack.history(), key=lambda line: line["at"]):
        match line["what"]:
            case "takes":
                there = {one for one in there if one in stack.alive_pids} | {line["pid"]}
                if len(there) > 1:
                    broken.append(f"{sorted(there)} were on the GPU at once")
            case "leaves":
                there.discard(line["pid"])
            case "start" if line["pid"] not in there:
                broken.append(f"{line['pid']} began scene {line['number']} away from the GPU")
    return broken


def takers(stack: Stack, before: list[dict[str, Any]]) -> list[int]:
    return [line["pid"] for line in stack.device_history()[len(before) :] if line["what"] == "takes"]


def test_images_first_changes_places_once_per_stage_and_never_are_both_there(shared: Stack) -> None:
    before = shared.device_history()
    run = shared.press(shared.project([f"in turn {n} take:0.1" for n in range(6)])["project"]["id"])
    ended = shared.ended(run["id"])["run"]
    assert (ended["images"]["done"], ended["videos"]["done"]) == (6, 6)
    assert takers(shared, before) == [pid(shared, "image"), pid(shared, "video")]
    assert collisions(shared) == []
    assert check(shared) == []


def test_who_waits_says_for_whom_and_is_served_when_the_other_has_nothing_to_do(shared: Stack) -> None:
    project = shared.project(["quick", "slow image/take:6"])
    run = shared.press(project["project"]["id"], order="per_scene")
    holder = shared.services["image-worker"].environment["WORKER_NAME"]
    waits = f"waiting for the GPU, which {holder} uses"
    eventually(lambda: detail(shared, "video") == waits, what="the video worker to wait for its turn")
    assert shared.run(run["id"])["run"]["videos"]["running"] == 0, "it claims nothing while it waits"
    assert shared.ended(run["id"])["run"]["videos"]["done"] == 2
    eventually(lambda: detail(shared, "video") == "", what="the video worker to be ready again")
    assert collisions(shared) == []


def test_a_job_is_cancelled_while_it_waits_for_the_gpu(shared: Stack) -> None:
    project = shared.project(["quick", "slow image/take:30"])
    run = shared.press(project["project"]["id"], order="per_scene")
    eventually(lambda: detail(shared, "video").startswith("waiting for the GPU"), what="the video worker to wait")
    shared.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    assert shared.ended(run["id"], within_s=10)["run"]["videos"]["cancelled"] == 2
    assert [line["stage"] for line in shared.history()].count("video") == 0


def test_a_worker_that_waits_for_the_gpu_ends_in_order(shared: Stack) -> None:
    run = shared.press(shared.project(["quick", "slow image/take:30"])["project"]["id"], order="per_scene")
    eventually(lambda: detail(shared, "video").startswith("waiting for the GPU"), what="the video worker to wait")
    assert shared.services["video-worker"].stop(timeout_s=10) == 0
    shared.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    shared.ended(run["id"])


def test_a_killed_holder_frees_the_gpu(shared: Stack) -> None:
    shared.crashed = True
    run = shared.press(shared.project(["quick", "slow image/take:60"])["project"]["id"], order="per_scene")
    eventually(lambda: detail(shared, "video").startswith("waiting for the GPU"), what="the video worker to wait")
    shared.services["image-worker"].kill()
    eventually(lambda: shared.run(run["id"])["run"]["videos"]["done"] == 1, what="the video")
    assert collisions(shared) == []
    shared.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    shared.restart("image-worker")  # Who comes back tells that it has nothing in hand.
    shared.ended(run["id"])


def test_working_without_turns_is_noticed(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.settings |= {
        "GPU_LOCK": str(stack.folder / "gpu.lock"),
        "SCRIPTED_DEVICE": str(stack.folder / "device.jsonl"),
        "PLANTED_FAULT": "no_turns",
        "PYTHONPATH": "tests/planted",
    }
    stack.start()
    run = stack.press(stack.project(["quick", "slow image/take:0.5"])["project"]["id"], order="per_scene")
    stack.ended(run["id"])
    assert any("were on the GPU at once" in broken for broken in collisions(stack))


def test_a_lock_file_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(SettingsError, match=r"GPU_LOCK=/nowhere/gpu\.lock cannot be opened: No such file"):
        Turns("/nowhere/gpu.lock", "image@studio")
