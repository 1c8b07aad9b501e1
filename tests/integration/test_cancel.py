"""Stopping: cancel, pause, one scene alone, and what is left of everyone else. Story task 5.3."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.fixtures.stack import Stack, eventually


def lines(stack: Stack, project: dict[str, Any], what: str | None = None) -> list[dict[str, Any]]:
    texts = {sentence["text"] for sentence in project["sentences"]}
    return [line for line in stack.history() if line["text"] in texts and what in (None, line["what"])]


def running(stack: Stack, project: dict[str, Any]) -> bool:
    """The generator works on this project now."""
    told = [line["what"] for line in lines(stack, project)]
    return bool(told) and told[-1] == "start"


def cancel(stack: Stack, run: dict[str, Any], status: int | None = None) -> dict[str, Any]:
    answer = stack.api.post(f"/runs/{run['id']}/cancel")
    answer.raise_for_status()
    assert status in (None, answer.status_code)
    cancelled: dict[str, Any] = answer.json()
    return cancelled


@pytest.fixture(autouse=True)
def _nothing_left_on_the_queues(studio: Stack) -> Iterator[None]:
    yield
    eventually(lambda: studio.ready() == 0, what="empty job queues")


def test_cancel_stops_the_running_job_within_a_step_and_starts_no_other(studio: Stack) -> None:
    project = studio.project([f"stopped {n} take:30" for n in range(6)])
    run = studio.press(project["project"]["id"])
    eventually(lambda: running(studio, project), what="the first job")
    assert cancel(studio, run, 202)["status"] == "cancelling"
    detail = studio.ended(run["id"], within_s=10)
    assert detail["run"]["status"] == "cancelled"
    assert {scene["status"] for scene in detail["scenes"]} == {"cancelled"}
    assert [line["what"] for line in lines(studio, project)] == ["start", "stopped"]


def test_no_claim_is_granted_after_cancel_has_answered(studio: Stack) -> None:
    project = studio.project([f"no claim {n} take:0.1" for n in range(60)])
    run = studio.press(project["project"]["id"])
    eventually(lambda: lines(studio, project), what="the first job")
    cancel(studio, run)
    answered = time.monotonic()
    studio.ended(run["id"])
    # One job may have been granted before and be on its way into the generator.
    late = [line for line in lines(studio, project, "start") if line["at"] > answered]
    assert len(late) <= 1
    assert len(lines(studio, project, "start")) < 60


def test_the_messages_of_the_run_leave_the_queue_and_another_runs_stay_in_order(studio: Stack) -> None:
    blocker = studio.project(["blocker take:60"])
    blocking = studio.press(blocker["project"]["id"], stages=["image"])
    eventually(lambda: running(studio, blocker), what="the blocker")
    mine = studio.project([f"mine {n}" for n in range(12)])
    theirs = studio.project([f"theirs {n}" for n in range(12)])
    my_run = studio.press(mine["project"]["id"], stages=["image"])
    their_run = studio.press(theirs["project"]["id"], stages=["image"])
    eventually(lambda: studio.ready("image") == 8, what="both windows on the queue")
    cancel(studio, my_run)
    assert studio.ended(my_run["id"])["run"]["status"] == "cancelled"
    eventually(lambda: not studio.purging(), what="the purge")
    assert running(studio, blocker)
    cancel(studio, blocking)
    ended = studio.ended(their_run["id"])["run"]
    studio.ended(blocking["id"])
    assert (ended["images"]["done"], ended["failed"]) == (12, 0)
    numbers = [line["number"] for line in lines(studio, theirs, "start")]
    assert numbers == sorted(numbers)
    assert not lines(studio, mine)


def test_finished_work_is_kept(studio: Stack) -> None:
    project = studio.project(["kept one", "kept two", "never take:30", "never again take:30"])
    run = studio.press(project["project"]["id"], stages=["image"])
    eventually(lambda: len(lines(studio, project, "start")) == 3, what="the third job")
    cancel(studio, run)
    ended = studio.ended(run["id"])["run"]
    assert (ended["images"]["done"], ended["images"]["cancelled"]) == (2, 2)
    board = studio.storyboard(project["project"]["id"])["sentences"]
    assert [bool(sentence["image"]) for sentence in board] == [True, True, False, False]


def test_cancel_twice_is_cancel_once(studio: Stack) -> None:
    project = studio.project(["twice take:30", "twice too"])
    run = studio.press(project["project"]["id"])
    eventually(lambda: running(studio, project), what="the first job")
    cancel(studio, run, 202)
    cancel(studio, run, 200)
    assert studio.ended(run["id"])["run"]["status"] == "cancelled"
    assert cancel(studio, run, 200)["status"] == "cancelled"


def test_cancelling_a_finished_run_changes_nothing(studio: Stack) -> None:
    project = studio.project(["finished"])
    run = studio.press(project["project"]["id"])
    ended = studio.ended(run["id"])["run"]
    assert cancel(studio, run, 200) == ended


def test_cancel_at_the_press_itself(studio: Stack) -> None:
    project = studio.project([f"at once {n} take:1" for n in range(20)])
    for _ in range(5):
        run = studio.press(project["project"]["id"], stages=["image"], replace=["image"])
        cancel(studio, run)
        assert studio.ended(run["id"])["run"]["status"] == "cancelled"


def test_cancel_at_the_last_moment_ends_one_way_or_the_other(studio: Stack) -> None:
    for take in ("0.00", "0.02", "0.04", "0.06", "0.08"):
        project = studio.project([f"last moment {take} take:0.04"])
        run = studio.press(project["project"]["id"], stages=["image"])
        eventually(partial(lines, studio, project), what="the job")
        end = time.monotonic() + float(take)
        while time.monotonic() < end:
            pass
        cancel(studio, run)
        detail = studio.ended(run["id"])
        image = studio.storyboard(project["project"]["id"])["sentences"][0]["image"]
        if detail["run"]["status"] == "completed":
            assert image
        else:
            # A file that was finished in the meantime is kept; the scene is cancelled all the same.
            assert detail["scenes"][0]["status"] == "cancelled"
            assert bool(image) == bool(detail["scenes"][0]["image"])


def test_thirty_cancels_in_a_row_lose_nothing_of_anyone_else(studio: Stack) -> None:
    other = studio.project([f"bystander {n} take:0.05" for n in range(40)])
    other_run = studio.press(other["project"]["id"], stages=["image"])
    victim = studio.project([f"victim {n}" for n in range(6)])
    for _ in range(30):
        run = studio.press(victim["project"]["id"], stages=["image"], replace=["image"])
        cancel(studio, run)
        studio.ended(run["id"])
    ended = studio.ended(other_run["id"], within_s=90)["run"]
    assert (ended["images"]["done"], ended["failed"]) == (40, 0)
    started = [line["number"] for line in lines(studio, other, "start")]
    assert sorted(started) == list(range(1, 41))


def test_two_runs_cancelled_at_the_same_time(studio: Stack) -> None:
    projects = [studio.project([f"both {side} {n} take:2" for n in range(10)]) for side in "ab"]
    pressed = [studio.press(project["project"]["id"]) for project in projects]
    eventually(lambda: lines(studio, projects[0]), what="the first job")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda run: cancel(studio, run), pressed * 2))
    for run in pressed:
        assert studio.ended(run["id"])["run"]["status"] == "cancelled"


def test_the_storyboard_can_be_made_after_a_cancel(studio: Stack) -> None:
    project = studio.project([f"another day {n} take:0.1" for n in range(4)])
    first = studio.press(project["project"]["id"])
    eventually(lambda: lines(studio, project), what="the first job")
    cancel(studio, first)
    studio.ended(first["id"])
    ended = studio.ended(studio.press(project["project"]["id"])["id"])["run"]
    assert (ended["status"], ended["failed"]) == ("completed", 0)
    board = studio.storyboard(project["project"]["id"])["sentences"]
    assert all(sentence["image"] and sentence["video"] for sentence in board)


def test_one_scene_is_cancelled_alone(studio: Stack) -> None:
    project = studio.project(["goes on", "stops take:30", "goes on too"])
    run = studio.press(project["project"]["id"], stages=["image"])
    eventually(lambda: running(studio, project) and lines(studio, project)[-1]["number"] == 2, what="the long job")
    scene = next(s for s in studio.run(run["id"])["scenes"] if s["number"] == 2)
    answer = studio.api.post(f"/runs/{run['id']}/scenes/{scene['id']}/cancel")
    assert (answer.status_code, answer.json()["stopping"]) == (202, "cancel")
    detail = studio.ended(run["id"], within_s=10)
    assert detail["run"]["status"] == "completed"
    assert [s["status"] for s in detail["scenes"]] == ["done", "cancelled", "done"]
    assert studio.api.post(f"/runs/{run['id']}/scenes/{scene['id']}/cancel").status_code == 200


def test_pause_lets_the_running_job_finish_and_starts_no_other(studio: Stack) -> None:
    project = studio.project(["finishes image/take:2", "waits", "waits too"])
    run = studio.press(project["project"]["id"])
    eventually(lambda: running(studio, project), what="the first job")
    paused = studio.api.post(f"/runs/{run['id']}/pause").json()
    assert paused["status"] == "paused"
    eventually(lambda: studio.run(run["id"])["run"]["images"]["done"] == 1, what="the running image")
    eventually(lambda: not studio.purging(), what="the purge")
    state = studio.run(run["id"])["run"]
    assert (state["images"]["waiting"], state["images"]["queued"], state["videos"]["queued"]) == (2, 0, 0)
    assert len(lines(studio, project, "start")) == 1
    assert studio.api.post(f"/runs/{run['id']}/resume").status_code == 202
    ended = studio.ended(run["id"])["run"]
    assert (ended["images"]["done"], ended["videos"]["done"]) == (3, 3)
    assert len(lines(studio, project, "start")) == 6


def test_pause_now_stops_the_running_job_and_resume_makes_it_again(studio: Stack) -> None:
    project = studio.project(["interrupted take:3"])
    run = studio.press(project["project"]["id"], stages=["image"])
    eventually(lambda: running(studio, project), what="the job")
    studio.api.post(f"/runs/{run['id']}/pause", json={"stop_running": True})
    eventually(lambda: lines(studio, project, "stopped"), what="the stop")
    eventually(lambda: studio.run(run["id"])["scenes"][0]["status"] == "waiting", what="the scene to wait")
    studio.api.post(f"/runs/{run['id']}/resume")
    detail = studio.ended(run["id"])
    assert detail["run"]["images"]["done"] == 1
    assert (detail["scenes"][0]["failures"], detail["scenes"][0]["crashes"]) == (0, 0)


def test_a_paused_run_can_be_cancelled(studio: Stack) -> None:
    project = studio.project([f"paused then cancelled {n} take:2" for n in range(4)])
    run = studio.press(project["project"]["id"])
    studio.api.post(f"/runs/{run['id']}/pause")
    cancel(studio, run)
    assert studio.ended(run["id"])["run"]["status"] == "cancelled"
    assert studio.api.post(f"/runs/{run['id']}/resume").status_code == 409


def test_pause_and_resume_back_and_forth_makes_everything_once(studio: Stack) -> None:
    project = studio.project([f"back and forth {n} take:0.02" for n in range(12)])
    run = studio.press(project["project"]["id"])
    for _ in range(8):
        studio.api.post(f"/runs/{run['id']}/pause").raise_for_status()
        studio.api.post(f"/runs/{run['id']}/resume").raise_for_status()
    ended = studio.ended(run["id"])["run"]
    assert (ended["images"]["done"], ended["videos"]["done"], ended["failed"]) == (12, 12, 0)
    made = [(line["stage"], line["number"]) for line in lines(studio, project, "end")]
    assert len(made) == len(set(made)) == 24


def test_retry_makes_just_what_failed_and_keeps_images_that_exist(studio: Stack) -> None:
    project = studio.project(["good", "bad image image/fail:bad_prompt", "bad clip video/fail:bad_move"])
    project_id = project["project"]["id"]
    run = studio.press(project_id)
    studio.ended(run["id"])
    for sentence in project["sentences"][1:]:
        path = f"/projects/{project_id}/sentences/{sentence['id']}"
        studio.api.patch(path, json={"prompt": "mended"}).raise_for_status()
    answer = studio.api.post(f"/runs/{run['id']}/retry-failed")
    assert answer.status_code == 202
    retry = answer.json()
    assert (retry["retry_of"], retry["images"]["total"], retry["videos"]["total"]) == (run["id"], 1, 2)
    assert studio.api.post(f"/runs/{run['id']}/retry-failed").status_code in (200, 409)
    ended = studio.ended(retry["id"])["run"]
    assert (ended["failed"], ended["videos"]["done"]) == (0, 2)
    assert studio.api.post(f"/runs/{ended['id']}/retry-failed").status_code == 409


def test_retry_of_one_cause_or_one_sentence_leaves_the_rest_failed(studio: Stack) -> None:
    project = studio.project([f"{cause} {n} image/fail:{cause}" for n, cause in enumerate(["red", "red", "blue"])])
    run = studio.press(project["project"]["id"])
    studio.ended(run["id"])
    by_cause = studio.api.post(f"/runs/{run['id']}/retry-failed", json={"cause": "blue"}).json()
    assert by_cause["scenes"] == 1
    studio.ended(by_cause["id"])
    one = [project["sentences"][1]["id"]]
    by_sentence = studio.api.post(f"/runs/{run['id']}/retry-failed", json={"sentence_ids": one}).json()
    assert by_sentence["scenes"] == 1
    studio.ended(by_sentence["id"])


def test_deleting_a_sentence_cancels_its_scene_and_no_other(studio: Stack) -> None:
    project = studio.project(["stays", "deleted take:30", "stays too"])
    project_id, doomed = project["project"]["id"], project["sentences"][1]["id"]
    run = studio.press(project_id, stages=["image"])
    eventually(lambda: running(studio, project) and lines(studio, project)[-1]["number"] == 2, what="the long job")
    assert studio.api.delete(f"/projects/{project_id}/sentences/{doomed}").status_code == 204
    detail = studio.ended(run["id"], within_s=10)
    assert [scene["status"] for scene in detail["scenes"]] == ["done", "cancelled", "done"]


def test_deleting_a_project_cancels_its_runs(studio: Stack) -> None:
    project = studio.project([f"whole project {n} take:30" for n in range(3)])
    run = studio.press(project["project"]["id"])
    eventually(lambda: running(studio, project), what="the first job")
    assert studio.api.delete(f"/projects/{project['project']['id']}").status_code == 204
    assert studio.ended(run["id"], within_s=10)["run"]["status"] == "cancelled"
