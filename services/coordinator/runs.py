"""What a creator asks for: press, cancel, pause, resume, retry. Each is one `Change`."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from services.coordinator.advance import Advance, Change
from services.coordinator.errors import BadField, Conflict, NotFound
from services.coordinator.lifecycle import Cancel, Changed, Pause, decide
from services.coordinator.plan import Plan, make_plan
from services.coordinator.store import outbox, scenes, storyboard
from shared.contracts.claims import SceneInput
from shared.contracts.commands import Stop
from shared.contracts.project import Project, Sentence, Size
from shared.contracts.run import Order, Run, RunKind, RunStatus
from shared.contracts.scene import Failure, Fits, Scene, SceneStatus, Stage, Stopping
from shared.logs import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Press:
    """What was asked for. `sentence_ids` None is the whole storyboard."""

    order: Order = Order.IMAGES_FIRST
    stages: tuple[Stage, ...] = (Stage.IMAGE, Stage.VIDEO)
    replace: tuple[Stage, ...] = ()
    sentence_ids: tuple[UUID, ...] | None = None
    vary: bool = False  #: with new seeds, where they are not locked
    fits: Fits | None = None  #: in this size

    @property
    def fingerprint(self) -> str:
        """Equal for equal requests, so that a second press is folded into the first."""
        ids = "all" if self.sentence_ids is None else ",".join(sorted(str(i) for i in self.sentence_ids))
        parts = [self.order, ",".join(sorted(self.stages)), ",".join(sorted(self.replace)), ids]
        if self.vary:
            parts.append("vary")
        if self.fits:
            parts.append(f"{self.fits.width}x{self.fits.height}")
        return hashlib.sha256("|".join(parts).encode()).hexdigest()


def show_plan(advance: Advance, project_id: UUID, press: Press) -> tuple[Plan, list[Sentence]]:
    """What the press would make, without making it; and the sentences it was planned for."""
    with advance.database.read() as connection:
        row = storyboard.find_project(connection, project_id)
        if row is None or row.deleted_at:
            raise NotFound("project", project_id)
        sentences = storyboard.sentences(connection, project_id)
        busy = scenes.open_of_sentences(connection, project_id, None)
    return _plan(sentences, press, frozenset(scene.sentence_id for scene in busy)), sentences


def start(advance: Advance, project_id: UUID, press: Press) -> tuple[Run, bool]:
    """Freeze the plan and dispatch its first jobs. Returns the run, and whether it is a new one."""
    with advance.change(project_id) as change:
        _check_alive(change.head)
        runs = scenes.active_runs(change.connection, project_id)
        for row in runs:
            if row.request == press.fingerprint and row.status != RunStatus.CANCELLING.value:
                counted = scenes.counters(change.connection, row.id)
                return scenes.to_run(row, counted, change.head.seq), False
        sentences = storyboard.sentences(change.connection, project_id)
        busy = {s.sentence_id: s.run_id for s in scenes.open_of_sentences(change.connection, project_id, None)}
        _check_free(press, runs, busy)
        plan = _plan(sentences, press, frozenset(busy))
        if not plan.stages:
            raise Conflict(_nothing_to_do(sentences, plan))
        kind = RunKind.BULK if press.sentence_ids is None else RunKind.PARTIAL
        made = [(sentence, plan.stages[sentence.id]) for sentence in sentences if sentence.id in plan.stages]
        seeds = {s.id: draw_seed() for s, _ in made if press.vary and not s.seed_locked}
        return _create(advance, change, made, kind, press, seeds=seeds), True


def retry(
    advance: Advance, run_id: UUID, *, cause: str | None, sentence_ids: Sequence[UUID] | None, fits: Fits | None = None
) -> tuple[Run, bool]:
    """Make the failed sentences of a run again, all, of one cause, or those named.

    In the size `fits`, else each in the one that its failure names where the project still asks for a larger one:
    what did not fit is not tried again.
    """
    with advance.change(_project_of(advance, run_id)) as change:
        _check_alive(change.head)
        row = _run_row(change, run_id)
        failed = [s for s in scenes.of_run(change.connection, run_id) if s.status is SceneStatus.FAILED]
        failed = [s for s in failed if cause is None or (s.failure and s.failure.cause == cause)]
        if sentence_ids is not None:
            failed = [s for s in failed if s.sentence_id in set(sentence_ids)]
        press = Press(
            order=Order(row.order),
            stages=scenes.stages_of(row.stages),
            sentence_ids=tuple(scene.sentence_id for scene in failed),
            fits=fits,
        )
        for active in scenes.active_runs(change.connection, change.head.id):
            if active.retry_of == run_id and active.request == press.fingerprint:
                counted = scenes.counters(change.connection, active.id)
                return scenes.to_run(active, counted, change.head.seq), False
        busy = {s.sentence_id for s in scenes.open_of_sentences(change.connection, change.head.id, None)}
        by_id = {s.id: s for s in storyboard.sentences(change.connection, change.head.id, press.sentence_ids)}
        remaining = _still_failed(failed, by_id)
        made = [(by_id[i], stages) for i, stages in remaining.items() if i not in busy]
        if not made:
            raise Conflict(
                "The failed sentences are being made by another run." if remaining else "Nothing failed in this run."
            )
        made.sort(key=lambda pair: pair[0].position)
        # What was to be varied still is, with the seed that was drawn for it.
        given = scenes.inputs(change.connection, [sentence.scene_id for sentence, _ in made if sentence.scene_id])
        seeds = {s.id: given[s.scene_id].seed for s, _ in made if s.scene_id and given[s.scene_id].instead_of == s.seed}
        sizes = {
            scene.sentence_id: _size_to_retry(change.head.size, scene.failure, given[scene.id], fits)
            for scene in failed
            if scene.id in given
        }
        return _create(advance, change, made, RunKind.PARTIAL, press, seeds=seeds, sizes=sizes, retry_of=run_id), True


def _size_to_retry(size: Size, failure: Failure | None, given: SceneInput, asked: Fits | None) -> Size:
    """`size` is the project's."""
    fits = failure.fits if failure else None
    if asked:
        return size.model_copy(update=asked.model_dump())
    if fits and fits.width * fits.height < size.width * size.height:
        return size.model_copy(update=fits.model_dump())
    # It failed for another reason in a size that was chosen because the project's does not fit.
    return given.size if fits is None and given.wanted == size else size


