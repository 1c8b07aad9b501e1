"""The press, and everything that can be asked of a run."""

from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.coordinator.store import scenes
from tests.fixtures.desk import Desk, Json

BOTH = ["image", "video"]


def press(desk: Desk, board: Json, **body: Any) -> tuple[int, Json]:
    answer = desk.api.post(f"/projects/{board['project']['id']}/generate-scenes", json=body or None)
    found: Json = answer.json()
    return answer.status_code, found


def ids(board: Json, *places: int) -> list[str]:
    return [board["sentences"][place - 1]["id"] for place in places]


def detail(desk: Desk, run: Json) -> Json:
    return desk.get(f"/runs/{run['id']}")


def post(desk: Desk, run: Json, verb: str, body: Any = None) -> tuple[int, Json]:
    answer = desk.api.post(f"/runs/{run['id']}/{verb}", json=body)
    found: Json = answer.json()
    return answer.status_code, found


# The press.


def test_a_press_answers_the_run_with_its_frozen_plan(desk: Desk) -> None:
    board = desk.project("One.", "Two.", "Three.")
    status, run = press(desk, board)
    assert status == 202
    assert (run["kind"], run["status"], run["order"], run["stages"]) == ("bulk", "running", "images_first", BOTH)
    assert (run["scenes"], run["images"]["total"], run["videos"]["total"]) == (3, 3, 3)
    assert run["progress"] == {"stage": "image", "settled": 0, "total": 3}
    assert [(s["number"], s["plan"], s["stage"]) for s in detail(desk, run)["scenes"]] == [
        (number, BOTH, "image") for number in (1, 2, 3)
    ]
    assert [r["id"] for r in desk.board(board["project"]["id"])["runs"]] == [run["id"]]


@pytest.mark.parametrize("body", [None, {}, {"order": "images_first", "stages": ["video", "image"]}])
def test_a_second_press_answers_the_same_run(desk: Desk, body: Json | None) -> None:
    board = desk.project("One.")
    _, run = press(desk, board)
    before = desk.dump()
    assert press(desk, board, **(body or {})) == (200, run)
    assert desk.dump() == before


@pytest.mark.parametrize("body", [{"order": "per_scene"}, {"stages": ["image"]}, {"replace": ["image"]}])
def test_a_different_press_is_refused_and_the_answer_names_the_run(desk: Desk, body: Json) -> None:
    board = desk.project("One.")
    _, run = press(desk, board)
    before = desk.dump()
    status, problem = press(desk, board, **body)
    assert (status, problem["run_id"]) == (409, run["id"])
    assert desk.dump() == before


def test_a_press_with_nothing_to_do_says_so(desk: Desk) -> None:
    made, empty = desk.generated("One."), desk.project()
    before = desk.dump()
    status, problem = press(desk, made)
    assert status == 409
    assert "every sentence has its image and its video" in problem["detail"]
    assert "run_id" not in problem
    status, problem = press(desk, empty)
    assert status == 409
    assert "no sentences" in problem["detail"]
    status, problem = press(desk, desk.project("No image."), stages=["video"])
    assert status == 409
    assert "no images" in problem["detail"]
    assert desk.dump()["run"] == before["run"]


def test_only_what_is_missing_is_made(desk: Desk) -> None:
    board = desk.project("One.", "Two.", "Three.")
    project_id = board["project"]["id"]
    desk.work_off(desk.press(project_id, sentence_ids=ids(board, 1))["id"])
    desk.work_off(desk.press(project_id, sentence_ids=ids(board, 2), stages=["image"])["id"])
    status, run = press(desk, board)
    assert status == 202
    assert [(s["number"], s["plan"]) for s in detail(desk, run)["scenes"]] == [(2, ["video"]), (3, BOTH)]
    assert (run["images"]["total"], run["videos"]["total"]) == (1, 2)


def test_images_come_before_all_videos_unless_asked_otherwise(desk: Desk) -> None:
    for order, expected in [("images_first", "waiting"), ("per_scene", "queued")]:
        board = desk.project("One.", "Two.")
        _, run = press(desk, board, order=order)
        desk.do_job(detail(desk, run)["scenes"][0])
        first, second = detail(desk, run)["scenes"]
        assert (first["stage"], first["status"], second["status"]) == ("video", expected, "queued")


