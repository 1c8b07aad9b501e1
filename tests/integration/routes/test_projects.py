"""Storyboards: created, listed, edited, put away and brought back."""

from uuid import uuid4

import pytest

from tests.fixtures.desk import Desk


def test_a_project_is_made_from_a_list_of_sentences(desk: Desk) -> None:
    made = desk.api.post(
        "/projects",
        json={
            "title": "Light",
            "style": "ink",
            "size": {"width": 640, "height": 360},
            "sentences": ["One.", {"text": "Two.", "prompt": "a fox", "seed": 7}, {"text": "Three."}],
        },
    )
    assert made.status_code == 201
    board = made.json()
    head = board["project"]
    assert (head["title"], head["style"]) == ("Light", "ink")
    assert head["size"] == {"width": 640, "height": 360, "seconds": 4.0, "fps": 24}
    assert [(s["position"], s["text"], s["prompt"]) for s in board["sentences"]] == [
        (1, "One.", None),
        (2, "Two.", "a fox"),
        (3, "Three.", None),
    ]
    assert board["sentences"][1]["seed"] == 7
    assert (board["scenes"], board["runs"]) == ([], [])
    assert desk.board(head["id"]) == board


def test_a_project_is_made_from_a_script(desk: Desk) -> None:
    script = "Dr. Who ran. “Stop!” she said.\n\nThe end"
    made = desk.post("/projects", {"title": "Script", "script": script})
    assert [s["text"] for s in made["sentences"]] == ["Dr. Who ran.", "“Stop!” she said.", "The end"]


def test_a_project_may_be_empty(desk: Desk) -> None:
    assert desk.post("/projects", {"title": "Empty"})["sentences"] == []
    assert desk.post("/projects", {"title": "Empty", "sentences": []})["sentences"] == []


def test_sentences_without_a_seed_get_different_ones_that_a_browser_can_hold(desk: Desk) -> None:
    seeds = [s["seed"] for s in desk.project(*["Same."] * 20)["sentences"]]
    assert len(set(seeds)) == 20
    assert all(0 <= seed < 2**53 for seed in seeds)


def test_a_split_is_shown_and_nothing_is_kept(desk: Desk) -> None:
    before = desk.dump()
    assert desk.post("/split", {"script": "He ran. She fell."}) == {"sentences": ["He ran.", "She fell."]}
    assert desk.dump() == before


def test_projects_are_listed_newest_first_in_pages(desk: Desk) -> None:
    made = [desk.project(title=f"page {n}")["project"]["id"] for n in range(3)]
    first = desk.get("/projects?limit=2")
    assert [p["id"] for p in first["projects"]] == [made[2], made[1]]
    assert first["total"] >= 3
    assert desk.get("/projects?limit=2&offset=2")["projects"][0]["id"] == made[0]
    assert desk.get(f"/projects?offset={first['total']}") == {"projects": [], "total": first["total"]}


def test_the_list_tells_how_much_of_a_project_is_made(desk: Desk) -> None:
    board = desk.generated("Good.", "Bad fail:nsfw", "Half failvideo:oom")
    listed = desk.get("/projects?limit=1")["projects"][0]
    assert listed["id"] == board["project"]["id"]
    assert (listed["sentences"], listed["images"], listed["videos"]) == (3, 2, 1)
    assert listed["poster"] == board["sentences"][0]["image"]
    assert listed["run"]["status"] == "completed"
    assert listed["run"]["failed"] == 2


def test_the_poster_is_never_the_image_of_a_deleted_sentence(desk: Desk) -> None:
    board = desk.generated("First.", "Second.", "Third.")
    sentences = f"/projects/{board['project']['id']}/sentences"
    first, second, third = (sentence["id"] for sentence in board["sentences"])
    desk.post(sentences + "/reorder", {"sentence_ids": [third, second, first]})
    for gone in (third, first):
        assert desk.api.delete(f"{sentences}/{gone}").status_code == 204
    listed = desk.get("/projects?limit=1")["projects"][0]
    assert listed["poster"] == board["sentences"][1]["image"]
    assert (listed["sentences"], listed["images"], listed["videos"]) == (1, 1, 1)


def test_an_edit_changes_what_it_names_and_nothing_else(desk: Desk) -> None:
    head = desk.project(style="ink", size={"width": 640, "height": 360, "seconds": 2})["project"]
    edited = desk.patch(f"/projects/{head['id']}", {"title": "New"})
    assert edited == {**head, "title": "New", "seq": head["seq"] + 1}
    edited = desk.patch(f"/projects/{head['id']}", {"size": {"fps": 30}})
    assert edited["size"] == {"width": 640, "height": 360, "seconds": 2.0, "fps": 30}
    assert edited["style"] == "ink"
    assert desk.board(head["id"])["project"] == edited


