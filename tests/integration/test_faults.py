"""Kill anything at any moment: the run still ends, and every promise holds. One row of the matrix a test."""

import signal
import threading
import time
from functools import partial
from typing import Any

import pytest

from tests.fixtures.checker import check
from tests.fixtures.stack import SHORT_LEASE, NotInTime, Stack, eventually

SENTENCES = [f"survives {n} take:0.03" for n in range(8)]


def dies(stack: Stack, name: str) -> None:
    """Wait until the crash point has killed the service; start it again without one."""
    service = stack.services[name]
    eventually(lambda: not service.running, what=f"the crash of {name}")
    assert service.process
    assert service.process.returncode == -signal.SIGKILL
    service.environment["CRASH_AT"] = ""
    stack.restart(name)


def all_made(stack: Stack, run: dict[str, Any], sentences: int = len(SENTENCES), within_s: float = 60) -> None:
    ended = stack.ended(run["id"], within_s=within_s)["run"]
    assert (ended["status"], ended["failed"]) == ("completed", 0)
    assert (ended["images"]["done"], ended["videos"]["done"]) == (sentences, sentences)
    assert check(stack) == []


def moved(stack: Stack, run: dict[str, Any], beyond: int) -> bool:
    """More was done, or all of it."""
    return len(stack.history()) > beyond or bool(stack.run(run["id"])["run"]["ended_at"])


COORDINATOR_POINTS = [
    "change.before_commit:3",
    "change.after_commit:1",
    "change.after_commit:4",
    "relay.before_publish",
    "relay.before_publish:9",
    "relay.after_publish",
    "relay.after_publish:7",
    "result.before_commit",
    "result.before_ack",
    "result.before_ack:8",
    "question.before_answer",
    "question.before_answer:6",
]


@pytest.mark.parametrize("point", COORDINATOR_POINTS)
def test_the_coordinator_dies_between_database_and_broker(stack: Stack, point: str) -> None:
    stack.coordinator(CRASH_AT=point)
    stack.worker("image")
    stack.worker("video")
    project = stack.project(SENTENCES)
    try:
        run = stack.press(project["project"]["id"])
    except Exception:
        # The press itself fell into the gap: the creator finds the run, or presses again.
        dies(stack, "coordinator")
        begun = stack.storyboard(project["project"]["id"])["runs"]
        run = begun[0] if begun else stack.press(project["project"]["id"])
    else:
        dies(stack, "coordinator")
    all_made(stack, run)


WORKER_POINTS = [
    "worker.before_claim",
    "worker.before_claim:3",
    "worker.after_claim",
    "worker.before_store:2",
    "worker.before_report",
    "worker.before_report:5",
    "worker.before_ack",
    "worker.before_ack:4",
]


@pytest.mark.parametrize("point", WORKER_POINTS)
def test_a_worker_dies_anywhere_in_its_loop(stack: Stack, point: str) -> None:
    stack.crashed = True
    stack.coordinator()
    stack.worker("image", CRASH_AT=point)
    stack.worker("video")
    run = stack.press(stack.project(SENTENCES)["project"]["id"])
    dies(stack, "image-worker")
    all_made(stack, run)


def test_a_worker_that_is_killed_costs_a_beside_running_one_only_seconds(stack: Stack) -> None:
    stack.crashed = True
    stack.coordinator(LEASE_TICKS="1000")  # A lease that would outlast the test.
    first = stack.worker("image", "image-first")
    stack.worker("video")
    project = stack.project(["long take:60", "short"])
    run = stack.press(project["project"]["id"], stages=["image"])
    eventually(stack.history, what="the long job")
    stack.worker("image", "image-second")
    sentence = project["sentences"][0]["id"]
    eventually(lambda: len(stack.history()) >= 3, what="the short job in the second worker")
    first.kill()
    eventually(lambda: stack.run(run["id"])["scenes"][0]["attempt"] == 2, what="the take-back")
    stack.api.delete(f"/projects/{project['project']['id']}/sentences/{sentence}")
    detail = stack.ended(run["id"], within_s=20)
    assert detail["scenes"][0]["crashes"] == 1
    assert check(stack) == []


