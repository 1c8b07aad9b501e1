"""Rows of projects, sentences and takes."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from services.coordinator.store.scenes import SHOWN, to_scene
from services.coordinator.store.schema import project, scene, sentence, take
from shared.contracts.claims import SceneInput
from shared.contracts.project import Project, Sentence, Size, Take
from shared.contracts.scene import Artifact, Scene, Stage

_image, _video = take.alias("image"), take.alias("video")
_ARTIFACT = ("key", "media_type", "size", "width", "height", "seconds")


def fingerprint(stage: Stage, given: SceneInput, source: Artifact | None) -> str:
    """What a take was made from: another fingerprint today means that the take is stale.

    The title is printed on some images but is no reason to make them anew. Neither is a size that was chosen
    because the project's did not fit.
    """
    size = given.wanted or given.size
    parts = [stage, given.text, given.prompt, given.style, str(given.seed), size.model_dump_json()]
    if stage is Stage.VIDEO:
        parts.append(source.key if source else "")
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def to_project(row: Any) -> Project:
    return Project(
        id=row.id,
        title=row.title,
        style=row.style,
        size=Size(width=row.width, height=row.height, seconds=row.seconds, fps=row.fps),
        seq=row.seq,
        created_at=row.created_at,
        deleted_at=row.deleted_at,
    )


def insert_project(connection: Connection, project_id: UUID, title: str, style: str, size: Size, now: datetime) -> None:
    connection.execute(
        sa.insert(project).values(id=project_id, title=title, style=style, **size.model_dump(), seq=1, created_at=now)
    )


def set_project(connection: Connection, project_id: UUID, **values: Any) -> None:
    connection.execute(sa.update(project).where(project.c.id == project_id).values(**values))


def find_project(connection: Connection, project_id: UUID) -> sa.Row[Any] | None:
    """Deleted or not, unless it is being removed for good."""
    query = sa.select(project).where(project.c.id == project_id, project.c.collected_at.is_(None))
    return connection.execute(query).one_or_none()


def list_projects(connection: Connection, limit: int, offset: int) -> Sequence[sa.Row[Any]]:
    """Projects that are not deleted with how much of each is made, newest first."""
    page = (
        sa.select(project)
        .where(project.c.deleted_at.is_(None))
        .order_by(project.c.created_at.desc(), project.c.id)
        .limit(limit)
        .offset(offset)
        .subquery()
    )
    alive = sa.and_(sentence.c.project_id == page.c.id, sentence.c.deleted_at.is_(None))
    totals = sa.select(
        page,
        sa.func.count(sentence.c.id).label("sentences"),
        sa.func.count(sentence.c.image_take_id).label("images"),
        sa.func.count(sentence.c.video_take_id).label("videos"),
    ).select_from(page.outerjoin(sentence, alive))
    return connection.execute(totals.group_by(*page.c).order_by(page.c.created_at.desc(), page.c.id)).all()


def count_projects(connection: Connection) -> int:
    query = sa.select(sa.func.count()).select_from(project).where(project.c.deleted_at.is_(None))
    return connection.execute(query).scalar_one()


def posters(connection: Connection, project_ids: Sequence[UUID]) -> dict[UUID, Artifact]:
    """The image of the first sentence that has one."""
    having = sa.and_(
        sentence.c.project_id.in_(project_ids), sentence.c.deleted_at.is_(None), sentence.c.image_take_id.is_not(None)
    )
    first = (
        sa.select(sentence.c.project_id, sa.func.min(sentence.c.position).label("position"))
        .where(having)
        .group_by(sentence.c.project_id)
        .subquery()
    )
    query = (
        sa.select(take)
        .join(sentence, sentence.c.image_take_id == take.c.id)
        .join(first, sa.and_(first.c.project_id == sentence.c.project_id, first.c.position == sentence.c.position))
        .where(sentence.c.deleted_at.is_(None))  # A deleted one keeps its place.
    )
    return {row.project_id: _artifact(row) for row in connection.execute(query)}


_SELECTED = sentence.outerjoin(_image, sentence.c.image_take_id == _image.c.id).outerjoin(
    _video, sentence.c.video_take_id == _video.c.id
)
_SELECTED_COLUMNS = [
    alias.c[name].label(f"{alias.name}_{name}")
    for alias in (_image, _video)
    for name in (*_ARTIFACT, "made_from", "seed")
]
_SENTENCE_COLUMNS = [c for c in sentence.c if c.name not in ("image_take_id", "video_take_id", "deleted_at")]


def _query_sentences(takes: sa.ColumnElement[bool], *wanted: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Sentences with their selected takes and the number of all takes; `takes` says which are theirs."""
    counted = (
        sa.select(
            take.c.sentence_id,
            sa.func.sum(sa.case((take.c.stage == Stage.IMAGE.value, 1), else_=0)).label("image_takes"),
            sa.func.sum(sa.case((take.c.stage == Stage.VIDEO.value, 1), else_=0)).label("video_takes"),
        )
        .where(takes)
        .group_by(take.c.sentence_id)
        .subquery()
    )
    return (
        sa.select(*_SENTENCE_COLUMNS, *_SELECTED_COLUMNS, counted.c.image_takes, counted.c.video_takes)
        .select_from(_SELECTED.outerjoin(counted, counted.c.sentence_id == sentence.c.id))
        .where(sentence.c.deleted_at.is_(None), sentence.c.project_id == sa.bindparam("of_project"), *wanted)
        .order_by(sentence.c.position)
    )