@pytest.mark.parametrize("body", [{}, {"title": "A story"}, {"style": None, "size": None}, {"size": {}}])
def test_an_edit_that_changes_nothing_is_no_change(desk: Desk, body: dict[str, object]) -> None:
    head = desk.project()["project"]
    before = desk.dump()
    assert desk.patch(f"/projects/{head['id']}", body) == head
    assert desk.dump() == before


def stale(desk: Desk, project_id: str) -> list[tuple[bool, bool]]:
    return [(s["image_stale"], s["video_stale"]) for s in desk.board(project_id)["sentences"]]


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ({"style": "oil"}, {"style": ""}),
        ({"size": {"width": 640}}, {"size": {"width": 1280}}),
        ({"size": {"height": 640}}, {"size": {"height": 720}}),
    ],
)
def test_takes_of_another_style_or_size_are_stale_until_it_is_back(
    desk: Desk, change: dict[str, object], back: dict[str, object]
) -> None:
    project_id = desk.generated("One.", "Two.")["project"]["id"]
    assert stale(desk, project_id) == [(False, False)] * 2
    desk.patch(f"/projects/{project_id}", change)
    assert stale(desk, project_id) == [(True, True)] * 2
    desk.patch(f"/projects/{project_id}", back)
    assert stale(desk, project_id) == [(False, False)] * 2


def test_another_title_makes_nothing_stale(desk: Desk) -> None:
    project_id = desk.generated("One.")["project"]["id"]
    desk.patch(f"/projects/{project_id}", {"title": "Other"})
    assert stale(desk, project_id) == [(False, False)]


def test_every_change_raises_the_projects_seq_by_one(desk: Desk) -> None:
    head = desk.project("One.")["project"]
    for expected, body in enumerate([{"title": "a"}, {"style": "b"}, {"title": "c"}], head["seq"] + 1):
        assert desk.patch(f"/projects/{head['id']}", body)["seq"] == expected


def test_a_deleted_project_is_gone_until_it_is_restored(desk: Desk) -> None:
    board = desk.generated("One.")
    project_id = board["project"]["id"]
    total = desk.get("/projects")["total"]
    assert desk.api.delete(f"/projects/{project_id}").status_code == 204
    assert desk.get("/projects")["total"] == total - 1
    assert project_id not in [p["id"] for p in desk.get("/projects?limit=200")["projects"]]
    for answer in (
        desk.api.get(f"/projects/{project_id}"),
        desk.api.delete(f"/projects/{project_id}"),
        desk.api.patch(f"/projects/{project_id}", json={"title": "x"}),
        desk.api.post(f"/projects/{project_id}/generate-scenes"),
        desk.api.post(f"/projects/{project_id}/sentences", json={"text": "x"}),
        desk.api.get(f"/projects/{project_id}/runs"),
        desk.api.get(f"/projects/{project_id}/export"),
    ):
        assert answer.status_code == 404

    restored = desk.post(f"/projects/{project_id}/restore")
    assert restored["deleted_at"] is None
    back = desk.board(project_id)
    assert back["sentences"] == board["sentences"]
    assert back["project"] == restored


def test_restoring_what_was_not_deleted_changes_nothing(desk: Desk) -> None:
    head = desk.project("One.")["project"]
    before = desk.dump()
    assert desk.post(f"/projects/{head['id']}/restore") == head
    assert desk.dump() == before


def test_deleting_a_project_cancels_what_runs_for_it(desk: Desk) -> None:
    project_id = desk.project("One.", "Two.")["project"]["id"]
    run_id = desk.press(project_id)["id"]
    assert desk.api.delete(f"/projects/{project_id}").status_code == 204
    detail = desk.get(f"/runs/{run_id}")
    assert detail["run"]["status"] == "cancelled"
    assert {scene["status"] for scene in detail["scenes"]} == {"cancelled"}
    for verb, code in [("cancel", 200), ("pause", 409), ("resume", 409), ("retry-failed", 404)]:
        assert desk.api.post(f"/runs/{run_id}/{verb}").status_code == code, verb


def test_a_project_that_never_was_is_a_404_that_names_it(desk: Desk) -> None:
    nobody = str(uuid4())
    answer = desk.api.get(f"/projects/{nobody}")
    assert answer.status_code == 404
    assert nobody in answer.json()["detail"]