def test_a_scene_that_kills_its_worker_three_times_fails_and_the_others_go_on(stack: Stack) -> None:
    stack.crashed = True
    stack.coordinator()
    stack.worker("video")
    worker = stack.worker("image")
    stop = threading.Event()

    def supervise() -> None:
        while not stop.wait(0.1):
            if not worker.running:
                worker.start()

    supervisor = threading.Thread(target=supervise)
    supervisor.start()
    try:
        project = stack.project(["fine", "deadly image/crash", "fine too"])
        detail = stack.ended(stack.press(project["project"]["id"])["id"])
    finally:
        stop.set()
        supervisor.join()
    assert [scene["status"] for scene in detail["scenes"]] == ["done", "failed", "done"]
    assert detail["failures"][0]["cause"] == "worker_crashed"
    assert detail["scenes"][1]["crashes"] == 3
    assert sum(1 for line in stack.history() if line["number"] == 2) == 3
    assert check(stack) == []


def test_a_frozen_worker_loses_its_lease_and_its_late_result_does_no_harm(stack: Stack) -> None:
    stack.crashed = True
    stack.coordinator(**SHORT_LEASE)
    stack.worker("video")
    frozen = stack.worker("image", "image-frozen")
    run = stack.press(stack.project(["frozen in the middle take:1.5"])["project"]["id"], stages=["image"])
    eventually(stack.history, what="the job")
    frozen.signal(signal.SIGSTOP)
    assert frozen.process
    stack.frozen_pids.add(frozen.process.pid)
    stack.worker("image", "image-other")
    eventually(lambda: stack.run(run["id"])["scenes"][0]["attempt"] == 2, what="the lost lease")
    frozen.signal(signal.SIGCONT)
    detail = stack.ended(run["id"])
    assert detail["run"]["images"]["done"] == 1
    # The frozen worker's file was ready first or second; either way one is selected and none is lost.
    board = stack.storyboard(detail["run"]["project_id"])
    assert board["sentences"][0]["image"]
    eventually(lambda: sum(line["what"] != "start" for line in stack.history()) == 2, what="both generators to end")
    assert check(stack) == []


def test_a_worker_that_leaves_in_order_gives_its_job_back_at_once(stack: Stack) -> None:
    stack.coordinator(LEASE_TICKS="1000")  # A lease that would outlast the test.
    worker = stack.worker("image")
    stack.worker("video")
    run = stack.press(stack.project(["given back image/take:3"])["project"]["id"])
    eventually(stack.history, what="the job")
    assert worker.stop() == 0
    scene = eventually(
        lambda: next((s for s in stack.run(run["id"])["scenes"] if s["attempt"] == 2), None),
        what="the job to be given back",
    )
    assert scene
    assert (scene["crashes"], scene["failures"]) == (0, 0)
    stack.restart("image-worker")
    all_made(stack, run, 1)


def test_every_service_ends_in_order_when_it_is_told_to(stack: Stack) -> None:
    stack.start()
    stack.notifier()
    project = stack.project([f"told to end {n} take:0.05" for n in range(6)])
    run = stack.press(project["project"]["id"])
    eventually(lambda: len(stack.history()) > 2, what="some work")
    for service in list(stack.services.values()):
        assert service.stop() == 0, service.text()[-2000:]
    for name in stack.services:
        stack.restart(name)
    all_made(stack, run, 6)


def test_all_connections_closed_by_an_operator(stack: Stack) -> None:
    stack.start()
    run = stack.press(stack.project([f"{text} more" for text in SENTENCES])["project"]["id"])
    for _ in range(3):
        goes_on = partial(moved, stack, run, len(stack.history()) + 2)
        stack.close_connections()
        eventually(goes_on, what="the work to go on")
    all_made(stack, run)


def test_a_job_that_runs_while_the_connection_is_lost_is_not_started_again(stack: Stack) -> None:
    stack.start()
    run = stack.press(stack.project(["not twice take:2"])["project"]["id"])
    eventually(stack.history, what="the job")
    eventually(lambda: stack.close_connections() > 0, what="connections to close")
    all_made(stack, run, 1)
    assert [line["what"] for line in stack.history() if line["stage"] == "image"] == ["start", "end"]