def test_images_alone_are_made_where_only_they_are_asked_for(desk: Desk) -> None:
    board = desk.project("One.")
    _, run = press(desk, board, stages=["image"])
    assert run["videos"]["total"] == 0
    desk.work_off(run["id"])
    made = desk.board(board["project"]["id"])["sentences"][0]
    assert made["image"]
    assert made["video"] is None


@pytest.mark.parametrize(("replace", "plan"), [(["image"], BOTH), (["video"], ["video"]), (BOTH, BOTH)])
def test_replace_makes_anew_and_keeps_the_old_until_the_new_is_there(
    desk: Desk, replace: list[str], plan: list[str]
) -> None:
    board = desk.generated("One.")
    old = board["sentences"][0]
    status, run = press(desk, board, replace=replace)
    assert (status, detail(desk, run)["scenes"][0]["plan"]) == (202, plan)
    now = desk.board(board["project"]["id"])["sentences"][0]
    assert (now["image"], now["video"]) == (old["image"], old["video"])
    desk.work_off(run["id"])
    now = desk.board(board["project"]["id"])["sentences"][0]
    assert (now["image"] != old["image"]) == ("image" in plan)
    assert now["video"] != old["video"]
    assert (now["image_stale"], now["video_stale"]) == (False, False)


def test_a_dry_run_answers_the_plan_and_changes_nothing(desk: Desk) -> None:
    board = desk.generated("One.", "Two. failvideo:oom", "Three. fail:nsfw")
    before = desk.dump()
    status, plan = press(desk, board, dry_run=True)
    assert status == 200
    assert (plan["images"], plan["videos"]) == (1, 2)
    assert [(s["position"], s["stages"]) for s in plan["sentences"]] == [(2, ["video"]), (3, BOTH)]
    assert [(s["position"], s["reason"]) for s in plan["skipped"]] == [(1, "nothing_to_do")]
    _, plan = press(desk, board, dry_run=True, stages=["video"])
    assert [(s["position"], s["reason"]) for s in plan["skipped"]] == [(1, "nothing_to_do"), (3, "no_image")]
    _, plan = press(desk, board, dry_run=True, sentence_ids=ids(board, 3))
    assert [s["position"] for s in plan["sentences"] + plan["skipped"]] == [3]
    assert desk.dump() == before


def test_a_dry_run_shows_what_another_run_makes_as_busy(desk: Desk) -> None:
    board = desk.project("One.", "Two.")
    press(desk, board, sentence_ids=ids(board, 1))
    _, plan = press(desk, board, dry_run=True)
    assert [(s["position"], s["reason"]) for s in plan["skipped"]] == [(1, "busy")]


def test_one_sentence_can_be_made_anew_beside_a_bulk_run(desk: Desk) -> None:
    board = desk.generated("One.", "Two. failvideo:oom")
    _, bulk = press(desk, board)
    status, partial = press(desk, board, sentence_ids=ids(board, 1), replace=["image"])
    assert (status, partial["kind"], partial["scenes"]) == (202, "partial", 1)
    assert press(desk, board, sentence_ids=ids(board, 1), replace=["image"]) == (200, partial)
    assert {r["id"] for r in desk.board(board["project"]["id"])["runs"]} == {bulk["id"], partial["id"]}


def test_a_busy_sentence_is_refused_and_the_answer_names_its_run(desk: Desk) -> None:
    board = desk.project("One.", "Two.")
    _, run = press(desk, board, sentence_ids=ids(board, 1))
    before = desk.dump()
    status, problem = press(desk, board, sentence_ids=ids(board, 1, 2))
    assert (status, problem["run_id"]) == (409, run["id"])
    assert desk.dump() == before


def test_a_bulk_run_leaves_out_what_a_partial_run_makes(desk: Desk) -> None:
    board = desk.project("One.", "Two.")
    press(desk, board, sentence_ids=ids(board, 1))
    status, run = press(desk, board)
    assert (status, [s["number"] for s in detail(desk, run)["scenes"]]) == (202, [2])
    other = desk.project("Only.")
    press(desk, other, sentence_ids=ids(other, 1))
    status, problem = press(desk, other)
    assert status == 409
    assert "another run" in problem["detail"]