_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_SENTENCES = _query_sentences(take.c.project_id == sa.bindparam("of_project"))
_NAMED_SENTENCES = _query_sentences(take.c.sentence_id.in_(_IDS), sentence.c.id.in_(_IDS))


def sentences(connection: Connection, project_id: UUID, ids: Iterable[UUID] | None = None) -> list[Sentence]:
    """Sentences that are not deleted in story order, all or those named."""
    if ids is None:
        rows = connection.execute(_SENTENCES, {"of_project": project_id})
    else:
        rows = connection.execute(_NAMED_SENTENCES, {"of_project": project_id, "ids": list(ids)})
    found = (row._mapping for row in rows)
    return [_sentence(values, values["id"], values["scene_id"], values["version"]) for values in found]


def _sentence(values: Any, sentence_id: UUID, scene_id: UUID | None, version: int) -> Sentence:
    return Sentence.model_construct(
        id=sentence_id,
        position=values["position"],
        text=values["text"],
        prompt=values["prompt"],
        seed=values["seed"],
        seed_locked=values["seed_locked"],
        image=_joined(values, "image"),
        video=_joined(values, "video"),
        image_stale=values["image_stale"],
        video_stale=values["video_stale"],
        image_takes=int(values["image_takes"] or 0),
        video_takes=int(values["video_takes"] or 0),
        scene_id=scene_id,
        version=version,
    )


def _joined(values: Any, prefix: str) -> Artifact | None:
    if values[f"{prefix}_key"] is None:
        return None
    return Artifact.model_construct(**{name: values[f"{prefix}_{name}"] for name in _ARTIFACT})


def _artifact(row: Any) -> Artifact:
    return Artifact.model_construct(**{name: row._mapping[name] for name in _ARTIFACT})


def latest_scenes(connection: Connection, project_id: UUID) -> list[Scene]:
    """The latest scene of every sentence that ever had one, in story order."""
    query = (
        sa.select(*SHOWN)
        .join(sentence, sentence.c.scene_id == scene.c.id)
        .where(sentence.c.project_id == project_id, sentence.c.deleted_at.is_(None))
        .order_by(sentence.c.position)
    )
    return [to_scene(row) for row in connection.execute(query)]


def point_at_scenes(connection: Connection, run_id: UUID) -> None:
    """The scenes of this run are now the latest ones of their sentences."""
    connection.execute(
        sa.update(sentence)
        .where(scene.c.run_id == run_id, sentence.c.id == scene.c.sentence_id)
        .values(scene_id=scene.c.id, version=sentence.c.version + 1)
    )


def insert_sentences(connection: Connection, project_id: UUID, rows: Sequence[dict[str, Any]]) -> None:
    """Rows with `id`, `position`, `text`, `prompt`, `seed`."""
    if rows:
        fresh = {"project_id": project_id, "image_stale": False, "video_stale": False, "version": 1}
        connection.execute(sa.insert(sentence), [row | fresh for row in rows])


