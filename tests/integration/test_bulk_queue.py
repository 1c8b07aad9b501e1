"""A press on Generate All Scenes, over the real bus and database: story task 5.2."""

import time
from typing import Any

from tests.fixtures.stack import Stack, eventually

BOTH = ["image", "video"]


def starts(stack: Stack, stage: str | None = None) -> list[dict[str, Any]]:
    return [line for line in stack.history() if line["what"] == "start" and stage in (None, line["stage"])]


def of(lines: list[dict[str, Any]], project: dict[str, Any]) -> list[dict[str, Any]]:
    """Lines about this project; the texts of each test's projects are its own."""
    texts = {sentence["text"] for sentence in project["sentences"]}
    return [line for line in lines if line["text"] in texts]


def most_at_once(stack: Stack, stage: str) -> int:
    running = most = 0
    for line in stack.history():
        if line["stage"] == stage:
            running += 1 if line["what"] == "start" else -1
            most = max(most, running)
    return most


def test_missing_images_are_made_and_then_every_video(studio: Stack) -> None:
    project = studio.project([f"missing {n}" for n in range(6)])
    project_id = project["project"]["id"]
    some = [sentence["id"] for sentence in project["sentences"][:2]]
    studio.ended(studio.press(project_id, sentence_ids=some, stages=["image"])["id"])
    assert len(of(starts(studio), project)) == 2

    run = studio.press(project_id)
    assert (run["images"]["total"], run["videos"]["total"]) == (4, 6)
    ended = studio.ended(run["id"])["run"]

    assert ended["status"] == "completed"
    assert (ended["images"]["done"], ended["videos"]["done"], ended["failed"]) == (4, 6, 0)
    made = of(starts(studio), project)
    assert [line["stage"] for line in made] == ["image"] * 6 + ["video"] * 6
    assert sorted(line["number"] for line in made if line["stage"] == "image") == [1, 2, 3, 4, 5, 6]
    board = studio.storyboard(project_id)
    assert all(sentence["image"] and sentence["video"] for sentence in board["sentences"])


def test_every_artifact_is_a_file_that_can_be_fetched(studio: Stack) -> None:
    project = studio.project(["fetched one", "fetched two"])
    studio.ended(studio.press(project["project"]["id"])["id"])
    for sentence in studio.storyboard(project["project"]["id"])["sentences"]:
        for artifact in (sentence["image"], sentence["video"]):
            answer = studio.api.get(f"/artifacts/{artifact['key']}")
            assert answer.headers["content-type"] == artifact["media_type"]
            assert len(answer.content) == artifact["size"]


def test_images_first_starts_no_video_before_the_last_image_settled(studio: Stack) -> None:
    project = studio.project([f"barrier {n} image/take:0.03" for n in range(5)] + ["barrier fail image/fail:nope"])
    studio.ended(studio.press(project["project"]["id"])["id"])
    lines = of(studio.history(), project)
    last_image = max(line["at"] for line in lines if line["stage"] == "image" and line["what"] != "start")
    first_video = min(line["at"] for line in lines if line["stage"] == "video")
    assert first_video > last_image


def test_per_scene_starts_a_video_while_images_are_still_made(studio: Stack) -> None:
    project = studio.project([f"scene by scene {n} image/take:0.15" for n in range(5)])
    run = studio.press(project["project"]["id"], order="per_scene")
    assert run["progress"] == {"stage": None, "settled": 0, "total": 5}
    studio.ended(run["id"])
    lines = of(studio.history(), project)
    last_image = max(line["at"] for line in lines if line["stage"] == "image")
    first_video = min(line["at"] for line in lines if line["stage"] == "video")
    assert first_video < last_image


def test_never_more_than_one_image_and_one_video_at_a_time(studio: Stack) -> None:
    first, second = (studio.project([f"{name} {n} take:0.02" for n in range(5)]) for name in ("left", "right"))
    runs = [studio.press(project["project"]["id"], order="per_scene")["id"] for project in (first, second)]
    for run in runs:
        studio.ended(run)
    assert most_at_once(studio, "image") == 1
    assert most_at_once(studio, "video") == 1


