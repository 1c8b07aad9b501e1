"""Projects that are removed for good."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.add_column(sa.Column("collected_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("scene", schema=None) as batch_op:
        batch_op.create_index("scene_of_sentence", ["sentence_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("scene", schema=None) as batch_op:
        batch_op.drop_index("scene_of_sentence")
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.drop_column("collected_at")
