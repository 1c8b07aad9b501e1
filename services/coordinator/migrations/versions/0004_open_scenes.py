"""Open scenes of a project are found without looking through all that it ever had."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OPEN = "status IN ('waiting', 'queued', 'running')"


def upgrade() -> None:
    op.create_index("scene_open", "scene", ["project_id"], sqlite_where=sa.text(OPEN), postgresql_where=sa.text(OPEN))


def downgrade() -> None:
    op.drop_index("scene_open", "scene")
