"""The tables. A change here needs a migration in `migrations/versions`, which a test compares."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An instant. SQLite forgets the time zone, so it is put back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


project = sa.Table(
    "project",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("style", sa.Text, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("fps", sa.Integer, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("deleted_at", UtcDateTime),
    sa.Column("collected_at", UtcDateTime),  #: since when it is being removed for good, and there for nobody
)

sentence = sa.Table(
    "sentence",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("project_id", sa.Uuid, sa.ForeignKey("project.id"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),  #: from 1, without gaps among those not deleted
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("prompt", sa.Text),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("seed_locked", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("image_take_id", sa.Uuid),  #: the selected one
    sa.Column("video_take_id", sa.Uuid),
    sa.Column("image_stale", sa.Boolean, nullable=False),
    sa.Column("video_stale", sa.Boolean, nullable=False),
    sa.Column("scene_id", sa.Uuid),  #: the latest one
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("deleted_at", UtcDateTime),
    sa.Index("sentence_in_order", "project_id", "position"),
)

take = sa.Table(
    "take",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("project_id", sa.Uuid, sa.ForeignKey("project.id"), nullable=False),
    sa.Column("sentence_id", sa.Uuid, sa.ForeignKey("sentence.id"), nullable=False),
    sa.Column("scene_id", sa.Uuid, nullable=False),
    sa.Column("stage", sa.String(8), nullable=False),
    sa.Column("key", sa.String(255), nullable=False, unique=True),
    sa.Column("media_type", sa.String(64), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float),
    sa.Column("made_from", sa.String(64), nullable=False),  #: fingerprint of what it was made from
    sa.Column("seed", sa.BigInteger, nullable=False, server_default="0"),  #: the same, for it may be another one
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index("take_of_sentence", "sentence_id", "stage"),
    sa.Index("take_of_project", "project_id"),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("project_id", sa.Uuid, sa.ForeignKey("project.id"), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("order", sa.String(16), nullable=False),
    sa.Column("stages", sa.String(16), nullable=False),  #: separated by commas
    sa.Column("request", sa.String(64), nullable=False),  #: fingerprint of the press: a second one is folded into it
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("retry_of", sa.Uuid),
    sa.Column("notice", sa.Text),
    sa.Column("purge_pending", sa.Boolean, nullable=False),  #: messages of it may still be on a queue
    sa.Column("seen", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Index("run_of_project", "project_id", "created_at"),
    sa.Index(
        "one_active_bulk_run",
        "project_id",
        unique=True,
        sqlite_where=sa.text("kind = 'bulk' AND status IN ('running', 'paused', 'cancelling')"),
        postgresql_where=sa.text("kind = 'bulk' AND status IN ('running', 'paused', 'cancelling')"),
    ),
    sa.Index(
        "run_active",
        "status",
        sqlite_where=sa.text("status IN ('running', 'paused', 'cancelling')"),
        postgresql_where=sa.text("status IN ('running', 'paused', 'cancelling')"),
    ),
    sa.Index(
        "run_to_purge",
        "purge_pending",
        sqlite_where=sa.text("purge_pending"),
        postgresql_where=sa.text("purge_pending"),
    ),
)

#: SQLite takes an index of some rows only where a query says the very words of its condition.
OPEN = "status IN ('waiting', 'queued', 'running')"
WITH_BROKER = "status IN ('queued', 'running')"

scene = sa.Table(
    "scene",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("run_id", sa.Uuid, sa.ForeignKey("run.id"), nullable=False),
    sa.Column("project_id", sa.Uuid, sa.ForeignKey("project.id"), nullable=False),
    sa.Column("sentence_id", sa.Uuid, sa.ForeignKey("sentence.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("plan", sa.String(16), nullable=False),  #: stages separated by commas
    sa.Column("stage", sa.String(8), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("crashes", sa.Integer, nullable=False),
    sa.Column("stopping", sa.String(8)),
    sa.Column("worker", sa.Text),
    sa.Column("session", sa.Uuid),
    sa.Column("beat", sa.Integer, nullable=False),  #: rises with every renewal of the lease
    sa.Column("contested", sa.Boolean, nullable=False),  #: another session was offered the running job
    sa.Column("queued_at_us", sa.BigInteger),  #: when it was put on its queue, microseconds of the epoch
    sa.Column("image", sa.Text),
    sa.Column("video", sa.Text),
    sa.Column("failure", sa.Text),
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
    sa.Index("scene_of_sentence", "sentence_id"),  #: without it the removal of each sentence looks through all scenes
    sa.Index("scene_of_run", "run_id", "stage", "status", "plan", "number"),
    sa.Index(
        "one_open_scene",
        "sentence_id",
        unique=True,
        sqlite_where=sa.text(OPEN),
        postgresql_where=sa.text(OPEN),
    ),
    sa.Index(
        "scene_waiting",
        "run_id",
        "stage",
        "number",
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    ),
    sa.Index(
        "scene_on_queue",
        "stage",
        "queued_at_us",
        sqlite_where=sa.text(WITH_BROKER),
        postgresql_where=sa.text(WITH_BROKER),
    ),
    sa.Index("scene_open", "project_id", sqlite_where=sa.text(OPEN), postgresql_where=sa.text(OPEN)),
)

outbox = sa.Table(
    "outbox",
    metadata,
    # SQLite gives ids of deleted rows out again without `autoincrement`; the relay deletes by id.
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(32), nullable=False),  #: `type` of the message
    sa.Column("scene_id", sa.Uuid),  #: of a job
    sa.Column("run_id", sa.Uuid),  #: of a job
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),  #: times the broker had no queue for it
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index("outbox_of_scene", "scene_id"),
    sqlite_autoincrement=True,
)