def cancel(advance: Advance, run_id: UUID) -> tuple[Run, bool]:
    """Stop a run. After this no claim of it is granted. Returns the run, and whether this stopped it."""
    with advance.change(_project_of(advance, run_id)) as change:
        row = _run_row(change, run_id)
        if row.ended_at is not None or row.status == RunStatus.CANCELLING.value:
            return _as_is(change, row), False
        return cancel_in(advance, change, run_id), True


def cancel_in(advance: Advance, change: Change, run_id: UUID) -> Run:
    """Cancel within a change that does more."""
    counted = scenes.counters(change.connection, run_id)
    running = scenes.of_run(change.connection, run_id, (SceneStatus.RUNNING,))
    after = [decision.scene for decision in (decide(s, Cancel()) for s in running) if isinstance(decision, Changed)]
    change.save(after)
    scenes.cancel_unclaimed(change.connection, run_id, change.now)
    outbox.drop_jobs_of_run(change.connection, run_id)
    # Never taken back here: a pause just before may have left messages, too.
    purge = {"purge_pending": True} if counted.images.queued or counted.videos.queued else {}
    scenes.set_run(change.connection, run_id, status=RunStatus.CANCELLING.value, notice=None, **purge)
    if running:
        change.send(Stop(run_id=run_id, why=Stopping.CANCEL))
    change.reset = True
    log.info("run_cancelled", run_id=str(run_id), open_scenes=counted.scenes - counted.settled)
    return advance.settle(change, run_id)