def test_a_sentence_of_another_project_cannot_be_asked_for(desk: Desk) -> None:
    board, other = desk.project("One."), desk.project("Two.")
    before = desk.dump()
    for wanted in (ids(other, 1), [*ids(board, 1), str(uuid4())]):
        for dry_run in (True, False):
            status, problem = press(desk, board, sentence_ids=wanted, dry_run=dry_run)
            assert (status, problem["errors"][0]["field"]) == (422, "sentence_ids")
    assert desk.dump() == before


def test_the_plan_is_frozen_at_the_press(desk: Desk) -> None:
    board = desk.project({"text": "One.", "prompt": "a fox", "seed": 5}, style="ink")
    project_id = board["project"]["id"]
    _, run = press(desk, board)
    desk.patch(f"/projects/{project_id}", {"style": "oil", "title": "New", "size": {"width": 64}})
    desk.post(f"/projects/{project_id}/sentences", {"text": "Later."})
    scenes = detail(desk, run)["scenes"]
    assert len(scenes) == 1
    given = desk.claim(scenes[0]).input
    assert (given.title, given.text, given.prompt) == ("A story", "One.", "a fox")
    assert (given.style, given.seed, given.size.width) == ("ink", 5, 1280)


def test_no_more_jobs_than_the_window_are_queued(desk: Desk) -> None:
    board = desk.project(*["Many."] * 40)
    _, run = press(desk, board)
    assert (run["images"]["queued"], run["images"]["waiting"]) == (32, 8)
    assert [s["number"] for s in detail(desk, run)["scenes"] if s["status"] == "queued"] == list(range(1, 33))


# What is told of a run.


def test_runs_are_listed_newest_first(desk: Desk) -> None:
    board = desk.project("One.", "Two.", "Three.")
    made = [press(desk, board, sentence_ids=ids(board, place))[1]["id"] for place in (1, 2, 3)]
    base = f"/projects/{board['project']['id']}/runs"
    listed = desk.get(base)["runs"]
    assert [run["id"] for run in listed] == made[::-1]
    assert all(newer["created_at"] >= older["created_at"] for newer, older in pairwise(listed))
    assert [run["id"] for run in desk.get(base + "?limit=1")["runs"]] == [made[2]]


def test_failures_are_grouped_by_cause_the_largest_first(desk: Desk) -> None:
    board = desk.generated("A fail:nsfw", "B failvideo:oom", "C fine", "D fail:oom")
    shown = detail(desk, board["runs"][0])
    assert [(g["cause"], [s["number"] for s in g["scenes"]]) for g in shown["failures"]] == [
        ("oom", [2, 4]),
        ("nsfw", [1]),
    ]
    assert shown["failures"][0]["failure"]["message"] == "It will never work."
    run = shown["run"]
    assert (run["status"], run["failed"], run["scenes"]) == ("completed", 3, 4)
    assert (run["images"]["done"], run["images"]["failed"], run["videos"]["failed"]) == (2, 2, 3)
    assert board["sentences"][0]["image"] is None
    assert board["sentences"][2]["video"]


def test_the_jobs_ahead_are_those_of_runs_before(desk: Desk) -> None:
    for other in desk.get("/projects?limit=200")["projects"]:
        if other["run"] and not other["run"]["ended_at"]:
            post(desk, other["run"], "cancel")
    _, first = press(desk, desk.project("One.", "Two.", "Three."))
    base = detail(desk, first)["ahead"]["images"]
    _, second = press(desk, desk.project("Four."))
    assert detail(desk, second)["ahead"] == {"images": base + 3, "videos": 0}
    desk.do_job(detail(desk, first)["scenes"][0])
    assert detail(desk, second)["ahead"]["images"] == base + 2
    post(desk, first, "cancel")
    assert detail(desk, second)["ahead"]["images"] == base


def test_counters_follow_every_job(desk: Desk) -> None:
    board = desk.project("One.", "Two. fail:nsfw", "Three.")
    _, run = press(desk, board)
    seen = []
    while queued := [s for s in detail(desk, run)["scenes"] if s["status"] == "queued"]:
        desk.do_job(queued[0])
        progress = detail(desk, run)["run"]["progress"]
        seen.append((progress["stage"], progress["settled"], progress["total"]))
    assert seen == [("image", 1, 3), ("image", 2, 3), ("video", 1, 3), ("video", 2, 3), ("video", 3, 3)]


# Stopping and going on.


