"""What a creator changes in a storyboard: projects, sentences, takes. Each is one `Change`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from services.coordinator.advance import Advance, Change
from services.coordinator.errors import BadField, Conflict, NotFound
from services.coordinator.runs import cancel_in, cancel_scene_in, draw_seed
from services.coordinator.store import scenes, storyboard
from shared.contracts.claims import SceneInput
from shared.contracts.project import Project, ProjectSummary, Sentence, Size, Storyboard, Take
from shared.contracts.run import RunKind
from shared.contracts.scene import Artifact, Stage

MAX_SEED = 2**53 - 1  #: what a browser can hold, show and send back unchanged


def create_project(
    advance: Advance,
    *,
    title: str,
    style: str,
    size: Size,
    sentences: Sequence[tuple[str, str | None, int | None]],
) -> Storyboard:
    """A new project with sentences given as (text, prompt, seed)."""
    project_id = uuid4()
    with advance.database.write() as connection:
        storyboard.insert_project(connection, project_id, title, style, size, datetime.now(UTC))
        rows = [
            {"id": uuid4(), "position": place, "text": text, "prompt": prompt, "seed": _seed(seed)}
            for place, (text, prompt, seed) in enumerate(sentences, 1)
        ]
        storyboard.insert_sentences(connection, project_id, rows)
    return read_storyboard(advance, project_id)


def _seed(wanted: int | None) -> int:
    return draw_seed() if wanted is None else wanted


def read_storyboard(advance: Advance, project_id: UUID) -> Storyboard:
    """Everything a page needs, as of one moment."""
    with advance.database.read() as connection:
        head = _alive(storyboard.find_project(connection, project_id), project_id)
        # The end of the last one, and of the last bulk run, may not have been told to anybody yet.
        wanted = [
            *scenes.active_runs(connection, project_id),
            *scenes.runs_of_project(connection, project_id, 1),
            *scenes.runs_of_project(connection, project_id, 1, RunKind.BULK),
        ]
        rows = sorted({row.id: row for row in wanted}.values(), key=lambda row: row.created_at, reverse=True)
        return Storyboard.model_construct(
            project=head,
            sentences=storyboard.sentences(connection, project_id),
            scenes=storyboard.latest_scenes(connection, project_id),
            runs=[scenes.to_run(row, scenes.counters(connection, row.id), head.seq) for row in rows],
        )


def list_projects(advance: Advance, limit: int, offset: int) -> tuple[list[ProjectSummary], int]:
    """Newest first, without those deleted; and how many there are in all."""
    with advance.database.read() as connection:
        rows = storyboard.list_projects(connection, limit, offset)
        ids = [row.id for row in rows]
        posters = storyboard.posters(connection, ids)
        runs = scenes.shown_runs(connection, ids)
        listed = [
            ProjectSummary(
                **storyboard.to_project(row).model_dump(),
                sentences=row.sentences,
                images=row.images,
                videos=row.videos,
                poster=posters.get(row.id),
                run=scenes.to_run(runs[row.id], scenes.counters(connection, runs[row.id].id), row.seq)
                if row.id in runs
                else None,
            )
            for row in rows
        ]
        return listed, storyboard.count_projects(connection)


def edit_project(advance: Advance, project_id: UUID, changes: dict[str, Any]) -> Project:
    """Change title, style or size; takes made from the old ones become stale."""
    with advance.change(project_id) as change:
        _check_alive(change)
        before = storyboard.find_project(change.connection, project_id)
        changes = _different(before, changes)
        if not changes:
            return change.head
        storyboard.set_project(change.connection, project_id, **changes)
        head = storyboard.to_project(storyboard.find_project(change.connection, project_id))
        storyboard.refresh_stale(change.connection, head)
        change.edited = True
        return head.model_copy(update={"seq": change.seq})


def delete_project(advance: Advance, project_id: UUID) -> None:
    """Soft: `restore_project` brings it back. What runs for it is cancelled."""
    with advance.change(project_id) as change:
        _check_alive(change)
        for row in scenes.active_runs(change.connection, project_id):
            if row.status != "cancelling":
                cancel_in(advance, change, row.id)
        storyboard.set_project(change.connection, project_id, deleted_at=change.now)
        change.edited = True


def restore_project(advance: Advance, project_id: UUID) -> Project:
    with advance.change(project_id) as change:
        if change.head.deleted_at is not None:
            storyboard.set_project(change.connection, project_id, deleted_at=None)
            change.edited = True
        return change.head.model_copy(
            update={"deleted_at": None, "seq": change.seq if change.edited else change.head.seq}
        )


def add_sentence(
    advance: Advance, project_id: UUID, *, text: str, prompt: str | None, position: int | None, limit: int
) -> Sentence:
    """Insert at `position`, from 1; at the end without one."""
    with advance.change(project_id) as change:
        _check_alive(change)
        count = storyboard.count_sentences(change.connection, project_id)
        if count >= limit:
            raise BadField("text", f"A project holds at most {limit:,} sentences.")
        place = count + 1 if position is None else position
        if place > count + 1:
            raise BadField("position", f"The story has {count} sentences, so the place is at most {count + 1}.")
        storyboard.shift_positions(change.connection, project_id, start=place, by=1)
        sentence_id = uuid4()
        row = {"id": sentence_id, "position": place, "text": text, "prompt": prompt, "seed": _seed(None)}
        storyboard.insert_sentences(change.connection, project_id, [row])
        change.edited = True
        return _one(change, sentence_id)


def edit_sentence(advance: Advance, project_id: UUID, sentence_id: UUID, changes: dict[str, Any]) -> Sentence:
    """Change text, prompt, seed or its lock; takes of another one become stale. What runs is not touched."""
    with advance.change(project_id) as change:
        changes = _different(_find(change, sentence_id), changes)
        if changes:
            storyboard.set_sentence(change.connection, sentence_id, **changes)
            storyboard.refresh_stale(change.connection, change.head, [sentence_id])
            change.edited = True
        return _one(change, sentence_id)


def delete_sentence(advance: Advance, project_id: UUID, sentence_id: UUID) -> None:
    """Soft: `restore_sentence` brings it back. Its open scene is cancelled."""
    with advance.change(project_id) as change:
        row = _find(change, sentence_id)
        for scene in scenes.open_of_sentences(change.connection, project_id, [sentence_id]):
            cancel_scene_in(advance, change, scene)
        storyboard.set_sentence(change.connection, sentence_id, deleted_at=change.now)
        storyboard.shift_positions(change.connection, project_id, start=row.position + 1, by=-1)
        change.edited = True


def restore_sentence(advance: Advance, project_id: UUID, sentence_id: UUID, *, limit: int) -> Sentence:
    """Back to where it was, or to the end of a story that has become shorter."""
    with advance.change(project_id) as change:
        _check_alive(change)
        row = storyboard.find_sentence(change.connection, project_id, sentence_id, deleted=True)
        if row is not None:
            count = storyboard.count_sentences(change.connection, project_id)
            if count >= limit:
                raise Conflict(f"A project holds at most {limit:,} sentences; delete another one first.")
            place = min(row.position, count + 1)
            storyboard.shift_positions(change.connection, project_id, start=place, by=1)
            storyboard.set_sentence(change.connection, sentence_id, deleted_at=None, position=place)
            change.edited = True
        return _one(change, sentence_id)


def reorder(advance: Advance, project_id: UUID, ids: Sequence[UUID]) -> list[Sentence]:
    """Put all sentences into this order."""
    with advance.change(project_id) as change:
        _check_alive(change)
        known = [sentence.id for sentence in storyboard.sentences(change.connection, project_id)]
        if len(ids) != len(known) or set(ids) != set(known):
            raise BadField("sentence_ids", f"Name each of the {len(known)} sentences of the project once.")
        if list(ids) != known:
            storyboard.reorder(change.connection, ids)
            change.edited = True
        return storyboard.sentences(change.connection, project_id)


def read_takes(advance: Advance, project_id: UUID, sentence_id: UUID) -> list[Take]:
    """Every take of the sentence, newest first."""
    with advance.database.read() as connection:
        head = _alive(storyboard.find_project(connection, project_id), project_id)
        row = storyboard.find_sentence(connection, project_id, sentence_id)
        found = storyboard.sentences(connection, project_id, [sentence_id])
        if row is None or not found:
            raise NotFound("sentence", sentence_id)
        given, image = storyboard.given_for(head, row.text, row.prompt, row.seed), found[0].image
        stale = {row.image_take_id: found[0].image_stale, row.video_take_id: found[0].video_stale}
        return [
            storyboard.to_take(
                take,
                selected=take.id in stale,
                stale=stale[take.id] if take.id in stale else _would_be_stale(take, given, image),
            )
            for take in reversed(storyboard.takes_of(connection, sentence_id))
        ]


def _would_be_stale(take: Any, given: SceneInput, image: Artifact | None) -> bool:
    """Whether an old take would show as stale if it were selected: its seed would come with it."""
    stage = Stage(take.stage)
    own = given.model_copy(update={"seed": take.seed})
    return bool(take.made_from != storyboard.fingerprint(stage, own, image if stage is Stage.VIDEO else None))


def select_take(advance: Advance, project_id: UUID, sentence_id: UUID, take_id: UUID) -> Sentence:
    """Show this take. Another image brings its seed with it, and makes the video stale without touching it."""
    with advance.change(project_id) as change:
        row = _find(change, sentence_id)
        take = next((t for t in storyboard.takes_of(change.connection, sentence_id) if t.id == take_id), None)
        if take is None:
            raise NotFound("take", take_id)
        column = f"{take.stage}_take_id"
        if row._mapping[column] != take_id:
            seed = {"seed": take.seed} if take.stage == Stage.IMAGE.value else {}
            storyboard.set_sentence(change.connection, sentence_id, **{column: take_id}, **seed)
            storyboard.refresh_stale(change.connection, change.head, [sentence_id])
            change.edited = True
        return _one(change, sentence_id)


def files_in_order(advance: Advance, project_id: UUID) -> tuple[Project, list[tuple[int, str, Artifact]]]:
    """(place, text, artifact) of every selected image and video."""
    with advance.database.read() as connection:
        head = _alive(storyboard.find_project(connection, project_id), project_id)
        found = storyboard.sentences(connection, project_id)
    files = [
        (sentence.position, sentence.text, artifact)
        for sentence in found
        for artifact in (sentence.image, sentence.video)
        if artifact is not None
    ]
    if not files:
        raise Conflict("There is nothing to download yet: no sentence has an image or a video.")
    return head, files


def _alive(row: Any, project_id: UUID) -> Project:
    if row is None or row.deleted_at:
        raise NotFound("project", project_id)
    return storyboard.to_project(row)


def _check_alive(change: Change) -> None:
    if change.head.deleted_at:
        raise NotFound("project", change.head.id)


def _different(row: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """What would really change: saying again what is there is no edit."""
    return {name: value for name, value in changes.items() if row._mapping[name] != value}


def _find(change: Change, sentence_id: UUID) -> Any:
    _check_alive(change)
    row = storyboard.find_sentence(change.connection, change.head.id, sentence_id)
    if row is None:
        raise NotFound("sentence", sentence_id)
    return row


def _one(change: Change, sentence_id: UUID) -> Sentence:
    found = storyboard.sentences(change.connection, change.head.id, [sentence_id])
    if not found:
        raise NotFound("sentence", sentence_id)
    return found[0]