def pause(advance: Advance, run_id: UUID, *, stop_running: bool) -> tuple[Run, bool]:
    """Take a run off the queues. Running jobs finish, or stop and go back to waiting."""
    with advance.change(_project_of(advance, run_id)) as change:
        row = _run_row(change, run_id)
        if row.status not in (RunStatus.RUNNING.value, RunStatus.PAUSED.value):
            raise Conflict(f"A run that is {row.status} cannot be paused.", run_id=run_id)
        before = scenes.of_run(change.connection, run_id, (SceneStatus.QUEUED, SceneStatus.RUNNING))
        decisions = (decide(scene, Pause(stop_running)) for scene in before)
        after = [decision.scene for decision in decisions if isinstance(decision, Changed)]
        if row.status == RunStatus.PAUSED.value and not after:
            return _as_is(change, row), False
        change.save(after)
        queued = [s.id for s in before if s.status is SceneStatus.QUEUED]
        outbox.drop_jobs(change.connection, queued)
        scenes.set_run(
            change.connection,
            run_id,
            status=RunStatus.PAUSED.value,
            purge_pending=bool(queued) or row.purge_pending,
            notice=None,
        )
        if any(scene.stopping is Stopping.PAUSE for scene in after):
            change.send(Stop(run_id=run_id, why=Stopping.PAUSE))
        change.reset = True
        return advance.settle(change, run_id), True


def resume(advance: Advance, run_id: UUID) -> tuple[Run, bool]:
    """Dispatch a paused run again."""
    with advance.change(_project_of(advance, run_id)) as change:
        row = _run_row(change, run_id)
        if row.status == RunStatus.RUNNING.value:
            return _as_is(change, row), False
        if row.status != RunStatus.PAUSED.value:
            raise Conflict(f"A run that is {row.status} cannot be resumed.", run_id=run_id)
        # Its messages are wanted again: a purge that is still to come must not take them.
        scenes.set_run(change.connection, run_id, status=RunStatus.RUNNING.value, purge_pending=False)
        change.reset = True
        return advance.settle(change, run_id), True


def cancel_scene(advance: Advance, run_id: UUID, scene_id: UUID) -> tuple[Scene, bool]:
    """Stop one scene and leave the rest of the run alone."""
    with advance.change(_project_of(advance, run_id)) as change:
        scene = scenes.load(change.connection, scene_id)
        if scene is None or scene.run_id != run_id:
            raise NotFound("scene", scene_id)
        return cancel_scene_in(advance, change, scene)


def cancel_scene_in(advance: Advance, change: Change, scene: Scene) -> tuple[Scene, bool]:
    """Cancel one scene within a change that does more."""
    decision = advance.apply(change, scene, Cancel())
    if not isinstance(decision, Changed):
        return scene, False
    if scene.status is SceneStatus.QUEUED:
        outbox.drop_jobs(change.connection, [scene.id])
    if scene.status is SceneStatus.RUNNING:
        change.send(Stop(run_id=scene.run_id, scene_id=scene.id, why=Stopping.CANCEL))
    advance.settle(change, scene.run_id)
    return decision.scene.model_copy(update={"changed_at": change.now}), True


def mark_seen(advance: Advance, run_id: UUID) -> tuple[Run, bool]:
    """The creator was told of the end: no other tab tells it again."""
    with advance.change(_project_of(advance, run_id)) as change:
        row = _run_row(change, run_id)
        if row.ended_at is None:
            raise Conflict("This run has not ended yet.", run_id=run_id)
        if row.seen:
            return _as_is(change, row), False
        scenes.set_run(change.connection, run_id, seen=True)
        return advance.settle(change, run_id), True


def _plan(sentences: Sequence[Sentence], press: Press, busy: frozenset[UUID]) -> Plan:
    chosen = list(sentences)
    if press.sentence_ids is not None:
        wanted = set(press.sentence_ids)
        unknown = wanted - {sentence.id for sentence in sentences}
        if unknown:
            raise BadField("sentence_ids", f"There is no sentence {sorted(map(str, unknown))[0]} in this project.")
        chosen = [sentence for sentence in sentences if sentence.id in wanted]
    return make_plan(chosen, stages=press.stages, replace=press.replace, busy=busy)


def _check_free(press: Press, runs: Sequence[Any], busy: dict[UUID, UUID]) -> None:
    if press.sentence_ids is None:
        for row in runs:
            if row.kind == RunKind.BULK.value:
                raise Conflict("Another run of this storyboard is active; cancel it or wait for it.", run_id=row.id)
        return
    for sentence_id in press.sentence_ids:
        if sentence_id in busy:
            raise Conflict("One of these sentences is being made by another run.", run_id=busy[sentence_id])


