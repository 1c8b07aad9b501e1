"""Rows of deleted projects on their way out: first the mark, in the end the project itself."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from services.coordinator.store.schema import project, run, scene, sentence, take
from shared.contracts.run import ACTIVE


def mark(connection: Connection, deleted_before: datetime, now: datetime) -> None:
    """From now on nobody restores, reads or changes these projects, and no result of a worker reaches them."""
    going_on = sa.exists().where(run.c.project_id == project.c.id, run.c.status.in_(ACTIVE))
    connection.execute(
        sa.update(project)
        .where(project.c.deleted_at < deleted_before, project.c.collected_at.is_(None), ~going_on)
        .values(collected_at=now)
    )


def marked(connection: Connection) -> Sequence[UUID]:
    """The longest marked first."""
    query = sa.select(project.c.id).where(project.c.collected_at.is_not(None))
    return connection.execute(query.order_by(project.c.collected_at, project.c.id)).scalars().all()


def remove_some(connection: Connection, project_id: UUID, limit: int) -> int:
    """Remove rows of a marked project, at most `limit`. Returns how many: 0 when none is left, and it is gone."""
    runs = sa.select(run.c.id).where(run.c.project_id == project_id)
    for table, its in (  # Each before what it points at.
        (scene, scene.c.run_id.in_(runs)),
        (take, take.c.project_id == project_id),
        (sentence, sentence.c.project_id == project_id),
        (run, run.c.project_id == project_id),
    ):
        some = sa.select(table.c.id).where(its).limit(limit)
        removed = connection.execute(sa.delete(table).where(table.c.id.in_(some))).rowcount
        if removed:
            return removed
    connection.execute(sa.delete(project).where(project.c.id == project_id, project.c.collected_at.is_not(None)))
    return 0
