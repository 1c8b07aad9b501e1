"""Sentences: added, edited, moved, put away, brought back; and the takes they choose from."""

import random
from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures.desk import Desk, Json


def path(board: Json, place: int | None = None) -> str:
    sentences = f"/projects/{board['project']['id']}/sentences"
    return sentences if place is None else f"{sentences}/{board['sentences'][place - 1]['id']}"


def story(desk: Desk, board: Json) -> list[str]:
    return desk.texts(board["project"]["id"])


def sentence(desk: Desk, board: Json, place: int) -> Json:
    found: Json = desk.board(board["project"]["id"])["sentences"][place - 1]
    return found


def delete(desk: Desk, path: str) -> None:
    assert desk.api.delete(path).status_code == 204


@pytest.mark.parametrize(
    ("position", "expected"),
    [(None, ["a", "b", "new"]), (1, ["new", "a", "b"]), (2, ["a", "new", "b"]), (3, ["a", "b", "new"])],
)
def test_a_sentence_is_inserted_at_its_place(desk: Desk, position: int | None, expected: list[str]) -> None:
    board = desk.project("a", "b")
    made = desk.api.post(path(board), json={"text": "new", "prompt": "p", "position": position})
    assert made.status_code == 201
    assert made.json()["position"] == expected.index("new") + 1
    assert made.json()["prompt"] == "p"
    assert story(desk, board) == expected


def test_a_place_behind_the_end_is_refused_and_the_answer_names_the_field(desk: Desk) -> None:
    board = desk.project("a")
    before = desk.dump()
    answer = desk.api.post(path(board), json={"text": "new", "position": 3})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "position")
    assert desk.dump() == before


def test_a_deleted_sentence_leaves_no_gap_and_comes_back_where_it_was(desk: Desk) -> None:
    board = desk.project("a", "b", "c")
    delete(desk, path(board, 2))
    assert story(desk, board) == ["a", "c"]
    assert desk.api.delete(path(board, 2)).status_code == 404
    assert desk.api.patch(path(board, 2), json={"text": "x"}).status_code == 404
    assert desk.api.get(path(board, 2) + "/takes").status_code == 404
    assert desk.post(path(board, 2) + "/restore")["position"] == 2
    assert story(desk, board) == ["a", "b", "c"]


def test_a_sentence_comes_back_at_the_end_of_a_story_that_has_become_shorter(desk: Desk) -> None:
    board = desk.project("a", "b", "c")
    delete(desk, path(board, 3))
    delete(desk, path(board, 1))
    assert desk.post(path(board, 3) + "/restore")["position"] == 2
    assert story(desk, board) == ["b", "c"]


def test_restoring_a_sentence_that_is_there_changes_nothing(desk: Desk) -> None:
    board = desk.project("a")
    before = desk.dump()
    assert desk.post(path(board, 1) + "/restore") == board["sentences"][0]
    assert desk.dump() == before


def test_sentences_are_put_into_another_order(desk: Desk) -> None:
    board = desk.project("a", "b", "c")
    ids = [s["id"] for s in board["sentences"]]
    answer = desk.post(path(board) + "/reorder", {"sentence_ids": [ids[2], ids[0], ids[1]]})
    assert [(s["position"], s["text"]) for s in answer["sentences"]] == [(1, "c"), (2, "a"), (3, "b")]
    assert story(desk, board) == ["c", "a", "b"]


def test_the_order_that_is_there_already_is_no_change(desk: Desk) -> None:
    board = desk.project("a", "b")
    before = desk.dump()
    desk.post(path(board) + "/reorder", {"sentence_ids": [s["id"] for s in board["sentences"]]})
    assert desk.dump() == before


def test_an_order_must_name_each_sentence_once(desk: Desk) -> None:
    board, other = desk.project("a", "b", "c"), desk.project("x")
    a, b, c = (s["id"] for s in board["sentences"])
    foreign = other["sentences"][0]["id"]
    before = desk.dump()
    for ids in ([], [a, b], [a, b, c, c], [a, a, b], [a, b, foreign], [a, b, c, foreign], [a, b, str(uuid4())]):
        answer = desk.api.post(path(board) + "/reorder", json={"sentence_ids": ids})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "sentence_ids"), ids
    assert desk.dump() == before