def _nothing_to_do(sentences: Sequence[Sentence], plan: Plan) -> str:
    if not sentences:
        return "There is nothing to do: this project has no sentences."
    reasons = {skip.value for skip in plan.skipped.values()}
    if reasons == {"busy"}:
        return "There is nothing to do: every sentence is being made by another run."
    if "no_image" in reasons:
        return "There is nothing to do: only videos were asked for, and the sentences have no images to start from."
    return "There is nothing to do: every sentence has its image and its video."


def _still_failed(failed: Sequence[Scene], by_id: dict[UUID, Sentence]) -> dict[UUID, tuple[Stage, ...]]:
    """Stages that are left to make: an image that exists is kept, and what was made since is not made again."""
    remaining = {}
    for scene in failed:
        sentence = by_id.get(scene.sentence_id)
        if sentence is None or sentence.scene_id != scene.id:
            continue
        stages = scene.plan[scene.plan.index(scene.stage) :]
        if stages == (Stage.VIDEO,) and sentence.image is None:
            stages = (Stage.IMAGE, Stage.VIDEO)
        remaining[sentence.id] = stages
    return remaining


def _create(
    advance: Advance,
    change: Change,
    made: Sequence[tuple[Sentence, tuple[Stage, ...]]],
    kind: RunKind,
    press: Press,
    *,
    seeds: Mapping[UUID, int],
    sizes: Mapping[UUID, Size] | None = None,
    retry_of: UUID | None = None,
) -> Run:
    """`seeds` and `sizes`, by sentence, are those of this run alone; a seed stays with the image made with it."""
    run_id = uuid4()
    scenes.insert_run(
        change.connection,
        run_id=run_id,
        project_id=change.head.id,
        kind=kind,
        order=press.order,
        stages=press.stages,
        request=press.fingerprint,
        retry_of=retry_of,
        now=change.now,
    )
    new = [_scene(change.head, run_id, sentence, stages) for sentence, stages in made]
    frozen = [
        (scene, _given(change.head, sentence, seeds.get(sentence.id), (sizes or {}).get(sentence.id)))
        for scene, (sentence, _) in zip(new, made, strict=True)
    ]
    scenes.insert_scenes(change.connection, frozen, change.now)
    storyboard.point_at_scenes(change.connection, run_id)
    change.reset = True
    log.info("run_started", run_id=str(run_id), project_id=str(change.head.id), scenes=len(new), kind=kind.value)
    return advance.settle(change, run_id)


def draw_seed() -> int:
    return secrets.randbelow(2**31)


def _given(head: Project, sentence: Sentence, seed: int | None, size: Size | None) -> SceneInput:
    given = storyboard.given_for(head, sentence.text, sentence.prompt, sentence.seed)
    if seed is not None:
        given = given.model_copy(update={"seed": seed, "instead_of": sentence.seed})
    if size is not None and size != head.size:
        given = given.model_copy(update={"size": size, "wanted": head.size})
    return given


def _scene(head: Project, run_id: UUID, sentence: Sentence, stages: tuple[Stage, ...]) -> Scene:
    return Scene(
        id=uuid4(),
        run_id=run_id,
        project_id=head.id,
        sentence_id=sentence.id,
        number=sentence.position,
        plan=stages,
        stage=stages[0],
        image=sentence.image if stages[0] is Stage.VIDEO else None,
    )


def _project_of(advance: Advance, run_id: UUID) -> UUID:
    with advance.database.read() as connection:
        row = scenes.run_row(connection, run_id)
    if row is None:
        raise NotFound("run", run_id)
    project_id: UUID = row.project_id
    return project_id


def _run_row(change: Change, run_id: UUID) -> Any:
    row = scenes.run_row(change.connection, run_id)
    if row is None:
        raise NotFound("run", run_id)
    return row


def _as_is(change: Change, row: Any) -> Run:
    return scenes.to_run(row, scenes.counters(change.connection, row.id), change.head.seq)


def _check_alive(head: Project) -> None:
    if head.deleted_at:
        raise NotFound("project", head.id)
