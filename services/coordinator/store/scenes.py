"""Rows of runs and scenes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from services.coordinator.counters import Counters, Group, count
from services.coordinator.store.schema import OPEN, WITH_BROKER, run, scene
from shared.contracts.claims import SceneInput
from shared.contracts.run import ACTIVE, Notice, Order, Run, RunKind, RunStatus
from shared.contracts.scene import (
    Artifact,
    Failure,
    Scene,
    SceneStatus,
    Stage,
    Stopping,
)

_NOT_SHOWN = {"beat", "contested", "queued_at_us", "input"}
SHOWN = [column for column in scene.c if column.name not in _NOT_SHOWN]  #: what `to_scene` reads
_SHOWN_NAMES = [column.name for column in SHOWN]
_OPEN = sa.text(OPEN)
_WITH_BROKER = sa.text(WITH_BROKER)


def to_scene(row: Any) -> Scene:
    """A scene from a row that begins with `SHOWN`; rows were validated before they were stored."""
    values = dict(zip(_SHOWN_NAMES, row, strict=False))  # Ten times as fast as the row's own mapping.
    values["plan"] = stages_of(values["plan"])
    values["stage"] = Stage(values["stage"])
    values["status"] = SceneStatus(values["status"])
    values["stopping"] = values["stopping"] and Stopping(values["stopping"])
    for name, model in (("image", Artifact), ("video", Artifact), ("failure", Failure)):
        values[name] = values[name] and model.model_validate_json(values[name])
    return Scene.model_construct(**values)


@cache  # There are only a few different plans.
def stages_of(text: str) -> tuple[Stage, ...]:
    """From the column of a run or of a scene's plan."""
    return tuple(Stage(part) for part in text.split(",") if part)


def _values(scene: Scene, now: datetime) -> dict[str, Any]:
    return {
        "plan": ",".join(scene.plan),
        "stage": scene.stage.value,
        "status": scene.status.value,
        "attempt": scene.attempt,
        "failures": scene.failures,
        "crashes": scene.crashes,
        "stopping": scene.stopping and scene.stopping.value,
        "worker": scene.worker,
        "session": scene.session,
        "image": scene.image and scene.image.model_dump_json(),
        "video": scene.video and scene.video.model_dump_json(),
        "failure": scene.failure and scene.failure.model_dump_json(),
        "version": scene.version,
        "changed_at": now,
    }


def insert_run(  # noqa: PLR0913 - the columns of the row, each by its name
    connection: Connection,
    *,
    run_id: UUID,
    project_id: UUID,
    kind: RunKind,
    order: Order,
    stages: Sequence[Stage],
    request: str,
    retry_of: UUID | None,
    now: datetime,
) -> None:
    connection.execute(
        sa.insert(run).values(
            id=run_id,
            project_id=project_id,
            kind=kind.value,
            order=order.value,
            stages=",".join(stages),
            request=request,
            status=RunStatus.RUNNING.value,
            retry_of=retry_of,
            purge_pending=False,
            seen=False,
            created_at=now,
        )
    )


def insert_scenes(connection: Connection, scenes: Sequence[tuple[Scene, SceneInput]], now: datetime) -> None:
    connection.execute(
        sa.insert(scene),
        [
            {
                "id": new.id,
                "run_id": new.run_id,
                "project_id": new.project_id,
                "sentence_id": new.sentence_id,
                "number": new.number,
                "beat": 0,
                "contested": False,
                "input": given.model_dump_json(),
                **_values(new, now),
            }
            for new, given in scenes
        ],
    )


_LOAD = sa.select(*SHOWN).where(scene.c.id == sa.bindparam("scene_id"))


def load(connection: Connection, scene_id: UUID) -> Scene | None:
    row = connection.execute(_LOAD, {"scene_id": scene_id}).one_or_none()
    return None if row is None else to_scene(row)


