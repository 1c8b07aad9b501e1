"""Projects that were deleted long ago are removed for good, with rows and files; nothing else ever is."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.coordinator.store import collection
from services.coordinator.store.database import Database
from services.coordinator.store.schema import metadata, project, run, scene, sentence, take
from shared.artifacts import open_artifacts
from tests.fixtures.checker import check
from tests.fixtures.desk import Desk, open_desk, serving
from tests.fixtures.proxy import proxy_to
from tests.fixtures.s3 import S3Server
from tests.fixtures.stack import SHORT_LEASE, Stack, eventually, running_stack

OFTEN = {"COLLECT_S": "0.2"}


@pytest.fixture
def stack(database_url: str, amqp: tuple[str, str], tmp_path: Path) -> Iterator[Stack]:
    with running_stack(*amqp, database_url, tmp_path, **OFTEN) as stack:
        yield stack


def made(stack: Stack, sentences: int = 3, *, without: int = 0) -> str:
    """A project with an image and a video for each sentence, and sentences `without`."""
    board = stack.project([f"sentence {number}" for number in range(sentences + without)])
    chosen = [one["id"] for one in board["sentences"][:sentences]]
    stack.ended(stack.press(board["project"]["id"], sentence_ids=chosen)["id"])
    return str(board["project"]["id"])


def delete(stack: Stack, project_id: str, *, days_ago: float) -> None:
    stack.api.delete(f"/projects/{project_id}").raise_for_status()
    age(stack.database_url, project_id, days_ago)


def age(database_url: str, project_id: str, days_ago: float) -> None:
    """As if it had been deleted then."""
    before = datetime.now(UTC) - timedelta(days=days_ago)
    engine = Database(database_url).engine
    with engine.begin() as connection:
        connection.execute(sa.update(project).where(project.c.id == UUID(project_id)).values(deleted_at=before))
    engine.dispose()


def rows(stack: Stack, project_id: str) -> dict[str, int]:
    """How many of each table belong to the project; without those that have none."""
    engine = Database(stack.database_url).engine
    found = {}
    with engine.connect() as connection:
        for table in (project, sentence, run, scene, take):
            owner = table.c.id if table is project else table.c.project_id
            query = sa.select(sa.func.count()).select_from(table).where(owner == UUID(project_id))
            found[table.name] = connection.execute(query).scalar_one()
    engine.dispose()
    return {name: count for name, count in found.items() if count}


def files(stack: Stack, project_id: str) -> int:
    return sum(path.is_file() for path in (stack.folder / "artifacts" / project_id).rglob("*"))


def gone(stack: Stack, project_id: str) -> bool:
    return not rows(stack, project_id) and not (stack.folder / "artifacts" / project_id).exists()


def collected(stack: Stack) -> list[str]:
    """What coordinators wrote about projects that they removed; they do so after the last row is gone."""
    logs = [service.text() for name, service in stack.services.items() if name.startswith("coordinator")]
    return [line for log in logs for line in log.splitlines() if "project_collected" in line]


def unharmed(stack: Stack, project_id: str) -> None:
    sentences = stack.storyboard(project_id)["sentences"]
    assert all(one["image"] and one["video"] for one in sentences)
    assert files(stack, project_id) == 2 * len(sentences)
    assert check(stack) == []


def test_a_project_deleted_long_ago_is_removed_with_rows_and_files_and_no_other_is(stack: Stack) -> None:
    stack.start()
    old, young, living = made(stack, 3), made(stack, 1), made(stack, 2)
    delete(stack, young, days_ago=29.9)
    delete(stack, old, days_ago=30.1)
    eventually(lambda: gone(stack, old), what="the removal")
    said = eventually(lambda: collected(stack), what="a word about it")[0]
    assert old in said
    for part in ("files", "6"), ("rows", "13"):
        assert all(word in said for word in part)
    counted = 'videogen_collected_total{what="files"} 6.0'
    eventually(lambda: counted in stack.metrics(), what="the files being counted")
    stack.api.post(f"/projects/{young}/restore").raise_for_status()
    unharmed(stack, young)
    unharmed(stack, living)


def test_the_time_to_keep_is_a_setting(amqp: tuple[str, str], tmp_path: Path) -> None:
    settings = {**OFTEN, "KEEP_DELETED_DAYS": "2"}
    with running_stack(*amqp, f"sqlite:///{tmp_path}/studio.db", tmp_path, **settings) as stack:
        stack.start()
        young, old = made(stack, 1), made(stack, 1)
        delete(stack, young, days_ago=1.9)
        delete(stack, old, days_ago=2.1)
        eventually(lambda: gone(stack, old), what="the removal")
        stack.api.post(f"/projects/{young}/restore").raise_for_status()
        unharmed(stack, young)


POINTS = [
    "collect.marked",
    "collect.some_files_removed",
    "collect.some_files_removed:3",
    "collect.files_removed",
    "collect.some_rows_removed",
    "collect.some_rows_removed:2",
    "collect.some_rows_removed:4",
    "collect.some_rows_removed:5",
]


@pytest.mark.parametrize("point", POINTS)
def test_a_coordinator_that_dies_on_the_way_is_followed_by_one_that_ends_it(stack: Stack, point: str) -> None:
    stack.coordinator(CRASH_AT=point)
    stack.worker("image")
    stack.worker("video")
    living, old = made(stack, 2), made(stack, 3, without=250)
    left = stack.folder / "artifacts" / old / "left-by-a-worker-that-died"
    left.mkdir()
    for number in range(500):
        (left / f".{number}.png.part").write_bytes(b"half")
    delete(stack, old, days_ago=31)
    service = stack.services["coordinator"]
    eventually(lambda: not service.running, what="the crash")
    assert service.process
    assert service.process.returncode == -signal.SIGKILL
    assert rows(stack, old)["project"] == 1, "it goes last, so that nothing of it is forgotten"
    if "rows" in point:
        assert not files(stack, old), "files go before what knows of them"
    service.environment["CRASH_AT"] = ""
    stack.restart("coordinator")
    eventually(lambda: gone(stack, old), what="the removal")
    unharmed(stack, living)


def test_of_two_coordinators_one_removes(amqp: tuple[str, str], postgres_url: str, tmp_path: Path) -> None:
    with running_stack(*amqp, postgres_url, tmp_path, **OFTEN) as stack:
        stack.coordinators = 2
        stack.start()
        living, old = made(stack, 1), [made(stack, 1) for _ in range(4)]
        for project_id in old:
            delete(stack, project_id, days_ago=31)
        eventually(lambda: all(gone(stack, project_id) for project_id in old), what="the removal")
        eventually(lambda: len(collected(stack)) >= len(old), what="a word about each")
        assert all(sum(project_id in line for line in collected(stack)) == 1 for project_id in old)
        unharmed(stack, living)


def test_a_project_with_a_job_in_hand_is_left_until_that_has_ended(stack: Stack) -> None:
    stack.crashed = True
    stack.settings |= SHORT_LEASE
    stack.start()
    witness = made(stack, 1)
    busy = str(stack.project(["does not listen hang"])["project"]["id"])
    stack.press(busy)
    eventually(lambda: any(line["text"].endswith("hang") for line in stack.history()), what="the job")
    delete(stack, busy, days_ago=31)
    delete(stack, witness, days_ago=31)
    eventually(lambda: gone(stack, witness), what="the removal of another one")
    assert rows(stack, busy) == {"project": 1, "sentence": 1, "run": 1, "scene": 1}
    stack.services["image-worker"].kill()
    eventually(lambda: gone(stack, busy), what="the removal")


def test_files_in_a_bucket_are_removed_and_an_outage_only_delays_it(
    s3: S3Server, bucket_url: str, amqp: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**OFTEN, "ARTIFACTS_URL": bucket_url}
    with (
        proxy_to(s3.port) as proxy,
        running_stack(*amqp, f"sqlite:///{tmp_path}/studio.db", tmp_path, **settings) as stack,
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        stack.start()
        living, old = made(stack, 1), made(stack, 2)
        proxy.cut = True
        proxy.reset()
        delete(stack, old, days_ago=31)
        said = stack.services["coordinator"].text
        eventually(lambda: "collect_waits_for_storage" in said(), what="the try")
        assert rows(stack, old)["take"] == 4
        proxy.cut = False
        eventually(lambda: not rows(stack, old), what="the removal")
        assert check(stack) == []
        artifacts = open_artifacts(bucket_url)
        assert artifacts.remove_some(old, 10) == 0
        assert artifacts.remove_some(living, 10) == 2


# Between the mark and the end.


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    with serving() as front, open_desk(front, database_url, tmp_path) as desk:
        yield desk


def test_a_project_on_its_way_out_is_there_for_nobody(desk: Desk) -> None:
    board = desk.generated("One.", "Two. fail:nsfw")
    project_id, ended = board["project"]["id"], board["runs"][0]["id"]
    first, take_id = board["sentences"][0]["id"], desk.takes_of(project_id, board["sentences"][0]["id"])[0]
    desk.api.delete(f"/projects/{project_id}").raise_for_status()
    age(desk.settings.database_url, project_id, 31)
    with desk.database.write() as connection:
        now = datetime.now(UTC)
        collection.mark(connection, now - timedelta(days=30), now)
    before = desk.dump()
    here, sentences = f"/projects/{project_id}", f"/projects/{project_id}/sentences"
    asked: list[tuple[str, str, Any]] = [
        ("GET", here, None),
        ("POST", f"{here}/restore", None),
        ("DELETE", here, None),
        ("PATCH", here, {"title": "Back"}),
        ("POST", f"{here}/generate-scenes", None),
        ("POST", f"{here}/generate-scenes", {"dry_run": True}),
        ("GET", f"{here}/runs", None),
        ("GET", f"{here}/export", None),
        ("POST", sentences, {"text": "More."}),
        ("PATCH", f"{sentences}/{first}", {"text": "Else."}),
        ("POST", f"{sentences}/{first}/restore", None),
        ("GET", f"{sentences}/{first}/takes", None),
        ("POST", f"{sentences}/{first}/takes/{take_id}/select", None),
        ("GET", f"/runs/{ended}", None),
        ("POST", f"/runs/{ended}/retry-failed", None),
        ("POST", f"/runs/{ended}/seen", None),
    ]
    for method, path, body in asked:
        assert desk.api.request(method, path, json=body).status_code == 404, (method, path)
    assert desk.get("/projects")["total"] == 0
    desk.complete(board["scenes"][0])
    assert desk.dump() == before, "a late result changes nothing either"


def test_a_restore_that_came_first_wins(desk: Desk) -> None:
    board = desk.generated("One.")
    project_id = board["project"]["id"]
    desk.api.delete(f"/projects/{project_id}").raise_for_status()
    age(desk.settings.database_url, project_id, 31)
    desk.post(f"/projects/{project_id}/restore")
    with desk.database.write() as connection:
        now = datetime.now(UTC)
        collection.mark(connection, now - timedelta(days=30), now)
        assert collection.marked(connection) == []
    assert desk.board(project_id)["sentences"] == board["sentences"]


def test_rows_of_every_table_that_belongs_to_a_project_are_removed() -> None:
    owned = {table.name for table in metadata.sorted_tables if "project_id" in table.c}
    assert owned == {"sentence", "run", "scene", "take"}, "a new table must be removed, too"
