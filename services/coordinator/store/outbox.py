"""Messages that were decided but not yet confirmed by the broker, in the order of the decisions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from services.coordinator.store.schema import outbox
from shared.contracts.commands import GenerateImage, GenerateVideo, Message

_ADD = sa.insert(outbox).returning(outbox.c.id, outbox.c.payload)


class Sent(NamedTuple):
    """A message and its row."""

    id: int
    message: Message
    payload: str  #: the message as JSON


def add(connection: Connection, messages: Sequence[Message], now: datetime) -> Sequence[Sent]:
    """Leave with the commit of this transaction, or not at all."""
    rows: list[dict[str, Any]] = []
    for message in messages:
        job = message if isinstance(message, GenerateImage | GenerateVideo) else None
        rows.append(
            {
                "kind": getattr(message, "type", ""),
                "scene_id": job and job.scene_id,
                "run_id": job and job.run_id,
                "payload": message.model_dump_json(),
                "failures": 0,
                "created_at": now,
            }
        )
    if not rows:
        return []
    # Databases promise no order here; two rows with the same payload are the same to everybody.
    added = {row["payload"]: message for row, message in zip(rows, messages, strict=True)}
    ids = sorted((row_id, payload) for row_id, payload in connection.execute(_ADD, rows))
    return [Sent(row_id, added[payload], payload) for row_id, payload in ids]


# Rows the broker has no queue for go behind the others: one bad row never blocks the rest.
_NEXT = (
    sa.select(outbox)
    .where(outbox.c.id <= sa.bindparam("up_to", type_=sa.BigInteger))
    .order_by(outbox.c.failures, outbox.c.id)
    .limit(sa.bindparam("count", type_=sa.Integer))
)


def oldest(connection: Connection, limit: int, up_to: int) -> Sequence[sa.Row[Any]]:
    """What was not confirmed yet, from the first id on whatever was seen before: ids can commit out of order."""
    return connection.execute(_NEXT, {"count": limit, "up_to": up_to}).all()


_DELETE = sa.delete(outbox).where(outbox.c.id.in_(sa.bindparam("ids", expanding=True)))


def confirmed(connection: Connection, ids: Sequence[int]) -> None:
    if ids:
        connection.execute(_DELETE, {"ids": ids})


def failed(connection: Connection, ids: Sequence[int]) -> None:
    connection.execute(sa.update(outbox).where(outbox.c.id.in_(ids)).values(failures=outbox.c.failures + 1))


def drop_jobs(connection: Connection, scene_ids: Sequence[UUID]) -> None:
    """These jobs are not wanted any more and have not left yet."""
    if not scene_ids:
        return
    connection.execute(
        sa.delete(outbox).where(outbox.c.scene_id == sa.bindparam("of_scene")),
        [{"of_scene": scene_id} for scene_id in scene_ids],
    )


def drop_jobs_of_run(connection: Connection, run_id: UUID) -> None:
    connection.execute(sa.delete(outbox).where(outbox.c.run_id == run_id))


def scenes_with_jobs(connection: Connection) -> set[UUID]:
    query = sa.select(outbox.c.scene_id).where(outbox.c.scene_id.is_not(None))
    return set(connection.execute(query).scalars())


_BACKLOG = sa.select(sa.func.count(), sa.func.min(outbox.c.created_at), sa.func.max(outbox.c.id))


def backlog(connection: Connection) -> tuple[int, datetime | None, int]:
    """How many messages wait, since when the oldest does, and the highest id."""
    count, since, newest = connection.execute(_BACKLOG).one()
    return count, since, newest or 0