def test_cancel_stops_what_has_not_started_and_repeated_it_changes_nothing(desk: Desk) -> None:
    _, run = press(desk, desk.project("One.", "Two."))
    status, answer = post(desk, run, "cancel")
    assert (status, answer["status"], answer["images"]["cancelled"]) == (202, "cancelled", 2)
    before = desk.dump()
    assert post(desk, run, "cancel") == (200, answer)
    assert desk.dump() == before
    assert not [row for row in desk.dump()["outbox"] if row[1] == "generate_image" and str(row[3]) == run["id"]]


def test_a_run_whose_job_runs_is_cancelling_until_the_worker_has_stopped(desk: Desk) -> None:
    board = desk.project("One.", "Two.")
    _, run = press(desk, board)
    scene = detail(desk, run)["scenes"][0]
    desk.claim(scene)
    status, answer = post(desk, run, "cancel")
    assert (status, answer["status"]) == (202, "cancelling")
    assert post(desk, run, "cancel")[0] == 200
    status, problem = press(desk, board)
    assert (status, problem["run_id"]) == (409, run["id"])
    desk.complete(scene)
    shown = detail(desk, run)
    assert (shown["run"]["status"], shown["scenes"][0]["status"]) == ("cancelled", "cancelled")
    assert desk.board(board["project"]["id"])["sentences"][0]["image"], "what was finished is kept"


def test_after_a_cancel_a_press_is_a_new_run(desk: Desk) -> None:
    board = desk.project("One.")
    _, run = press(desk, board)
    post(desk, run, "cancel")
    status, again = press(desk, board)
    assert status == 202
    assert again["id"] != run["id"]


def test_a_paused_run_waits_and_a_resumed_one_goes_on(desk: Desk) -> None:
    _, run = press(desk, desk.project("One.", "Two."))
    status, paused = post(desk, run, "pause")
    assert (status, paused["status"], paused["images"]["waiting"], paused["images"]["queued"]) == (202, "paused", 2, 0)
    before = desk.dump()
    assert post(desk, run, "pause") == (200, paused)
    assert desk.dump() == before
    status, resumed = post(desk, run, "resume")
    assert (status, resumed["status"], resumed["images"]["queued"]) == (202, "running", 2)
    assert post(desk, run, "resume") == (200, resumed)
    desk.work_off(run["id"])
    assert detail(desk, run)["run"]["status"] == "completed"


@pytest.mark.parametrize(("body", "stopping"), [(None, None), ({}, None), ({"stop_running": True}, "pause")])
def test_a_pause_lets_the_running_job_finish_unless_asked(desk: Desk, body: Json | None, stopping: str | None) -> None:
    _, run = press(desk, desk.project("One."))
    desk.claim(detail(desk, run)["scenes"][0])
    assert post(desk, run, "pause", body)[0] == 202
    scene = detail(desk, run)["scenes"][0]
    assert (scene["status"], scene["stopping"]) == ("running", stopping)


def test_an_ended_run_can_neither_pause_nor_go_on(desk: Desk) -> None:
    run = desk.generated("One.")["runs"][0]
    before = desk.dump()
    for verb in ("pause", "resume"):
        status, problem = post(desk, run, verb)
        assert (status, problem["run_id"]) == (409, run["id"])
        assert "completed" in problem["detail"]
    status, answer = post(desk, run, "cancel")
    assert (status, answer["status"]) == (200, "completed")
    assert desk.dump() == before


def test_one_scene_is_cancelled_alone(desk: Desk) -> None:
    _, run = press(desk, desk.project("One.", "Two."))
    first, second = detail(desk, run)["scenes"]
    verb = f"scenes/{first['id']}/cancel"
    status, scene = post(desk, run, verb)
    assert (status, scene["status"]) == (202, "cancelled")
    before = desk.dump()
    assert post(desk, run, verb) == (200, scene)
    assert desk.dump() == before
    desk.work_off(run["id"])
    shown = detail(desk, run)
    assert [s["status"] for s in shown["scenes"]] == ["cancelled", "done"]
    assert shown["run"]["status"] == "completed"
    assert second["id"] == shown["scenes"][1]["id"]


def test_a_scene_is_not_reached_through_another_run(desk: Desk) -> None:
    _, run = press(desk, desk.project("One."))
    _, other = press(desk, desk.project("Two."))
    scene = detail(desk, run)["scenes"][0]["id"]
    before = desk.dump()
    assert post(desk, other, f"scenes/{scene}/cancel")[0] == 404
    assert post(desk, run, f"scenes/{uuid4()}/cancel")[0] == 404
    assert desk.dump() == before