def test_a_small_run_beside_a_large_one_waits_for_at_most_one_window(studio: Stack) -> None:
    window = int(studio.settings["WINDOW_IMAGE"])
    large = studio.project([f"large {n} take:0.05" for n in range(100 * window)])  # Far more than it comes to.
    small = studio.project(["small one", "small two"])
    large_run = studio.press(large["project"]["id"], stages=["image"])
    eventually(lambda: of(starts(studio), large), what="the large run's first image")
    small_run = studio.press(small["project"]["id"], stages=["image"])
    pressed = time.monotonic()
    studio.ended(small_run["id"])
    first_small = of(starts(studio), small)[0]["at"]
    before_it = [line for line in of(starts(studio), large) if pressed < line["at"] < first_small]
    # What was on the queue, and what the worker had been given already.
    assert len(before_it) <= window + 1
    assert studio.run(large_run["id"])["run"]["status"] == "running"
    studio.api.post(f"/runs/{large_run['id']}/cancel")
    studio.ended(large_run["id"])


def test_sentences_are_made_in_story_order(studio: Stack) -> None:
    project = studio.project([f"in order {n}" for n in range(12)])
    studio.ended(studio.press(project["project"]["id"])["id"])
    for stage in BOTH:
        numbers = [line["number"] for line in of(starts(studio, stage), project)]
        assert numbers == sorted(numbers)


def test_a_second_press_is_folded_into_the_first(studio: Stack) -> None:
    project = studio.project([f"twice {n} take:0.05" for n in range(4)])
    first = studio.press(project["project"]["id"])
    second = studio.press(project["project"]["id"])
    assert first["id"] == second["id"]
    studio.ended(first["id"])
    assert len(of(starts(studio), project)) == 8


def test_a_failing_sentence_leaves_the_others_alone_and_its_cause_in_the_run(studio: Stack) -> None:
    project = studio.project(["fine a", "broken image/fail:bad_prompt", "fine b", "no clip video/fail:bad_move"])
    detail = studio.ended(studio.press(project["project"]["id"])["id"])
    assert detail["run"]["status"] == "completed"
    assert detail["run"]["failed"] == 2
    causes = {group["cause"]: [scene["number"] for scene in group["scenes"]] for group in detail["failures"]}
    assert causes == {"bad_prompt": [2], "bad_move": [4]}
    board = studio.storyboard(project["project"]["id"])["sentences"]
    assert [bool(sentence["image"]) for sentence in board] == [True, False, True, True]
    assert [bool(sentence["video"]) for sentence in board] == [True, False, True, False]


def test_what_is_worth_retrying_gets_three_attempts(studio: Stack) -> None:
    project = studio.project(["third time lucky image/flaky:2", "never lucky image/flaky:9", "surprise image/boom"])
    detail = studio.ended(studio.press(project["project"]["id"])["id"])
    attempts: dict[int, list[int]] = {}
    for line in of(starts(studio, "image"), project):
        attempts.setdefault(line["number"], []).append(line["attempt"])
    assert attempts == {1: [1, 2, 3], 2: [1, 2, 3], 3: [1, 2, 3]}
    failed = {scene["number"]: scene["failure"] for scene in detail["scenes"] if scene["status"] == "failed"}
    assert {number: failure["cause"] for number, failure in failed.items()} == {2: "flaky", 3: "generator_error"}
    assert "ZeroDivisionError" in failed[3]["message"]
    assert "Traceback" in failed[3]["detail"]


def test_a_failure_that_will_repeat_is_not_retried(studio: Stack) -> None:
    project = studio.project(["hopeless image/fail:bad_prompt"])
    studio.ended(studio.press(project["project"]["id"])["id"])
    assert len(of(starts(studio), project)) == 1


def test_replace_makes_the_named_stages_anew_and_keeps_the_old_takes(studio: Stack) -> None:
    project = studio.project(["again and again"])
    project_id, sentence_id = project["project"]["id"], project["sentences"][0]["id"]
    studio.ended(studio.press(project_id)["id"])
    before = studio.storyboard(project_id)["sentences"][0]
    studio.ended(studio.press(project_id, replace=["image"])["id"])
    after = studio.storyboard(project_id)["sentences"][0]
    assert after["image"]["key"] != before["image"]["key"]
    assert after["video"]["key"] != before["video"]["key"]
    takes = studio.api.get(f"/projects/{project_id}/sentences/{sentence_id}/takes").json()["takes"]
    assert {take["artifact"]["key"] for take in takes if not take["selected"]} == {
        before["image"]["key"],
        before["video"]["key"],
    }


def test_the_old_selection_stays_when_the_new_one_fails(studio: Stack) -> None:
    project = studio.project(["kept"])
    project_id, sentence_id = project["project"]["id"], project["sentences"][0]["id"]
    studio.ended(studio.press(project_id)["id"])
    before = studio.storyboard(project_id)["sentences"][0]
    studio.api.patch(f"/projects/{project_id}/sentences/{sentence_id}", json={"prompt": "kept image/fail:nope"})
    studio.ended(studio.press(project_id, replace=["image"])["id"])
    after = studio.storyboard(project_id)["sentences"][0]
    assert (after["image"], after["video"]) == (before["image"], before["video"])
    assert after["image_stale"]