_TO_GRANT = sa.select(*SHOWN, scene.c.input, scene.c.queued_at_us).where(scene.c.id == sa.bindparam("scene_id"))


def load_to_grant(connection: Connection, scene_id: UUID) -> tuple[Scene, str, int | None] | None:
    """The scene, what it is made from as JSON, and when it was queued, in microseconds of the epoch."""
    row = connection.execute(_TO_GRANT, {"scene_id": scene_id}).one_or_none()
    return None if row is None else (to_scene(row), row.input, row.queued_at_us)


def inputs(connection: Connection, scene_ids: Sequence[UUID]) -> dict[UUID, SceneInput]:
    """What these scenes are made from."""
    query = sa.select(scene.c.id, scene.c.input).where(scene.c.id.in_(scene_ids))
    return {row.id: SceneInput.model_validate_json(row.input) for row in connection.execute(query)}


def of_run(connection: Connection, run_id: UUID, statuses: Sequence[SceneStatus] | None = None) -> list[Scene]:
    """The run's scenes in story order, all or those in one of these."""
    query = sa.select(*SHOWN).where(scene.c.run_id == run_id).order_by(scene.c.number)
    if statuses is not None:
        query = query.where(scene.c.status.in_(statuses))
    return [to_scene(row) for row in connection.execute(query)]


def open_of_sentences(connection: Connection, project_id: UUID, sentence_ids: Iterable[UUID] | None) -> list[Scene]:
    """Scenes that may still change, of these sentences or of the whole project."""
    query = sa.select(*SHOWN).where(scene.c.project_id == project_id, _OPEN)
    if sentence_ids is not None:
        query = query.where(scene.c.sentence_id.in_(list(sentence_ids)))
    return [to_scene(row) for row in connection.execute(query)]


def running(connection: Connection) -> Sequence[sa.Row[Any]]:
    """(id, project_id, attempt, beat, contested, worker, session) of every scene a worker holds."""
    columns = ("id", "project_id", "attempt", "beat", "contested", "worker", "session")
    query = sa.select(*(scene.c[name] for name in columns)).where(
        _WITH_BROKER, scene.c.status == SceneStatus.RUNNING.value
    )
    return connection.execute(query).all()


def queued(connection: Connection) -> Sequence[sa.Row[Any]]:
    """(id, project_id, run_id, stage, attempt, queued_at_us) of every scene on a queue, oldest first."""
    columns = ("id", "project_id", "run_id", "stage", "attempt", "queued_at_us")
    query = sa.select(*(scene.c[name] for name in columns)).where(
        _WITH_BROKER, scene.c.status == SceneStatus.QUEUED.value
    )
    return connection.execute(query.order_by(scene.c.queued_at_us)).all()


def last_claimed(connection: Connection) -> dict[Stage, int]:
    """When the youngest of the running jobs was queued, by stage."""
    query = (
        sa.select(scene.c.stage, sa.func.max(scene.c.queued_at_us))
        .where(_WITH_BROKER, scene.c.status == SceneStatus.RUNNING.value)
        .group_by(scene.c.stage)
    )
    return {Stage(stage): queued_at for stage, queued_at in connection.execute(query) if queued_at is not None}


def queued_before(connection: Connection, stage: Stage, queued_at_us: int, run_id: UUID) -> int:
    """Jobs of other runs that stand in front on the queue of `stage`."""
    query = sa.select(sa.func.count()).where(
        _WITH_BROKER,
        scene.c.status == SceneStatus.QUEUED.value,
        scene.c.stage == stage.value,
        scene.c.queued_at_us < queued_at_us,
        scene.c.run_id != run_id,
    )
    return connection.execute(query).scalar_one()


def first_queued(connection: Connection, run_id: UUID, stage: Stage) -> int | None:
    query = sa.select(sa.func.min(scene.c.queued_at_us)).where(
        scene.c.status == SceneStatus.QUEUED.value, scene.c.stage == stage.value, scene.c.run_id == run_id
    )
    return connection.execute(query).scalar_one_or_none()