def find_sentence(
    connection: Connection, project_id: UUID, sentence_id: UUID, *, deleted: bool = False
) -> sa.Row[Any] | None:
    query = sa.select(sentence).where(sentence.c.id == sentence_id, sentence.c.project_id == project_id)
    return connection.execute(
        query.where(sentence.c.deleted_at.is_not(None) if deleted else sentence.c.deleted_at.is_(None))
    ).one_or_none()


def count_sentences(connection: Connection, project_id: UUID) -> int:
    query = sa.select(sa.func.count()).where(sentence.c.project_id == project_id, sentence.c.deleted_at.is_(None))
    return connection.execute(query).scalar_one()


def set_sentence(connection: Connection, sentence_id: UUID, **values: Any) -> None:
    connection.execute(
        sa.update(sentence).where(sentence.c.id == sentence_id).values(version=sentence.c.version + 1, **values)
    )


def shift_positions(connection: Connection, project_id: UUID, *, start: int, by: int) -> None:
    """Make or close a gap at `start`."""
    connection.execute(
        sa.update(sentence)
        .where(sentence.c.project_id == project_id, sentence.c.position >= start, sentence.c.deleted_at.is_(None))
        .values(position=sentence.c.position + by, version=sentence.c.version + 1)
    )


def reorder(connection: Connection, ids: Sequence[UUID]) -> None:
    connection.execute(
        sa.update(sentence)
        .where(sentence.c.id == sa.bindparam("of_sentence"))
        .values(position=sa.bindparam("place"), version=sentence.c.version + 1),
        [{"of_sentence": sentence_id, "place": place} for place, sentence_id in enumerate(ids, 1)],
    )


def given_for(head: Project, text: str, prompt: str | None, seed: int) -> SceneInput:
    """What a sentence would be made from today."""
    return SceneInput(title=head.title, text=text, prompt=prompt or text, style=head.style, seed=seed, size=head.size)


# A result can be told twice.
_ADD_TAKE = {
    "sqlite": sqlite.insert(take).on_conflict_do_nothing(index_elements=["key"]),
    "postgresql": postgresql.insert(take).on_conflict_do_nothing(index_elements=["key"]),
}


def add_take(
    connection: Connection, owner: Scene, stage: Stage, artifact: Artifact, made_from: str, seed: int, now: datetime
) -> UUID | None:
    """Keep a file as a take; None where it is kept already."""
    new = {
        "id": uuid4(),
        "project_id": owner.project_id,
        "sentence_id": owner.sentence_id,
        "scene_id": owner.id,
        "stage": stage.value,
        "made_from": made_from,
        "seed": seed,
        "created_at": now,
        **{name: getattr(artifact, name) for name in _ARTIFACT},
    }
    added = connection.execute(_ADD_TAKE[connection.dialect.name], new)
    return new["id"] if added.rowcount else None


_OWNER: sa.Select[Any] = (
    sa.select(
        *SHOWN,
        scene.c.input,
        *(
            sentence.c[name]
            for name in ("position", "text", "prompt", "seed", "seed_locked", "image_stale", "video_stale")
        ),
        sentence.c.image_take_id,
        sentence.c.video_take_id,
        sentence.c.id.label("owner_id"),
        sentence.c.scene_id.label("owner_scene_id"),
        sentence.c.version.label("owner_version"),
        *_SELECTED_COLUMNS,
        *(
            sa.select(sa.func.count())
            .where(take.c.sentence_id == scene.c.sentence_id, take.c.stage == stage.value)
            .scalar_subquery()
            .label(f"{stage}_takes")
            for stage in Stage
        ),
    )
    .select_from(
        scene.outerjoin(sentence, sa.and_(sentence.c.id == scene.c.sentence_id, sentence.c.deleted_at.is_(None)))
        .outerjoin(_image, sentence.c.image_take_id == _image.c.id)
        .outerjoin(_video, sentence.c.video_take_id == _video.c.id)
    )
    .where(scene.c.id == sa.bindparam("scene_id"))
)


def find_owner(connection: Connection, scene_id: UUID) -> sa.Row[Any] | None:
    """A scene and its sentence with the takes it shows, in one row; no `owner_id` where the sentence is deleted."""
    return connection.execute(_OWNER, {"scene_id": scene_id}).one_or_none()


