"""A run is cancelled by one statement for all scenes that no worker holds: what `decide` makes of each of them."""

from pathlib import Path

import sqlalchemy as sa

from services.coordinator import edits, runs
from services.coordinator.advance import Advance
from services.coordinator.dispatch import Window
from services.coordinator.lifecycle import Cancel, Changed, decide
from services.coordinator.store import scenes
from services.coordinator.store.database import Database
from services.coordinator.store.schema import scene as table
from shared.contracts.project import Size
from shared.contracts.scene import SceneStatus, Stage, Stopping


def test_cancel_does_to_each_scene_what_decide_says(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/studio.db")
    database.open()
    advance = Advance(database, Window(), lambda _: None)
    places = [
        {"stage": stage.value, "status": status.value, "stopping": stopping}
        for stage in Stage
        for status in SceneStatus
        for stopping in (None, *(s.value for s in Stopping if status is SceneStatus.RUNNING))
    ]
    sentences = [(f"Sentence {number}", None, number) for number in range(len(places))]
    project = edits.create_project(advance, title="A story", style="", size=Size(), sentences=sentences).project
    run, _ = runs.start(advance, project.id, runs.Press())
    with database.write() as connection:
        for number, place in enumerate(places, 1):
            changes = sa.update(table).where(table.c.number == number).values(**place, attempt=number, version=number)
            connection.execute(changes)
        before = scenes.of_run(connection, run.id)
    runs.cancel(advance, run.id)
    with database.read() as connection:
        after = scenes.of_run(connection, run.id)
    database.close()
    assert len(after) == len(places)
    for old, new in zip(before, after, strict=True):
        decision = decide(old, Cancel())
        wanted = decision.scene if isinstance(decision, Changed) else old
        assert new.model_copy(update={"changed_at": None}) == wanted.model_copy(update={"changed_at": None})
