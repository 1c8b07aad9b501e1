"""Gather, decide, apply: the one road by which anything in a project changes.

A `Change` is one transaction on one project. It holds the project's lock from the first statement, so
what it decides on cannot move under it, and it leaves together with everything it has to tell: state,
jobs and the event for browsers are one commit.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prometheus_client import Counter, Histogram

from services.coordinator.counters import Group, count
from services.coordinator.dispatch import Window, choose, room
from services.coordinator.errors import NotFound
from services.coordinator.lifecycle import (
    Changed,
    Contested,
    Decision,
    Dispatch,
    Event,
    Ignored,
    LeaseLost,
    Regranted,
    Selection,
    Take,
    decide,
)
from services.coordinator.store import outbox, scenes, storyboard
from services.coordinator.store.database import Connection, Database, lock_project
from services.coordinator.store.outbox import Sent
from shared.contracts.claims import Claim, Granted, Refused, Renew, Renewed, SceneInput
from shared.contracts.commands import GENERATE, Message
from shared.contracts.events import (
    ImageCompleted,
    JobFailed,
    JobReleased,
    JobStopped,
    RunChanged,
    SceneChanged,
    StoryboardChanged,
    VideoCompleted,
)
from shared.contracts.project import Project, Sentence
from shared.contracts.run import Notice, Run, RunStatus
from shared.contracts.scene import Scene, SceneStatus, Stage
from shared.faults import crash_point
from shared.logs import get_logger

log = get_logger(__name__)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400)
queue_wait_seconds = Histogram("videogen_queue_wait_seconds", "From queued to claimed", ["stage"], buckets=SECONDS)
failures_total = Counter("videogen_failures", "Failed attempts by cause", ["stage", "cause"])
attempts_total = Counter("videogen_attempts", "Claims granted", ["stage"])
ignored_total = Counter("videogen_ignored", "Messages that changed nothing", ["event"])

WorkerResult = ImageCompleted | VideoCompleted | JobFailed | JobStopped | JobReleased


class Change:
    """One transaction on one project: what it changes, and what it will tell."""

    def __init__(self, connection: Connection, head: Project) -> None:
        self.connection = connection
        self.head = head
        self.seq = head.seq + 1
        self.now = datetime.now(UTC)
        self.run: Run | None = None  #: told with the event
        self.reset = False  #: so many scenes changed that browsers fetch them again
        self.edited = False  #: the storyboard itself changed
        self._scenes: dict[UUID, Scene] = {}
        self._sentences: dict[UUID, Sentence] = {}
        self._owners: dict[UUID, Any] = {}  #: rows of scenes with their sentences, as they were found
        self._messages: list[Message] = []

    def save(self, changed: Sequence[Scene]) -> None:
        if changed:
            scenes.save(self.connection, changed, self.now)
            self._scenes.update((scene.id, scene) for scene in changed)

    def send(self, message: Message) -> None:
        """Leave through the outbox, with this commit."""
        self._messages.append(message)

    def load(self, scene_id: UUID) -> Scene | None:
        """A scene of this project, with what it takes to keep a file for it."""
        found = storyboard.find_owner(self.connection, scene_id)
        if found is None or found.project_id != self.head.id:
            return None
        self._owners[scene_id] = found
        return scenes.to_scene(found)

    def keep(self, owner: Scene, take: Take) -> None:
        """Store a finished file as a take of a scene that was loaded, and select it where the decision says so."""
        stage, artifact, found = take.stage, take.artifact, self._owners.pop(owner.id)
        source = owner.image if stage is Stage.VIDEO else None
        given = SceneInput.model_validate_json(found.input)
        made_from = storyboard.fingerprint(stage, given, source)
        take_id = storyboard.add_take(self.connection, owner, stage, artifact, made_from, given.seed, self.now)
        if take_id is None or found.owner_id is None:
            return
        empty = found._mapping[f"{stage}_take_id"] is None
        self._sentences[owner.sentence_id] = storyboard.give_take(
            self.connection,
            self.head,
            found,
            take_id,
            stage,
            artifact,
            given,
            made_from,
            selected=take.selection is Selection.ALWAYS or (take.selection is Selection.IF_NONE and empty),
        )

    def finish(self) -> Sequence[Sent]:
        """Put the event of this commit into the outbox, behind what was sent before; all of it, or nothing."""
        event = self._event()
        if event is None:
            # A number that nobody hears of would look like a lost event.
            storyboard.set_project(self.connection, self.head.id, seq=self.head.seq)
        else:
            self._messages.append(event)
        return outbox.add(self.connection, self._messages, self.now)

    def _event(self) -> Message | None:
        if self.edited:
            return StoryboardChanged(project_id=self.head.id, seq=self.seq)
        if self.reset and self.run:
            return RunChanged(project_id=self.head.id, seq=self.seq, run=self.run, reset=True)
        if self._scenes or self._sentences:
            return SceneChanged(
                project_id=self.head.id,
                seq=self.seq,
                scenes=tuple(scene.model_copy(update={"changed_at": self.now}) for scene in self._scenes.values()),
                sentences=tuple(self._sentences.values()),
                run=self.run,
            )
        if self.run:
            return RunChanged(project_id=self.head.id, seq=self.seq, run=self.run)
        return None


class Advance:
    """Changes projects. Calls block on the database: run them in a thread."""

    def __init__(self, database: Database, window: Window, hand_over: Callable[[Sequence[Sent]], None]) -> None:
        self.database = database
        self.window = window
        self.hold: Notice | None = None  #: why nothing may be dispatched at present
        self._hand_over = hand_over  #: spares the relay a look into the outbox

    @contextmanager
    def change(self, project_id: UUID) -> Iterator[Change]:
        """Lock the project, change it, commit, tell the relay. Raises `NotFound`."""
        with self.database.write() as connection:
            row = lock_project(connection, project_id)
            if row is None:
                raise NotFound("project", project_id)
            change = Change(connection, storyboard.to_project(row))
            yield change
            sent = change.finish()
            crash_point("change.before_commit")
        crash_point("change.after_commit")
        if sent:
            self._hand_over(sent)

    def apply(self, change: Change, scene: Scene, event: Event) -> Decision:
        """Decide on one scene and store what came of it. `settle` follows."""
        decision = decide(scene, event)
        if isinstance(decision, Changed):
            change.save([decision.scene])
        if isinstance(decision, Changed | Ignored) and decision.take:
            change.keep(decision.scene if isinstance(decision, Changed) else scene, decision.take)
        return decision

    def settle(self, change: Change, run_id: UUID) -> Run:
        """After scenes of a run changed: fill the window again, and end the run when all is settled."""
        row = scenes.run_row(change.connection, run_id)
        if row is None:
            raise NotFound("run", run_id)
        groups = scenes.groups(change.connection, run_id)
        counted = count(groups)
        run = scenes.to_run(row, counted, change.seq)
        if run.status is RunStatus.RUNNING and (queued := self._dispatch(change, run)):
            run = scenes.to_run(row, count([*groups, *queued]), change.seq)
        if counted.over and row.ended_at is None:
            status = RunStatus.CANCELLED if run.status is RunStatus.CANCELLING else RunStatus.COMPLETED
            scenes.set_run(change.connection, run_id, status=status.value, ended_at=change.now, notice=None)
            run = run.model_copy(update={"status": status, "ended_at": change.now, "notice": None})
            log.info("run_ended", run_id=str(run_id), status=status.value, scenes=run.scenes, failed=run.failed)
        change.run = run
        return run

    def _dispatch(self, change: Change, run: Run) -> list[Group]:
        """Put waiting scenes on their queues, as many as the window has room for. Returns how the counts moved."""
        if self.hold:
            return []
        queued: list[Scene] = []
        for stage, free in room(run.order, run.images, run.videos, self.window).items():
            if not free:
                continue
            waiting = {scene.id: scene for scene in scenes.waiting(change.connection, run.id, stage, free)}
            chosen = choose([(scene.number, scene.id) for scene in waiting.values()], free)
            decisions = [decide(waiting[scene_id], Dispatch()) for scene_id in chosen]
            queued += [decision.scene for decision in decisions if isinstance(decision, Changed)]
        change.save(queued)
        for scene in queued:
            change.send(job(scene))
        return [
            Group(scene.plan, scene.stage, status, by)
            for scene in queued
            for status, by in ((SceneStatus.WAITING, -1), (SceneStatus.QUEUED, 1))
        ]

    # What workers say.

    def claim(self, claim: Claim) -> Granted | Refused:
        """May this worker start this job? The grant carries all that the job needs."""
        try:
            with self.change(claim.project_id) as change:
                found = scenes.load_to_grant(change.connection, claim.scene_id)
                if found is None or found[0].project_id != change.head.id:
                    return Refused(reason="there is no such scene")
                scene, given, queued_at_us = found
                decision = self.apply(change, scene, claim)
                if isinstance(decision, Contested):
                    scenes.contest(change.connection, claim.scene_id)
                if isinstance(decision, Ignored | Contested):
                    return Refused(reason=decision.reason)
                held = decision.scene if isinstance(decision, Changed) else scene
        except NotFound as error:
            return Refused(reason=str(error))
        if not isinstance(decision, Regranted):
            attempts_total.labels(held.stage.value).inc()
            queue_wait_seconds.labels(held.stage.value).observe(
                max(0.0, change.now.timestamp() - (queued_at_us or 0) / 1e6)
            )
        source = held.image if held.stage is Stage.VIDEO else None
        made_from = SceneInput.model_validate_json(given)
        return Granted(sentence_id=held.sentence_id, number=held.number, input=made_from, source=source)

    def renew(self, renew: Renew) -> Renewed:
        """Keep a lease alive. No event: nothing that anybody sees has changed."""
        with self.database.write() as connection:
            kept = scenes.renew(connection, renew.scene_id, renew.stage, renew.attempt, renew.session)
        return Renewed(stop=not kept)

    def result(self, result: WorkerResult) -> Decision:
        """A worker's job ended, one way or the other. Repeats and late ones change nothing."""
        try:
            with self.change(result.project_id) as change:
                scene = change.load(result.scene_id)
                if scene is None:
                    return Ignored("there is no such scene")
                decision = self.apply(change, scene, result)
                if isinstance(decision, Changed):
                    self.settle(change, scene.run_id)
        except NotFound as error:
            return Ignored(str(error))
        if isinstance(decision, Ignored):
            ignored_total.labels(result.type).inc()
            log.info("result_ignored", result=result.type, reason=decision.reason, scene_id=str(result.scene_id))
        elif isinstance(result, JobFailed):
            failures_total.labels(result.stage.value, result.failure.cause).inc()
        return decision

    # What time brings.

    def take_back(self, project_id: UUID, lost: Iterable[tuple[UUID, int]]) -> int:
        """Jobs (scene, attempt) whose worker is silent: queue them again. Returns how many."""
        taken = 0
        with self.change(project_id) as change:
            runs = set()
            for scene_id, attempt in lost:
                scene = _scene_of(change, scene_id)
                if scene and isinstance(self.apply(change, scene, LeaseLost(attempt)), Changed):
                    log.warning("job_taken_back", scene_id=str(scene_id), attempt=attempt, worker=scene.worker)
                    failures_total.labels(scene.stage.value, "worker_lost").inc()
                    runs.add(scene.run_id)
                    taken += 1
            for run_id in runs:
                self.settle(change, run_id)
            # One event tells of one run; of several, browsers learn by fetching.
            change.reset = len(runs) > 1
        return taken

    def top_up(self, project_id: UUID, run_id: UUID, notice: Notice | None) -> None:
        """On a tick: fill the window, and tell the creator why nothing moves, if so."""
        with self.change(project_id) as change:
            row = scenes.run_row(change.connection, run_id)
            if row is None or row.status != RunStatus.RUNNING.value:
                return
            told = notice.model_dump_json() if notice else None
            if told != row.notice:
                scenes.set_run(change.connection, run_id, notice=told)
                self.settle(change, run_id)
                return
            groups = scenes.groups(change.connection, run_id)
            run = scenes.to_run(row, count(groups), change.seq)
            if queued := self._dispatch(change, run):
                change.run = scenes.to_run(row, count([*groups, *queued]), change.seq)

    def publish_again(self, project_id: UUID, lost: Sequence[tuple[UUID, int]]) -> None:
        """Jobs (scene, attempt) whose message is gone from the broker: the same attempt, once more."""
        with self.change(project_id) as change:
            sent = []
            for scene_id, attempt in lost:
                scene = _scene_of(change, scene_id)
                if scene and scene.status is SceneStatus.QUEUED and scene.attempt == attempt:
                    log.warning("job_published_again", scene_id=str(scene_id), attempt=attempt)
                    change.send(job(scene))
                    sent.append(scene_id)
            if sent:
                scenes.touch_queued(change.connection, sent, change.now)


def job(scene: Scene) -> Message:
    """The message that asks a worker for this scene's stage."""
    return GENERATE[scene.stage](
        project_id=scene.project_id, run_id=scene.run_id, scene_id=scene.id, attempt=scene.attempt
    )


def _scene_of(change: Change, scene_id: UUID) -> Scene | None:
    scene = scenes.load(change.connection, scene_id)
    return scene if scene and scene.project_id == change.head.id else None