def test_one_tab_is_to_tell_the_end_of_a_run_and_no_other_after_it(desk: Desk) -> None:
    board = desk.project("One.")
    _, run = press(desk, board)
    status, problem = post(desk, run, "seen")
    assert (status, problem["run_id"]) == (409, run["id"])
    desk.work_off(run["id"])
    assert detail(desk, run)["run"]["seen"] is False
    status, answer = post(desk, run, "seen")
    assert (status, answer["seen"]) == (202, True)
    before = desk.dump()
    assert post(desk, run, "seen") == (200, answer)
    assert desk.dump() == before


# Retry.


def test_retry_makes_the_failed_sentences_again_and_keeps_their_images(desk: Desk) -> None:
    board = desk.generated("A fail:nsfw", "B failvideo:oom", "C fine")
    run = board["runs"][0]
    status, again = post(desk, run, "retry-failed")
    assert (status, again["retry_of"], again["kind"]) == (202, run["id"], "partial")
    assert [(s["number"], s["plan"]) for s in detail(desk, again)["scenes"]] == [(1, BOTH), (2, ["video"])]
    assert post(desk, run, "retry-failed") == (200, again)


@pytest.mark.parametrize(
    ("stages", "texts"), [(["image"], ["A fail:nsfw"]), (BOTH, ["A fail:nsfw", "B failvideo:oom"])]
)
def test_a_retry_may_make_what_its_run_might(desk: Desk, stages: list[str], texts: list[str]) -> None:
    _, run = press(desk, desk.project(*texts), stages=stages)
    desk.work_off(run["id"])
    _, again = post(desk, run, "retry-failed")
    assert (again["stages"], len(detail(desk, again)["scenes"])) == (stages, len(texts))
    assert post(desk, run, "retry-failed") == (200, again)
    desk.work_off(again["id"])
    _, third = post(desk, again, "retry-failed")
    assert third["stages"] == stages


def test_a_retry_of_a_run_of_videos_makes_videos(desk: Desk) -> None:
    board = desk.generated("A failvideo:oom")
    _, run = press(desk, board, stages=["video"])
    desk.work_off(run["id"])
    _, again = post(desk, run, "retry-failed")
    assert (again["stages"], detail(desk, again)["scenes"][0]["plan"]) == (["video"], ["video"])


def test_retry_takes_one_cause_or_named_sentences(desk: Desk) -> None:
    board = desk.generated("A fail:nsfw", "B fail:oom", "C fail:oom", "D fine")
    run = board["runs"][0]
    _, again = post(desk, run, "retry-failed", {"cause": "oom", "sentence_ids": ids(board, 1, 2, 4)})
    assert [s["number"] for s in detail(desk, again)["scenes"]] == [2]
    _, again = post(desk, run, "retry-failed", {"cause": "nsfw"})
    assert [s["number"] for s in detail(desk, again)["scenes"]] == [1]
    _, again = post(desk, run, "retry-failed")
    assert [s["number"] for s in detail(desk, again)["scenes"]] == [3], "the others are being made"


def test_retry_of_a_run_without_failures_says_so(desk: Desk) -> None:
    board = desk.generated("Fine.")
    before = desk.dump()
    for body in (None, {"cause": "oom"}, {"sentence_ids": ids(board, 1)}, {"sentence_ids": [str(uuid4())]}):
        status, problem = post(desk, board["runs"][0], "retry-failed", body)
        assert status == 409
        assert "Nothing failed" in problem["detail"]
    assert desk.dump() == before


def test_a_run_that_never_was_is_a_404(desk: Desk) -> None:
    nobody = {"id": str(uuid4())}
    before = desk.dump()
    assert desk.api.get(f"/runs/{nobody['id']}").status_code == 404
    for verb in ("cancel", "pause", "resume", "seen", "retry-failed", f"scenes/{uuid4()}/cancel"):
        assert post(desk, nobody, verb)[0] == 404, verb
    assert desk.dump() == before


# What did not fit.


def out_of_memory(desk: Desk, board: Json, fits: tuple[int, int] | None = (832, 480)) -> Json:
    """The run of a storyboard whose only image did not fit."""
    _, run = press(desk, board)
    scene = detail(desk, run)["scenes"][0]
    desk.claim(scene)
    desk.fail(scene, "out_of_memory", fits)
    return run


