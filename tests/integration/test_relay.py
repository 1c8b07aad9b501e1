"""Who publishes what, where several coordinators share a database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.coordinator.store import outbox
from services.coordinator.store.database import Database
from shared.contracts.events import StoryboardChanged
from tests.fixtures.stack import Stack, eventually
from tests.fixtures.watcher import watching
from tests.integration.conftest import combination

SENTENCES = [{"text": f"Sentence {number}.", "prompt": "take:0"} for number in range(4)]


@pytest.fixture
def shared_stack(request: pytest.FixtureRequest, amqp: tuple[str, str], tmp_path: Path) -> Iterator[Stack]:
    """Nothing started yet, on a database that others may use, too."""
    with combination(request, "postgresql-1", amqp, tmp_path) as stack:
        yield stack


@pytest.fixture
def other(shared_stack: Stack) -> Iterator[Database]:
    """The database as another coordinator sees it."""
    database = Database(shared_stack.database_url)
    database.open()
    yield database
    database.close()


def emptied(database: Database) -> bool:
    with database.read() as connection:
        return outbox.backlog(connection)[0] == 0


def test_a_coordinator_publishes_what_it_commits_whoever_has_the_duty(
    shared_stack: Stack, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.coordinator.store.database.DUTY_SILENT_S", 600)  # This one has nothing to say.
    duty = other.take_duty("relay")
    assert duty, "nobody else runs yet"
    try:
        shared_stack.start()
        with watching(shared_stack) as heard:
            run = shared_stack.press(shared_stack.project(SENTENCES)["project"]["id"])
            assert shared_stack.ended(run["id"])["run"]["status"] == "completed"
            eventually(lambda: any(ended(event) for event in heard), what="the end of the run on the bus")
            eventually(lambda: emptied(other), what="an empty outbox")
        duty.check()  # It was never the coordinator's.
    finally:
        duty.release()
    numbers = [event.seq for event in heard if hasattr(event, "seq")]
    assert len(numbers) == len(set(numbers)), "everything was told once"


def ended(event: Any) -> bool:
    run = getattr(event, "run", None)
    return bool(run and run.ended_at)


def test_what_another_left_behind_is_published_once(shared_stack: Stack, other: Database) -> None:
    shared_stack.coordinator()
    event = StoryboardChanged(project_id=uuid4(), seq=7)
    with watching(shared_stack) as heard:
        with other.write() as connection:
            outbox.add(connection, [event], datetime.now(UTC))
        eventually(lambda: emptied(other), what="an empty outbox")
        eventually(lambda: heard, what="the event on the bus")
    assert heard == [event]