_SELECT_TAKE = {
    stage: sa.update(sentence)
    .where(sentence.c.id == sa.bindparam("of_sentence"))
    .values(
        {
            f"{stage}_take_id": sa.bindparam("selected"),
            "seed": sa.bindparam("seed_is"),
            "image_stale": sa.bindparam("image_is"),
            "video_stale": sa.bindparam("video_is"),
            "version": sentence.c.version + 1,
        }
    )
    for stage in Stage
}


def give_take(  # noqa: PLR0913 - all that is known of the take, by name
    connection: Connection,
    head: Project,
    owner: sa.Row[Any],
    take_id: UUID,
    stage: Stage,
    artifact: Artifact,
    given: SceneInput,
    made_from: str,
    *,
    selected: bool,
) -> Sentence:
    """Give a take that was just added to the sentence in `owner`, a row of `find_owner`. Returns it as it is now.

    A seed that was drawn for it becomes the sentence's with the image, unless another was chosen meanwhile.
    """
    values = dict(owner._mapping)
    values[f"{stage}_takes"] += 1
    version = owner.owner_version
    if selected:
        values[f"{stage}_made_from"], values[f"{stage}_seed"] = made_from, given.seed
        if stage is Stage.IMAGE and given.instead_of == values["seed"]:
            values["seed"] = given.seed
        values.update({f"{stage}_{name}": getattr(artifact, name) for name in _ARTIFACT})
        image_is, video_is = values["image_stale"], values["video_stale"] = _stale(head, values)
        connection.execute(
            _SELECT_TAKE[stage],
            {
                "of_sentence": owner.owner_id,
                "selected": take_id,
                "seed_is": values["seed"],
                "image_is": image_is,
                "video_is": video_is,
            },
        )
        version += 1
    return _sentence(values, owner.owner_id, owner.owner_scene_id, version)


def takes_of(connection: Connection, sentence_id: UUID) -> Sequence[sa.Row[Any]]:
    """Oldest first."""
    return connection.execute(
        sa.select(take).where(take.c.sentence_id == sentence_id).order_by(take.c.created_at, take.c.id)
    ).all()


def to_take(row: Any, *, selected: bool, stale: bool) -> Take:
    return Take(
        id=row.id,
        stage=Stage(row.stage),
        artifact=_artifact(row),
        seed=row.seed,
        selected=selected,
        stale=stale,
        created_at=row.created_at,
    )


def refresh_stale(connection: Connection, head: Project, sentence_ids: Iterable[UUID] | None = None) -> None:
    """Compare what the selected takes were made from with what they would be made from today."""
    query = sa.select(
        sentence.c.id,
        sentence.c.text,
        sentence.c.prompt,
        sentence.c.seed,
        sentence.c.image_stale,
        sentence.c.video_stale,
        *_SELECTED_COLUMNS,
    ).select_from(_SELECTED)
    if sentence_ids is None:
        query = query.where(sentence.c.project_id == head.id)
    else:
        query = query.where(sentence.c.id.in_(list(sentence_ids)))
    changed = []
    for row in connection.execute(query):
        image_stale, video_stale = _stale(head, row._mapping)
        if (image_stale, video_stale) != (row.image_stale, row.video_stale):
            changed.append({"of_sentence": row.id, "image_is": image_stale, "video_is": video_stale})
    if changed:
        connection.execute(
            sa.update(sentence)
            .where(sentence.c.id == sa.bindparam("of_sentence"))
            .values(
                image_stale=sa.bindparam("image_is"),
                video_stale=sa.bindparam("video_is"),
                version=sentence.c.version + 1,
            ),
            changed,
        )


def _stale(head: Project, values: Any) -> tuple[bool, bool]:
    """Whether a sentence's selected image and video were made from something else than it says today."""
    given = given_for(head, values["text"], values["prompt"], values["seed"])
    image, video = values["image_made_from"], values["video_made_from"]
    of_video = given
    if values["image_seed"] == given.seed and values["video_seed"] is not None:
        # While the image shows that nobody has edited the seed, a video's own one was drawn for it.
        of_video = given.model_copy(update={"seed": values["video_seed"]})
    return (
        bool(image) and image != fingerprint(Stage.IMAGE, given, None),
        bool(video) and video != fingerprint(Stage.VIDEO, of_video, _joined(values, "image")),
    )
