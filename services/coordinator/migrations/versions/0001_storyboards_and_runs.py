"""Projects, sentences, takes, runs, scenes, outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("scene_id", sa.Uuid(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("outbox_of_scene", ["scene_id"], unique=False)

    op.create_table(
        "project",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("style", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("fps", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("order", sa.String(length=16), nullable=False),
        sa.Column("stages", sa.String(length=16), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("retry_of", sa.Uuid(), nullable=True),
        sa.Column("notice", sa.Text(), nullable=True),
        sa.Column("purge_pending", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index(
            "one_active_bulk_run",
            ["project_id"],
            unique=True,
            sqlite_where=sa.text("kind = 'bulk' AND status IN ('running', 'paused', 'cancelling')"),
            postgresql_where=sa.text("kind = 'bulk' AND status IN ('running', 'paused', 'cancelling')"),
        )
        batch_op.create_index(
            "run_active",
            ["status"],
            unique=False,
            sqlite_where=sa.text("status IN ('running', 'paused', 'cancelling')"),
            postgresql_where=sa.text("status IN ('running', 'paused', 'cancelling')"),
        )
        batch_op.create_index("run_of_project", ["project_id", "created_at"], unique=False)
        batch_op.create_index(
            "run_to_purge",
            ["purge_pending"],
            unique=False,
            sqlite_where=sa.text("purge_pending"),
            postgresql_where=sa.text("purge_pending"),
        )

    op.create_table(
        "sentence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("image_take_id", sa.Uuid(), nullable=True),
        sa.Column("video_take_id", sa.Uuid(), nullable=True),
        sa.Column("image_stale", sa.Boolean(), nullable=False),
        sa.Column("video_stale", sa.Boolean(), nullable=False),
        sa.Column("scene_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("sentence", schema=None) as batch_op:
        batch_op.create_index("sentence_in_order", ["project_id", "position"], unique=False)

    op.create_table(
        "scene",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("sentence_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("stopping", sa.String(length=8), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("session", sa.Uuid(), nullable=True),
        sa.Column("beat", sa.Integer(), nullable=False),
        sa.Column("contested", sa.Boolean(), nullable=False),
        sa.Column("queued_at_us", sa.BigInteger(), nullable=True),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("video", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["run.id"],
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id"],
            ["sentence.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("scene", schema=None) as batch_op:
        batch_op.create_index(
            "one_open_scene",
            ["sentence_id"],
            unique=True,
            sqlite_where=sa.text("status IN ('waiting', 'queued', 'running')"),
            postgresql_where=sa.text("status IN ('waiting', 'queued', 'running')"),
        )
        batch_op.create_index("scene_of_run", ["run_id", "stage", "status", "plan", "number"], unique=False)
        batch_op.create_index(
            "scene_on_queue",
            ["stage", "queued_at_us"],
            unique=False,
            sqlite_where=sa.text("status IN ('queued', 'running')"),
            postgresql_where=sa.text("status IN ('queued', 'running')"),
        )
        batch_op.create_index(
            "scene_waiting",
            ["run_id", "stage", "number"],
            unique=False,
            sqlite_where=sa.text("status = 'waiting'"),
            postgresql_where=sa.text("status = 'waiting'"),
        )

    op.create_table(
        "take",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("sentence_id", sa.Uuid(), nullable=False),
        sa.Column("scene_id", sa.Uuid(), nullable=False),
        sa.Column("stage", sa.String(length=8), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("media_type", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("made_from", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.ForeignKeyConstraint(
            ["sentence_id"],
            ["sentence.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    with op.batch_alter_table("take", schema=None) as batch_op:
        batch_op.create_index("take_of_project", ["project_id"], unique=False)
        batch_op.create_index("take_of_sentence", ["sentence_id", "stage"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("take", schema=None) as batch_op:
        batch_op.drop_index("take_of_sentence")
        batch_op.drop_index("take_of_project")

    op.drop_table("take")
    with op.batch_alter_table("scene", schema=None) as batch_op:
        batch_op.drop_index(
            "scene_waiting",
            sqlite_where=sa.text("status = 'waiting'"),
            postgresql_where=sa.text("status = 'waiting'"),
        )
        batch_op.drop_index(
            "scene_on_queue",
            sqlite_where=sa.text("status IN ('queued', 'running')"),
            postgresql_where=sa.text("status IN ('queued', 'running')"),
        )
        batch_op.drop_index("scene_of_run")
        batch_op.drop_index(
            "one_open_scene",
            sqlite_where=sa.text("status IN ('waiting', 'queued', 'running')"),
            postgresql_where=sa.text("status IN ('waiting', 'queued', 'running')"),
        )

    op.drop_table("scene")
    with op.batch_alter_table("sentence", schema=None) as batch_op:
        batch_op.drop_index("sentence_in_order")

    op.drop_table("sentence")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index(
            "run_to_purge", sqlite_where=sa.text("purge_pending"), postgresql_where=sa.text("purge_pending")
        )
        batch_op.drop_index("run_of_project")
        batch_op.drop_index(
            "run_active",
            sqlite_where=sa.text("status IN ('running', 'paused', 'cancelling')"),
            postgresql_where=sa.text("status IN ('running', 'paused', 'cancelling')"),
        )
        batch_op.drop_index(
            "one_active_bulk_run",
            sqlite_where=sa.text("kind = 'bulk' AND status IN ('running', 'paused', 'cancelling')"),
            postgresql_where=sa.text("kind = 'bulk' AND status IN ('running', 'paused', 'cancelling')"),
        )

    op.drop_table("run")
    op.drop_table("project")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("outbox_of_scene")

    op.drop_table("outbox")
