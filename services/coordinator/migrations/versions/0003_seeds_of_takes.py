"""Takes know their seed, and a sentence's seed can be locked."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEED = {
    "sqlite": "json_extract(scene.input, '$.seed')",
    "postgresql": "CAST(CAST(scene.input AS json) ->> 'seed' AS BIGINT)",
}


def upgrade() -> None:
    op.add_column("take", sa.Column("seed", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("sentence", sa.Column("seed_locked", sa.Boolean(), nullable=False, server_default=sa.false()))
    seed = SEED[op.get_bind().dialect.name]
    op.execute(f"UPDATE take SET seed = (SELECT {seed} FROM scene WHERE scene.id = take.scene_id)")  # noqa: S608


def downgrade() -> None:
    op.drop_column("sentence", "seed_locked")
    op.drop_column("take", "seed")
