"""The database's schema: what the migrations make is what the tables say, and one coordinator has the file."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from services.coordinator.store.database import MIGRATIONS, Database, DatabaseInUse
from services.coordinator.store.schema import metadata, sentence
from tests.fixtures.stack import ROOT


def differences(database: Database) -> list[Any]:
    with database.engine.connect() as connection:
        found: list[Any] = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True}),
            metadata,
        )
        return found


def indexes(database: Database) -> dict[str, str]:
    """Each index as the database itself has it: a comparison does not see their conditions."""
    if database.is_sqlite:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    else:
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    with database.engine.connect() as connection:
        return {name: " ".join(text.split()) for name, text in connection.exec_driver_sql(query)}


def test_the_migrations_make_the_tables_that_the_code_knows(database_url: str) -> None:
    database = Database(database_url)
    database.open()
    try:
        assert differences(database) == []
        migrated = indexes(database)
        with database.engine.begin() as connection:
            metadata.drop_all(connection)
            metadata.create_all(connection)
        made = indexes(database)
        made |= {name: text for name, text in migrated.items() if name == "alembic_version_pkc"}
        assert migrated == made
        assert {"one_open_scene", "one_active_bulk_run"} <= set(migrated)
    finally:
        database.close()


def test_a_second_start_finds_everything_done(database_url: str) -> None:
    for _ in range(2):
        database = Database(database_url)
        database.open()
        with database.read() as connection:
            versions = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
        database.close()
    assert len(versions) == 1


def test_a_start_keeps_what_is_stored(database_url: str) -> None:
    kept = []
    for _ in range(2):
        database = Database(database_url)
        database.open()
        with database.write() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO outbox (kind, payload, failures, created_at) VALUES ('x', '{}', 0, CURRENT_TIMESTAMP)"
                )
            )
            kept.append(connection.exec_driver_sql("SELECT count(*) FROM outbox").scalar_one())
        database.close()
    assert kept == [1, 2]


def test_takes_of_before_get_the_seed_that_they_were_made_with(database_url: str) -> None:
    database = Database(database_url)
    migrate(database, "0001")
    with database.write() as connection:
        for statement in BEFORE_SEEDS.split(";"):
            connection.execute(sa.text(statement), {"id": UUID(int=1).hex, "now": "2026-11-22 10:00:00"})
    database.open()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT seed FROM take").scalars().all() == [2**53 - 1]
        assert connection.execute(sa.select(sentence.c.seed_locked)).scalars().all() == [False]
    database.close()


BEFORE_SEEDS = r"""
INSERT INTO project (id, title, style, width, height, seconds, fps, seq, created_at)
    VALUES (:id, 't', '', 64, 64, 1, 1, 1, :now);
INSERT INTO sentence (id, project_id, position, text, seed, image_stale, video_stale, version)
    VALUES (:id, :id, 1, 's', 4, false, false, 1);
INSERT INTO run (id, project_id, kind, "order", stages, request, status, purge_pending, seen, created_at)
    VALUES (:id, :id, 'bulk', 'per_scene', 'image', 'x', 'completed', false, false, :now);
INSERT INTO scene (id, run_id, project_id, sentence_id, number, plan, stage, status, attempt, failures, crashes, beat,
        contested, input, version, changed_at)
    VALUES (:id, :id, :id, :id, 1, 'image', 'image', 'done', 1, 0, 0, 0, false, '{"seed"\:9007199254740991}', 1, :now);
INSERT INTO take (id, project_id, sentence_id, scene_id, stage, key, media_type, size, width, height, made_from,
        created_at)
    VALUES (:id, :id, :id, :id, 'image', 'k', 'image/png', 1, 8, 8, 'x', :now)
"""


def migrate(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


def test_there_is_one_line_of_migrations() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert len(script.get_heads()) == 1
    assert [revision.revision for revision in script.walk_revisions()][-1] == "0001"


def test_a_second_coordinator_on_the_same_file_is_refused(tmp_path: Path) -> None:
    first, second = Database(f"sqlite:///{tmp_path}/studio.db"), Database(f"sqlite:///{tmp_path}/studio.db")
    first.open()
    with pytest.raises(DatabaseInUse, match=r"another coordinator already works on .*studio\.db; use PostgreSQL"):
        second.open()
    second.close()
    first.close()
    third = Database(f"sqlite:///{tmp_path}/studio.db")
    third.open()
    third.close()


def test_a_second_coordinator_ends_with_one_sentence_and_the_code_2(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/studio.db"
    database = Database(url)
    database.open()
    try:
        ended = start(DATABASE_URL=url)
    finally:
        database.close()
    assert ended.returncode == 2
    assert ended.stdout == ""
    said = ended.stderr.strip()
    assert said.startswith("coordinator: another coordinator already works on ")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("DATABASE_URL", "sqlite://", "DATABASE_URL names no file"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL"),
        ("DATABASE_URL", "mysql://localhost/x", "DATABASE_URL"),
        ("COORDINATOR_PORT", "0", "COORDINATOR_PORT"),
        ("COORDINATOR_HOST", "0.0.0.0", "API_TOKEN"),  # noqa: S104
    ],
)
def test_a_wrong_setting_ends_with_one_sentence_that_names_it(
    tmp_path: Path, setting: str, value: str, says: str
) -> None:
    ended = start(**{"DATABASE_URL": f"sqlite:///{tmp_path}/studio.db", setting: value})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("coordinator: ")
    assert says in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_database_that_does_not_answer_ends_with_one_sentence_and_the_code_3() -> None:
    ended = start(DATABASE_URL="postgresql://nobody:secret@127.0.0.1:9/none")
    assert ended.returncode == 3
    assert ended.stderr.startswith("coordinator: the database does not answer")
    assert "secret" not in ended.stderr


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    """A coordinator that is expected to end by itself."""
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        [sys.executable, "-m", "services.coordinator"],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