def size_given(desk: Desk, run: Json) -> tuple[int, int, float]:
    size = desk.claim(detail(desk, run)["scenes"][0]).input.size
    return size.width, size.height, size.seconds


def test_what_did_not_fit_is_told_with_a_size_that_would(desk: Desk) -> None:
    run = out_of_memory(desk, desk.project("One."))
    assert detail(desk, run)["failures"][0]["failure"]["fits"] == {"width": 832, "height": 480}


@pytest.mark.parametrize("body", [None, {"width": 832, "height": 480}])
def test_a_retry_of_what_did_not_fit_is_made_in_the_size_that_does(desk: Desk, body: Json | None) -> None:
    board = desk.project("One.", size={"seconds": 2})
    status, again = post(desk, out_of_memory(desk, board), "retry-failed", body)
    assert status == 202
    assert size_given(desk, again) == (832, 480, 2)
    desk.complete(detail(desk, again)["scenes"][0])
    made = desk.board(board["project"]["id"])
    assert made["project"]["size"]["width"] == 1280
    assert not made["sentences"][0]["image_stale"], "nobody has edited anything"
    assert size_given(desk, again) == (832, 480, 2), "the video is made from it in the same size"
    desk.complete(detail(desk, again)["scenes"][0])
    desk.patch(f"/projects/{board['project']['id']}", {"size": {"width": 640, "height": 360}})
    assert desk.board(board["project"]["id"])["sentences"][0]["image_stale"], "a new size of the project is an edit"


def test_a_retry_in_a_size_of_the_creators_choice(desk: Desk) -> None:
    run = out_of_memory(desk, desk.project("One."))
    _, again = post(desk, run, "retry-failed", {"width": 640, "height": 360})
    assert size_given(desk, again)[:2] == (640, 360)
    desk.post(f"/runs/{again['id']}/cancel")


def test_a_retry_after_the_project_was_made_smaller_takes_its_size(desk: Desk) -> None:
    board = desk.project("One.")
    run = out_of_memory(desk, board)
    desk.patch(f"/projects/{board['project']['id']}", {"size": {"width": 640, "height": 360}})
    _, again = post(desk, run, "retry-failed")
    assert size_given(desk, again)[:2] == (640, 360)
    desk.post(f"/runs/{again['id']}/cancel")


def test_a_smaller_size_stays_when_the_retry_fails_for_another_reason(desk: Desk) -> None:
    _, again = post(desk, out_of_memory(desk, desk.project("One.")), "retry-failed")
    desk.claim(detail(desk, again)["scenes"][0])
    desk.fail(detail(desk, again)["scenes"][0], "worker_crashed")
    _, third = post(desk, again, "retry-failed")
    assert size_given(desk, third)[:2] == (832, 480)
    desk.post(f"/runs/{third['id']}/cancel")


def test_a_failure_without_a_size_is_retried_as_it_was(desk: Desk) -> None:
    _, again = post(desk, out_of_memory(desk, desk.project("One."), fits=None), "retry-failed")
    assert size_given(desk, again)[:2] == (1280, 720)
    desk.post(f"/runs/{again['id']}/cancel")


def test_an_active_run_is_shown_however_many_came_after_it(desk: Desk) -> None:
    board = desk.project("One.", "Two.")
    project_id, (one, two) = board["project"]["id"], ids(board, 1, 2)
    first = desk.press(project_id, sentence_ids=[one])
    for _ in range(25):
        later = desk.press(project_id, sentence_ids=[two])
        desk.post(f"/runs/{later['id']}/cancel")
    assert [run["id"] for run in desk.board(project_id)["runs"]] == [later["id"], first["id"]]


def test_a_cancel_after_a_pause_still_takes_the_messages_off_the_queue(desk: Desk) -> None:
    run = desk.press(desk.project("One.", "Two.")["project"]["id"])
    assert purge_pending(desk, run) is False
    desk.post(f"/runs/{run['id']}/pause")
    assert purge_pending(desk, run) is True
    desk.post(f"/runs/{run['id']}/cancel")
    assert purge_pending(desk, run) is True


def purge_pending(desk: Desk, run: Json) -> bool:
    with desk.database.read() as connection:
        row = scenes.run_row(connection, UUID(run["id"]))
    assert row is not None
    return bool(row.purge_pending)