def test_places_stay_without_gaps_whatever_is_done(desk: Desk) -> None:
    chance = random.Random(4)
    board = desk.project("a", "b", "c")
    base = path(board)
    alive, gone = {s["id"] for s in board["sentences"]}, set[str]()
    for _ in range(60):
        act = chance.choice(["add", "delete", "restore", "reorder"])
        if act == "add" and len(alive) < 30:
            place = chance.choice([None, *range(1, len(alive) + 2)])
            alive.add(desk.post(base, {"text": "new", "position": place})["id"])
        elif act == "delete" and alive:
            chosen = chance.choice(sorted(alive))
            delete(desk, f"{base}/{chosen}")
            alive.remove(chosen)
            gone.add(chosen)
        elif act == "restore" and gone:
            chosen = chance.choice(sorted(gone))
            desk.post(f"{base}/{chosen}/restore")
            gone.remove(chosen)
            alive.add(chosen)
        elif act == "reorder":
            ids = sorted(alive)
            chance.shuffle(ids)
            desk.post(base + "/reorder", {"sentence_ids": ids})
        assert len(story(desk, board)) == len(alive)


def test_a_story_is_never_longer_than_allowed(desk: Desk) -> None:
    board = desk.project(*["full"] * 40)
    answer = desk.api.post(path(board), json={"text": "one more"})
    assert answer.status_code == 422
    assert "40" in answer.json()["detail"]
    delete(desk, path(board, 1))
    desk.post(path(board), {"text": "instead"})
    before = desk.dump()
    answer = desk.api.post(path(board, 1) + "/restore")
    assert answer.status_code == 409
    assert "40" in answer.json()["detail"]
    assert desk.dump() == before


def test_an_edit_changes_what_it_names_and_nothing_else(desk: Desk) -> None:
    board = desk.project({"text": "a", "prompt": "p", "seed": 1})
    old = board["sentences"][0]
    edited = desk.patch(path(board, 1), {"text": "b"})
    assert edited == {**old, "text": "b", "version": old["version"] + 1}
    assert desk.patch(path(board, 1), {"seed": 2**53 - 1})["seed"] == 2**53 - 1
    assert sentence(desk, board, 1)["prompt"] == "p"


@pytest.mark.parametrize("nothing", ["", "  \n", None, "\x00"])
def test_an_empty_prompt_goes_back_to_the_text(desk: Desk, nothing: str | None) -> None:
    board = desk.project({"text": "a", "prompt": "p"})
    assert desk.patch(path(board, 1), {"prompt": nothing})["prompt"] is None


@pytest.mark.parametrize("body", [{}, {"text": "a"}, {"text": None}, {"text": " a "}, {"prompt": "p"}, {"seed": 5}])
def test_an_edit_that_changes_nothing_is_no_change(desk: Desk, body: Json) -> None:
    board = desk.project({"text": "a", "prompt": "p", "seed": 5})
    before = desk.dump()
    assert desk.patch(path(board, 1), body) == board["sentences"][0]
    assert desk.dump() == before


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ({"text": "other"}, {"text": "One."}),
        ({"prompt": "a fox"}, {"prompt": ""}),
        ({"seed": 99}, {"seed": 1}),
    ],
)
def test_takes_of_another_text_prompt_or_seed_are_stale_until_it_is_back(
    desk: Desk, change: dict[str, Any], back: dict[str, Any]
) -> None:
    board = desk.generated({"text": "One.", "seed": 1}, "Two.")
    changed = desk.patch(path(board, 1), change)
    assert (changed["image_stale"], changed["video_stale"]) == (True, True)
    assert not sentence(desk, board, 2)["image_stale"]
    changed = desk.patch(path(board, 1), back)
    assert (changed["image_stale"], changed["video_stale"]) == (False, False)


def again(desk: Desk, board: Json, place: int, **body: Any) -> None:
    """Make stages of a sentence anew."""
    ids = [board["sentences"][place - 1]["id"]]
    run = desk.press(board["project"]["id"], sentence_ids=ids, **body)
    desk.work_off(run["id"])


def test_every_take_is_kept_and_the_newest_is_selected(desk: Desk) -> None:
    board = desk.generated("One.")
    again(desk, board, 1, replace=["image"])
    found = desk.get(path(board, 1) + "/takes")["takes"]
    assert [(t["stage"], t["selected"]) for t in found] == [
        ("video", True),
        ("image", True),
        ("video", False),
        ("image", False),
    ]
    now = sentence(desk, board, 1)
    assert (now["image_takes"], now["video_takes"]) == (2, 2)
    assert now["image"] == found[1]["artifact"]
    assert now["image"] != board["sentences"][0]["image"]
    assert [t["stale"] for t in found] == [False, False, True, False], "the old video was made from the other image"