def test_a_cancel_reaches_the_worker_with_its_next_renewal_when_the_message_was_lost(stack: Stack) -> None:
    stack.coordinator()
    stack.worker("image", PLANTED_FAULT="deaf_to_stops", PYTHONPATH="tests/planted")
    run = stack.press(stack.project(["never heard take:60"])["project"]["id"])
    eventually(stack.history, what="the job")
    stack.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    assert stack.ended(run["id"], within_s=10)["run"]["status"] == "cancelled"
    assert [line["what"] for line in stack.history()] == ["start", "stopped"]


def test_the_purger_dies_while_it_holds_everyones_messages(stack: Stack) -> None:
    stack.coordinator(CRASH_AT="purge.holding")
    stack.worker("image")
    stack.worker("video")
    blocker = stack.press(stack.project(["holds the worker image/take:8"])["project"]["id"])
    mine = stack.press(stack.project([f"mine {n}" for n in range(10)])["project"]["id"])
    theirs = stack.press(stack.project([f"theirs {n}" for n in range(10)])["project"]["id"])
    eventually(lambda: stack.ready("image") >= 20, what="full queues")
    stack.api.post(f"/runs/{mine['id']}/cancel").raise_for_status()
    dies(stack, "coordinator")
    assert stack.ended(mine["id"])["run"]["status"] == "cancelled"
    stack.ended(blocker["id"])
    all_made(stack, theirs, 10)


def test_messages_nobody_can_read_are_parked_and_the_reader_goes_on(stack: Stack) -> None:
    stack.start()
    eventually(lambda: len(stack.api.get("/workers").json()["workers"]) == 2, what="both workers")
    for queue in ("jobs.image", "jobs.video", "results", "claims"):
        for body in (b"\x00\xff", b"[]", b'{"type":"x"}', b'{"v":2,"type":"generate_image"}'):
            stack.publish_raw(queue, body)
    stack.publish_raw("results", b'"' + b"x" * (1 << 20) + b'"')
    run = stack.press(stack.project(SENTENCES)["project"]["id"])
    all_made(stack, run)
    eventually(lambda: stack.parked() == 17, what="seventeen parked messages")
    assert 'videogen_messages_parked_total{cause="oversized",queue="results"} 1.0' in stack.metrics()
    assert 'videogen_messages_parked_total{cause="not_json",queue="claims"} 1.0' in stack.metrics()