_WAITING = (
    sa.select(*SHOWN)
    .where(
        scene.c.run_id == sa.bindparam("run_id"),
        scene.c.stage == sa.bindparam("stage"),
        scene.c.status == sa.literal_column("'waiting'"),  # Literally, or SQLite does not see that an index fits.
    )
    .order_by(scene.c.number)
    .limit(sa.bindparam("count", type_=sa.Integer))
)


def waiting(connection: Connection, run_id: UUID, stage: Stage, limit: int) -> list[Scene]:
    """The oldest sentences first."""
    rows = connection.execute(_WAITING, {"run_id": run_id, "stage": stage.value, "count": limit})
    return [to_scene(row) for row in rows]


_CHANGED = ("plan", "stage", "status", "attempt", "failures", "crashes", "stopping", "worker", "session")
_SAVE = (
    sa.update(scene)
    .where(scene.c.id == sa.bindparam("scene_id"))
    .values(
        {name: sa.bindparam(name) for name in (*_CHANGED, "image", "video", "failure", "version", "changed_at")}
        | {"contested": False, "queued_at_us": sa.func.coalesce(sa.bindparam("queued_us"), scene.c.queued_at_us)}
    )
)


def save(connection: Connection, scenes: Sequence[Scene], now: datetime) -> None:
    """Store each scene as it is now. The project is locked, so nobody else has changed it meanwhile."""
    microseconds = int(now.timestamp() * 1_000_000)
    connection.execute(
        _SAVE,
        [
            {
                "scene_id": changed.id,
                "queued_us": microseconds if changed.status is SceneStatus.QUEUED else None,
                **_values(changed, now),
            }
            for changed in scenes
        ],
    )


_CANCEL_UNCLAIMED = (
    sa.update(scene)
    .where(scene.c.run_id == sa.bindparam("of_run"), scene.c.status.in_((SceneStatus.WAITING, SceneStatus.QUEUED)))
    .values(status=SceneStatus.CANCELLED.value, version=scene.c.version + 1, changed_at=sa.bindparam("now"))
)


def cancel_unclaimed(connection: Connection, run_id: UUID, now: datetime) -> None:
    """What `lifecycle.decide` makes of every scene that waits or is queued, thousands of them, in one statement."""
    connection.execute(_CANCEL_UNCLAIMED, {"of_run": run_id, "now": now})


def touch_queued(connection: Connection, scene_ids: Sequence[UUID], now: datetime) -> None:
    """These were put on their queues again."""
    connection.execute(
        sa.update(scene).where(scene.c.id.in_(scene_ids)).values(queued_at_us=int(now.timestamp() * 1_000_000))
    )


def contest(connection: Connection, scene_id: UUID) -> None:
    connection.execute(sa.update(scene).where(scene.c.id == scene_id).values(contested=True))


#: Whoever was told to stop and does not must lose its lease in the end, or the run would never be over.
_TOLD_TO_STOP = sa.func.coalesce(scene.c.stopping, "") == Stopping.CANCEL.value
_RENEW = (
    sa.update(scene)
    .where(
        scene.c.id == sa.bindparam("scene_id"),
        scene.c.stage == sa.bindparam("of_stage"),
        scene.c.attempt == sa.bindparam("of_attempt"),
        scene.c.session == sa.bindparam("of_session"),
        scene.c.status == SceneStatus.RUNNING.value,
    )
    .values(beat=sa.case((_TOLD_TO_STOP, scene.c.beat), else_=scene.c.beat + 1), contested=False)
    .returning(scene.c.stopping)
)


def renew(connection: Connection, scene_id: UUID, stage: Stage, attempt: int, session: UUID) -> bool:
    """Move the lease's beat. False where the holder must stop: it lost the claim, or is told to."""
    given = {"scene_id": scene_id, "of_stage": stage.value, "of_attempt": attempt, "of_session": session}
    row = connection.execute(_RENEW, given).one_or_none()
    return row is not None and row.stopping is None