def test_choosing_another_image_makes_the_video_stale_and_touches_nothing_else(desk: Desk) -> None:
    board = desk.generated("One.")
    again(desk, board, 1, replace=["image"])
    video, _, _, image = desk.get(path(board, 1) + "/takes")["takes"]
    chosen = desk.post(path(board, 1) + f"/takes/{image['id']}/select")
    assert chosen["image"] == image["artifact"]
    assert chosen["video"] == video["artifact"]
    assert (chosen["image_stale"], chosen["video_stale"]) == (False, True)
    before = desk.dump()
    assert desk.post(path(board, 1) + f"/takes/{image['id']}/select") == chosen, "choosing it again changes nothing"
    assert desk.dump() == before


def test_choosing_the_video_of_that_image_makes_nothing_stale_again(desk: Desk) -> None:
    board = desk.generated("One.")
    again(desk, board, 1, replace=["image"])
    _, _, video, image = desk.get(path(board, 1) + "/takes")["takes"]
    desk.post(path(board, 1) + f"/takes/{image['id']}/select")
    chosen = desk.post(path(board, 1) + f"/takes/{video['id']}/select")
    assert (chosen["image_stale"], chosen["video_stale"]) == (False, False)
    assert (chosen["image"], chosen["video"]) == (board["sentences"][0]["image"], board["sentences"][0]["video"])


def test_a_take_of_another_sentence_cannot_be_chosen(desk: Desk) -> None:
    board = desk.generated("One.", "Two.")
    take = desk.get(path(board, 2) + "/takes")["takes"][0]["id"]
    before = desk.dump()
    assert desk.api.post(path(board, 1) + f"/takes/{take}/select").status_code == 404
    assert desk.api.post(path(board, 1) + f"/takes/{uuid4()}/select").status_code == 404
    assert desk.dump() == before


def test_a_sentence_is_not_reached_through_another_project(desk: Desk) -> None:
    board, other = desk.generated("One."), desk.project("Two.")
    foreign = f"/projects/{other['project']['id']}/sentences/{board['sentences'][0]['id']}"
    take = desk.get(path(board, 1) + "/takes")["takes"][0]["id"]
    before = desk.dump()
    for answer in (
        desk.api.patch(foreign, json={"text": "x"}),
        desk.api.delete(foreign),
        desk.api.post(foreign + "/restore"),
        desk.api.get(foreign + "/takes"),
        desk.api.post(f"{foreign}/takes/{take}/select"),
    ):
        assert answer.status_code == 404
    assert desk.dump() == before


def test_deleting_a_sentence_cancels_its_scene_and_no_other(desk: Desk) -> None:
    board = desk.project("a", "b")
    run = desk.press(board["project"]["id"])
    delete(desk, path(board, 1))
    scenes = desk.get(f"/runs/{run['id']}")["scenes"]
    assert [scene["status"] for scene in scenes] == ["cancelled", "queued"]
    desk.work_off(run["id"])
    assert desk.get(f"/runs/{run['id']}")["run"]["status"] == "completed"


def test_an_edit_during_a_run_does_not_reach_into_it_and_shows_as_stale(desk: Desk) -> None:
    board = desk.project("before")
    run = desk.press(board["project"]["id"])
    desk.patch(path(board, 1), {"text": "after"})
    scene = desk.get(f"/runs/{run['id']}")["scenes"][0]
    assert desk.claim(scene).input.text == "before"
    desk.complete(scene)
    made = sentence(desk, board, 1)
    assert made["text"] == "after"
    assert made["image"]
    assert made["image_stale"]


# Seeds.


def varied(desk: Desk, board: Json, place: int = 1, **body: Any) -> Json:
    """A press for another image of a sentence, not worked off yet: its run."""
    ids = [board["sentences"][place - 1]["id"]]
    return desk.press(board["project"]["id"], **{"sentence_ids": ids, "replace": ["image"], "vary": True, **body})


def given_seed(desk: Desk, run: Json) -> int:
    return desk.claim(desk.get(f"/runs/{run['id']}")["scenes"][0]).input.seed


def stale(sentence: Json) -> tuple[bool, bool]:
    return sentence["image_stale"], sentence["video_stale"]


def test_another_image_is_made_with_a_new_seed_that_comes_with_it(desk: Desk) -> None:
    board = desk.generated({"text": "One.", "seed": 5}, {"text": "Two.", "seed": 6})
    run = varied(desk, board)
    waiting = sentence(desk, board, 1)
    assert (waiting["seed"], stale(waiting)) == (5, (False, False)), "nothing is edited by the press"
    desk.work_off(run["id"])
    now = sentence(desk, board, 1)
    assert now["seed"] != 5
    assert stale(now) == (False, False)
    assert sentence(desk, board, 2)["seed"] == 6
    takes = desk.get(path(board, 1) + "/takes")["takes"]
    assert [(t["stage"], t["seed"] == now["seed"], t["stale"]) for t in takes] == [
        ("video", True, False),
        ("image", True, False),
        ("video", False, True),
        ("image", False, False),
    ], "the old video was made from the other image, and the old image is as good as the new one"