def test_the_plan_is_frozen_at_the_press(studio: Stack) -> None:
    project = studio.project(["frozen take:0.3", "frozen too"])
    project_id, second = project["project"]["id"], project["sentences"][1]["id"]
    run = studio.press(project_id, stages=["image"])
    edited = studio.api.patch(f"/projects/{project_id}/sentences/{second}", json={"text": "edited meanwhile"})
    assert edited.status_code == 200
    studio.ended(run["id"])
    assert "frozen too" in {line["text"] for line in of(starts(studio), project)}
    sentence = studio.storyboard(project_id)["sentences"][1]
    assert (sentence["text"], sentence["image_stale"]) == ("edited meanwhile", True)


def test_one_idle_sentence_can_be_made_again_during_a_bulk_run(studio: Stack) -> None:
    project = studio.project(["idle soon", *(f"long {n} take:0.2" for n in range(4))])
    project_id, first = project["project"]["id"], project["sentences"][0]["id"]
    studio.ended(studio.press(project_id, sentence_ids=[first])["id"])
    bulk = studio.press(project_id)
    single = studio.press(project_id, sentence_ids=[first], replace=["video"])
    assert single["kind"] == "partial"
    assert studio.ended(single["id"])["run"]["videos"]["done"] == 1
    assert studio.ended(bulk["id"])["run"]["failed"] == 0


def test_a_press_on_the_consoles_purge_button_costs_time_and_nothing_else(studio: Stack) -> None:
    project = studio.project([f"purged {n} take:0.05" for n in range(10)])
    run = studio.press(project["project"]["id"])
    eventually(lambda: of(starts(studio), project), what="the first image")
    studio.purge_queue("jobs.image")
    ended = studio.ended(run["id"])["run"]
    assert (ended["images"]["done"], ended["videos"]["done"]) == (10, 10)
    assert len(of(starts(studio), project)) == 20


def test_a_deleted_queue_costs_time_and_nothing_else(studio: Stack) -> None:
    project = studio.project([f"queue gone {n} take:0.05" for n in range(8)])
    run = studio.press(project["project"]["id"])
    eventually(lambda: of(starts(studio), project), what="the first image")
    studio.delete_queue("jobs.image")
    ended = studio.ended(run["id"])["run"]
    assert (ended["images"]["done"], ended["videos"]["done"], ended["failed"]) == (8, 8, 0)


def test_a_run_without_workers_says_so_and_goes_on_when_one_comes(stack: Stack) -> None:
    stack.coordinator()
    stack.worker("image")
    project = stack.project(["nobody makes videos"])
    run = stack.press(project["project"]["id"])

    def missing() -> str:
        """Until the image is made, the image worker may be the one that nobody has heard of yet."""
        notice = stack.run(run["id"])["run"]["notice"]
        return notice["message"] if notice and notice["cause"] == "no_video_worker" else ""

    assert "video worker" in eventually(missing, what="the notice")
    stack.worker("video")
    ended = stack.ended(run["id"])["run"]
    assert (ended["status"], ended["notice"]) == ("completed", None)


def free_bytes(stack: Stack) -> float:
    """What the coordinator saw at its last look; 0 before the first."""
    line = next(line for line in stack.metrics().splitlines() if line.startswith("videogen_disk_free_bytes "))
    return float(line.rpartition(" ")[2])


def test_too_little_disk_holds_the_run_instead_of_failing_its_scenes(stack: Stack) -> None:
    stack.coordinator(MIN_FREE_BYTES=str(1 << 60))
    stack.worker("image")
    stack.worker("video")
    project = stack.project(["no room"])
    # The first look at the disk may come after the press.
    eventually(lambda: free_bytes(stack) > 0, what="a look at the disk")
    run = stack.press(project["project"]["id"])
    notice = eventually(lambda: stack.run(run["id"])["run"]["notice"], what="the notice")
    assert notice["cause"] == "disk_full"
    assert stack.run(run["id"])["run"]["images"]["waiting"] == 1
    stack.services["coordinator"].stop()
    stack.services["coordinator"].environment["MIN_FREE_BYTES"] = "0"
    stack.restart("coordinator")
    assert stack.ended(run["id"])["run"]["failed"] == 0
    assert len(starts(stack)) == 2