_COUNT = (
    sa.select(scene.c.plan, scene.c.stage, scene.c.status, sa.func.count())
    .where(scene.c.run_id == sa.bindparam("run_id"))
    .group_by(scene.c.plan, scene.c.stage, scene.c.status)
)


def groups(connection: Connection, run_id: UUID) -> list[Group]:
    """Counted from the rows, so that no repeat and no crash can make them wrong."""
    return [
        Group(stages_of(plan), Stage(stage), SceneStatus(status), scenes)
        for plan, stage, status, scenes in connection.execute(_COUNT, {"run_id": run_id})
    ]


def counters(connection: Connection, run_id: UUID) -> Counters:
    return count(groups(connection, run_id))


_RUN = sa.select(run).where(run.c.id == sa.bindparam("run_id"))


def run_row(connection: Connection, run_id: UUID) -> sa.Row[Any] | None:
    return connection.execute(_RUN, {"run_id": run_id}).one_or_none()


def to_run(row: Any, counted: Counters, seq: int) -> Run:
    """A run as of the project's `seq`, which is its version."""
    order = Order(row.order)
    return Run(
        id=row.id,
        project_id=row.project_id,
        kind=RunKind(row.kind),
        order=order,
        stages=stages_of(row.stages),
        status=RunStatus(row.status),
        retry_of=row.retry_of,
        scenes=counted.scenes,
        failed=counted.failed,
        images=counted.images,
        videos=counted.videos,
        progress=counted.progress(order),
        notice=Notice.model_validate_json(row.notice) if row.notice else None,
        created_at=row.created_at,
        ended_at=row.ended_at,
        seen=row.seen,
        version=seq,
    )


def set_run(connection: Connection, run_id: UUID, **values: Any) -> None:
    connection.execute(sa.update(run).where(run.c.id == run_id).values(**values))


def active_runs(connection: Connection, project_id: UUID | None = None) -> Sequence[sa.Row[Any]]:
    """Rows of runs that may still change, oldest first."""
    query = sa.select(run).where(run.c.status.in_(ACTIVE)).order_by(run.c.created_at)
    if project_id is not None:
        query = query.where(run.c.project_id == project_id)
    return connection.execute(query).all()


def runs_of_project(
    connection: Connection, project_id: UUID, limit: int, kind: RunKind | None = None
) -> Sequence[sa.Row[Any]]:
    """The newest first, all or those of one kind."""
    query = sa.select(run).where(run.c.project_id == project_id).order_by(run.c.created_at.desc(), run.c.id)
    if kind is not None:
        query = query.where(run.c.kind == kind.value)
    return connection.execute(query.limit(limit)).all()


def shown_runs(connection: Connection, project_ids: Sequence[UUID]) -> dict[UUID, sa.Row[Any]]:
    """For each of these projects the run that is active, else the newest bulk run."""
    is_active = run.c.status.in_(ACTIVE)
    place = sa.func.row_number().over(
        partition_by=run.c.project_id, order_by=(sa.case((is_active, 0), else_=1), run.c.created_at.desc())
    )
    ranked = (
        sa.select(run, place.label("place"))
        .where(run.c.project_id.in_(project_ids), is_active | (run.c.kind == RunKind.BULK.value))
        .subquery()
    )
    return {row.project_id: row for row in connection.execute(sa.select(ranked).where(ranked.c.place == 1))}


def runs_to_purge(connection: Connection) -> list[UUID]:
    return list(connection.execute(sa.select(run.c.id).where(run.c.purge_pending)).scalars())


def clear_purge(connection: Connection, run_ids: Sequence[UUID]) -> None:
    connection.execute(sa.update(run).where(run.c.id.in_(run_ids)).values(purge_pending=False))