def test_a_locked_database_delays_and_loses_nothing(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.start()
    run = stack.press(stack.project(SENTENCES)["project"]["id"])
    eventually(lambda: len(stack.history()) > 3, what="some work")
    with stack.locked_database():
        held = len(stack.history())
        # Longer than any answer may take; what runs now must wait, and not fail.
        started = time.monotonic()
        eventually(lambda: time.monotonic() - started > 3, what="three seconds")
        assert len(stack.history()) <= held + 6
    all_made(stack, run)


# The checker itself: each promise is shown able to fail by a fault planted into the real services.


def planted(stack: Stack, fault: str) -> dict[str, str]:
    stack.crashed = False
    return {"PLANTED_FAULT": fault, "PYTHONPATH": "tests/planted"}


def test_acknowledging_before_publishing_loses_work_and_is_noticed(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    fault = planted(stack, "ack_before_publish,no_republish,no_lease")
    stack.coordinator(**fault, **SHORT_LEASE)
    stack.worker("image", CRASH_AT="worker.before_report:3", **fault)
    stack.worker("video")
    run = stack.press(stack.project(SENTENCES)["project"]["id"])
    dies(stack, "image-worker")
    with pytest.raises(NotInTime):
        stack.ended(run["id"], within_s=8)
    assert any("never ended" in broken for broken in check(stack, within_s=2))


def test_working_without_a_claim_runs_jobs_twice_and_is_noticed(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    fault = planted(stack, "no_claim")
    stack.coordinator(**fault)
    for name in ("image-a", "image-b"):
        stack.worker("image", name)
    stack.worker("video")
    project = stack.project(["twice at a time take:4", "once"])
    run = stack.press(project["project"]["id"], stages=["image"])
    eventually(stack.history, what="the job")
    stack.republish(run["id"])
    stack.ended(run["id"])
    eventually(lambda: sum(line["what"] == "start" for line in stack.history()) >= 3, what="the second making")
    assert any("ran in two workers at once" in broken or "times" in broken for broken in check(stack))


def test_without_the_fence_an_old_attempt_spoils_a_new_one_and_is_noticed(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.start()
    stack.services["coordinator"].stop()
    stack.services["coordinator"].environment.update(planted(stack, "no_fence"))
    stack.restart("coordinator")
    project = stack.project(["spoiled take:30"])
    run = stack.press(project["project"]["id"], stages=["image"])
    eventually(stack.history, what="the job")
    stack.publish_failure(stack.run(run["id"])["scenes"][0], attempt=0)
    detail = stack.ended(run["id"])
    assert detail["run"]["failed"] == 1, "without the fence, a failure of no attempt counts"


def test_with_the_fence_an_old_attempt_changes_nothing(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.start()
    project = stack.project(["unspoiled take:1"])
    run = stack.press(project["project"]["id"], stages=["image"])
    eventually(stack.history, what="the job")
    stack.publish_failure(stack.run(run["id"])["scenes"][0], attempt=0)
    assert stack.ended(run["id"])["run"]["failed"] == 0
    assert check(stack) == []


def test_purging_the_whole_queue_loses_other_peoples_jobs_and_is_noticed(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.coordinator(**planted(stack, "queue_purge,no_republish"))
    stack.worker("image")
    blocker = stack.press(stack.project(["in the way take:60"])["project"]["id"], stages=["image"])
    eventually(stack.history, what="the blocker to run")
    mine = stack.press(stack.project([f"mine {n}" for n in range(5)])["project"]["id"], stages=["image"])
    theirs = stack.press(stack.project([f"theirs {n}" for n in range(5)])["project"]["id"], stages=["image"])
    eventually(lambda: stack.ready("image") >= 10, what="full queues")
    stack.api.post(f"/runs/{mine['id']}/cancel").raise_for_status()
    eventually(lambda: not stack.purging(), what="the purge")
    stack.api.post(f"/runs/{blocker['id']}/cancel").raise_for_status()
    stack.ended(blocker["id"])
    with pytest.raises(NotInTime):
        stack.ended(theirs["id"], within_s=6)
    assert any("never ended" in broken for broken in check(stack, within_s=2))


def test_publishing_without_an_outbox_loses_jobs_and_is_noticed(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.coordinator(CRASH_AT="change.after_commit:1", **planted(stack, "no_outbox,no_republish"))
    stack.worker("image")
    project = stack.project(SENTENCES)
    with pytest.raises(Exception, match=r"disconnected|reset|refused|Connection"):
        stack.press(project["project"]["id"])
    dies(stack, "coordinator")
    run = stack.press(project["project"]["id"])
    with pytest.raises(NotInTime):
        stack.ended(run["id"], within_s=6)
    assert any("never ended" in broken for broken in check(stack, within_s=2))


def test_without_leases_a_dead_workers_job_hangs_and_is_noticed(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.coordinator(**planted(stack, "no_lease"), **SHORT_LEASE)
    stack.worker("image", CRASH_AT="worker.after_claim")
    run = stack.press(stack.project(SENTENCES)["project"]["id"], stages=["image"])
    dies(stack, "image-worker")
    with pytest.raises(NotInTime):
        stack.ended(run["id"], within_s=8)
    assert any("never ended" in broken for broken in check(stack, within_s=2))


def test_a_coordinator_with_a_broken_part_ends_with_an_error(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    coordinator = stack.add("coordinator", "services.coordinator", **planted(stack, "broken_ticks"))
    eventually(lambda: not coordinator.running, what="the end of the process")
    assert coordinator.process
    assert coordinator.process.returncode == 1, "a supervisor starts only what did not end in order"


def test_a_disk_that_cannot_be_asked_holds_the_run_and_says_so(sqlite_stack: Stack) -> None:
    stack = sqlite_stack
    stack.coordinator(**planted(stack, "stale_disk"))
    stack.worker("image")
    run = stack.press(stack.project(["one"])["project"]["id"])
    notice = eventually(lambda: stack.run(run["id"])["run"]["notice"], what="the notice")
    assert notice["message"].startswith("The disk for images and videos cannot be read (Stale file handle)")
    stack.api.post(f"/runs/{run['id']}/cancel").raise_for_status()
    assert stack.ended(run["id"])["run"]["status"] == "cancelled"
    assert stack.services["coordinator"].running