def test_a_cancelled_press_for_another_image_leaves_no_trace(desk: Desk) -> None:
    board = desk.generated({"text": "One.", "seed": 5})
    run = varied(desk, board)
    desk.post(f"/runs/{run['id']}/cancel")
    now = sentence(desk, board, 1)
    assert (now["seed"], stale(now), now["image"]) == (5, (False, False), board["sentences"][0]["image"])


def test_choosing_the_old_image_brings_its_seed_back(desk: Desk) -> None:
    board = desk.generated({"text": "One.", "seed": 5})
    desk.work_off(varied(desk, board)["id"])
    _, _, video, image = desk.get(path(board, 1) + "/takes")["takes"]
    chosen = desk.post(path(board, 1) + f"/takes/{image['id']}/select")
    assert (chosen["seed"], stale(chosen)) == (5, (False, True))
    chosen = desk.post(path(board, 1) + f"/takes/{video['id']}/select")
    assert (chosen["seed"], stale(chosen)) == (5, (False, False))


def test_a_locked_seed_is_kept(desk: Desk) -> None:
    board = desk.generated({"text": "One.", "seed": 5})
    locked = desk.patch(path(board, 1), {"seed_locked": True})
    assert (locked["seed_locked"], stale(locked)) == (True, (False, False))
    run = varied(desk, board)
    assert given_seed(desk, run) == 5
    desk.post(f"/runs/{run['id']}/cancel")
    assert not desk.patch(path(board, 1), {"seed_locked": False})["seed_locked"]


def test_without_vary_the_seed_is_the_sentences_own(desk: Desk) -> None:
    board = desk.generated({"text": "One.", "seed": 5})
    run = varied(desk, board, vary=False)
    assert given_seed(desk, run) == 5
    desk.post(f"/runs/{run['id']}/cancel")


def test_another_video_has_a_seed_of_its_own_and_leaves_the_image_alone(desk: Desk) -> None:
    board = desk.generated({"text": "One.", "seed": 5})
    desk.work_off(varied(desk, board, stages=["video"], replace=["video"])["id"])
    now = sentence(desk, board, 1)
    assert (now["seed"], stale(now), now["video_takes"]) == (5, (False, False), 2)
    new, old = (t for t in desk.get(path(board, 1) + "/takes")["takes"] if t["stage"] == "video")
    assert (new["selected"], new["seed"] == 5, old["seed"], old["stale"]) == (True, False, 5, False)
    edited = desk.patch(path(board, 1), {"seed": 77})
    assert stale(edited) == (True, True), "an edited seed is an edit of both"


def test_a_seed_that_was_edited_meanwhile_is_not_overwritten(desk: Desk) -> None:
    board = desk.generated({"text": "One.", "seed": 5})
    run = varied(desk, board)
    desk.patch(path(board, 1), {"seed": 77})
    desk.work_off(run["id"])
    now = sentence(desk, board, 1)
    assert (now["seed"], stale(now)) == (77, (True, True))


def test_a_retry_makes_what_was_to_be_varied_with_the_seed_that_was_drawn_for_it(desk: Desk) -> None:
    board = desk.generated({"text": "One.", "seed": 5})
    run = varied(desk, board)
    scene = desk.get(f"/runs/{run['id']}")["scenes"][0]
    seed = desk.claim(scene).input.seed
    desk.fail(scene, "out_of_memory")
    assert (sentence(desk, board, 1)["seed"], stale(sentence(desk, board, 1))) == (5, (False, False))
    again = desk.post(f"/runs/{run['id']}/retry-failed")
    assert given_seed(desk, again) == seed != 5
    desk.complete(desk.get(f"/runs/{again['id']}")["scenes"][0])
    assert sentence(desk, board, 1)["seed"] == seed
    desk.post(f"/runs/{again['id']}/cancel")


def test_a_second_press_for_another_image_is_the_same_run_with_the_same_seed(desk: Desk) -> None:
    board = desk.generated({"text": "One.", "seed": 5})
    run = varied(desk, board)
    assert varied(desk, board)["id"] == run["id"]
    plain = {"sentence_ids": [board["sentences"][0]["id"]], "replace": ["image"]}
    assert desk.api.post(f"/projects/{board['project']['id']}/generate-scenes", json=plain).status_code == 409
    desk.post(f"/runs/{run['id']}/cancel")
