"""The client's board ends as the database does, whatever happens to the events on their way.

`Ledger` is a small project that tells each of its commits as the coordinator does: many changes at once by
a reset, a claim without the run's counters, an edit by its number alone. It remembers the storyboard as of
every commit, so a board can be held against the truth of any moment.

Planted faults, each of which made at least one test here fail:

    1. an event at or below the storyboard's `seq` is applied
    2. of two events about one thing the later arrival wins, not the higher `seq`
    3. a fetched storyboard that is older than the one held replaces it
    4. a fetched storyboard drops what newer events had told
    5. a fetched storyboard keeps what older events had told
    6. a reset does not ask for a fetch
    7. an edited storyboard does not ask for a fetch
    8. a gap is never seen
    9. a gap stays open when the missing event arrives late
    10. waiting and running scenes are counted by the run's own, older counters
    11. scenes of deleted sentences are shown
    12. progress of an earlier attempt or stage is shown
    13. progress that arrives late sets a scene back
    14. a partial run that has ended is listed for ever
    15. the sentences of an event are ignored
    16. what a storyboard says does not close a gap before it
    17. an event with a lower number takes back that a fetch is needed
    18. a video whose image is not there yet is not counted
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.board import Board
from shared.contracts.events import (
    BrowserEvent,
    Resync,
    RunChanged,
    SceneChanged,
    SceneProgressed,
    StoryboardChanged,
    WorkerSeen,
    WorkerState,
)
from shared.contracts.project import Project, Sentence, Size, Storyboard
from shared.contracts.run import ACTIVE, Order, Progress, Run, RunKind, RunStatus, StageCount
from shared.contracts.scene import TERMINAL, Artifact, Failure, Scene, SceneStatus, Stage

START = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = {"waiting", "queued", "running", "done", "failed", "cancelled"}


class Ledger:
    """A project, its commits, and what it told about them."""

    def __init__(self, sentences: int) -> None:
        self._ids = random.Random(7)
        self.project = Project(id=self._id(), title="A story", style="", size=Size(), seq=1, created_at=START)
        self.sentences = {
            one.id: one
            for one in (Sentence(id=self._id(), position=n, text=f"{n}", seed=n) for n in range(1, sentences + 1))
        }
        self.scenes: dict[UUID, Scene] = {}  #: all there ever were
        self.latest: dict[UUID, UUID] = {}  #: by sentence
        self.runs: dict[UUID, Run] = {}
        self.events: list[BrowserEvent] = []
        self.boards = {1: self.storyboard()}  #: as of each commit

    def storyboard(self) -> Storyboard:
        runs = sorted((self._counted(run) for run in self.runs.values()), key=lambda run: run.created_at, reverse=True)
        bulk = next((run.id for run in runs if run.kind is RunKind.BULK), None)
        return Storyboard(
            project=self.project,
            sentences=sorted(self.sentences.values(), key=lambda one: one.position),
            scenes=[
                self.scenes[self.latest[one.id]]
                for one in sorted(self.sentences.values(), key=lambda one: one.position)
                if one.id in self.latest
            ],
            runs=[run for run in runs if run.status in ACTIVE or run.id == bulk],
        )

    def act(self, what: int, which: int) -> None:
        """Do one of the things that can be done now; `which` chooses among equals."""
        acts: list[Callable[[int], bool]] = [
            *[self.step] * 8, self.progress, self.fail, self.press, self.redo,
            self.cancel, self.edit, self.delete, self.add, self.notice,
        ]  # fmt: skip
        acts[what % len(acts)](which)

    def press(self, _which: int) -> bool:
        active = any(run.kind is RunKind.BULK and run.status in ACTIVE for run in self.runs.values())
        return not active and self._start(RunKind.BULK, self._idle())

    def redo(self, which: int) -> bool:
        idle = self._idle()
        return bool(idle) and self._start(RunKind.PARTIAL, [idle[which % len(idle)]])

    def step(self, which: int) -> bool:
        """Whatever comes next for one scene, if all goes well."""
        scene = self.choose(which, {SceneStatus.WAITING, SceneStatus.QUEUED, SceneStatus.RUNNING})
        if scene is None or scene.status is SceneStatus.RUNNING:
            return scene is not None and self.finish(which)
        return self.queue(which) if scene.status is SceneStatus.WAITING else self.claim(which)

    def queue(self, which: int) -> bool:
        return self._one(which, {SceneStatus.WAITING}, status=SceneStatus.QUEUED)

    def claim(self, which: int) -> bool:
        return self._one(which, {SceneStatus.QUEUED}, tell_run=False, status=SceneStatus.RUNNING, worker="gpu")

    def fail(self, which: int) -> bool:
        failure = Failure(cause="no_luck", message="It failed.")
        return self._one(which, {SceneStatus.RUNNING}, status=SceneStatus.FAILED, failure=failure)

    def finish(self, which: int) -> bool:
        scene = self.choose(which, {SceneStatus.RUNNING})
        if scene is None:
            return False
        made = Artifact(
            key=f"{scene.stage}/{len(self.events)}", media_type="image/png", size=1, width=8, height=8, seconds=None
        )
        sentence = self.sentences.get(scene.sentence_id)
        if sentence:
            more = {scene.stage.value: made, "version": sentence.version + 1}
            sentence = self.sentences[sentence.id] = sentence.model_copy(update=more)
        if scene.stage is Stage.IMAGE and Stage.VIDEO in scene.plan:
            changed = {"stage": Stage.VIDEO, "status": SceneStatus.WAITING, "attempt": 1, "image": made, "worker": None}
        else:
            changed = {"status": SceneStatus.DONE}
        return self._save([self._changed(scene, **changed)], [sentence] if sentence else [])

    def progress(self, which: int) -> bool:
        scene = self.choose(which, {SceneStatus.RUNNING})
        if scene is None:
            return False
        self.events.append(
            SceneProgressed(
                project_id=self.project.id,
                run_id=scene.run_id,
                scene_id=scene.id,
                sentence_id=scene.sentence_id,
                stage=scene.stage,
                attempt=scene.attempt,
                fraction=(which % 11) / 10,
            )
        )
        return True

    def cancel(self, which: int) -> bool:
        active = [run for run in self.runs.values() if run.status in ACTIVE]
        if not active:
            return False
        run = active[which % len(active)]
        for scene in self.scenes.values():
            if scene.run_id == run.id and scene.status not in TERMINAL:
                self._changed(scene, status=SceneStatus.CANCELLED)
        self.runs[run.id] = run.model_copy(update={"status": RunStatus.CANCELLED, "ended_at": START})
        return self._tell(
            lambda seq: RunChanged(project_id=self.project.id, seq=seq, run=self._counted(run), reset=True)
        )

    def notice(self, which: int) -> bool:
        active = [run for run in self.runs.values() if run.status in ACTIVE]
        if not active:
            return False
        run = active[which % len(active)]
        self.runs[run.id] = run.model_copy(update={"seen": not run.seen})
        return self._tell(lambda seq: RunChanged(project_id=self.project.id, seq=seq, run=self._counted(run)))

    def edit(self, which: int) -> bool:
        if not self.sentences:
            return False
        sentence = list(self.sentences.values())[which % len(self.sentences)]
        changed = {"text": f"edited {which}", "version": sentence.version + 1}
        self.sentences[sentence.id] = sentence.model_copy(update=changed)
        return self._tell(lambda seq: StoryboardChanged(project_id=self.project.id, seq=seq))

    def delete(self, which: int) -> bool:
        if len(self.sentences) < 2:
            return False
        gone = list(self.sentences)[which % len(self.sentences)]
        del self.sentences[gone]
        for scene in self.scenes.values():
            if scene.sentence_id == gone and scene.status in (SceneStatus.WAITING, SceneStatus.QUEUED):
                self._changed(scene, status=SceneStatus.CANCELLED)
                self._end_if_over(scene.run_id)
        # A running one goes on, and is told of, until its worker has stopped.
        return self._tell(lambda seq: StoryboardChanged(project_id=self.project.id, seq=seq))

    def add(self, which: int) -> bool:
        one = Sentence(id=self._id(), position=100 + len(self.events), text="new", seed=which)
        self.sentences[one.id] = one
        return self._tell(lambda seq: StoryboardChanged(project_id=self.project.id, seq=seq))

    def _start(self, kind: RunKind, sentences: list[Sentence]) -> bool:
        if not sentences:
            return False
        run = Run(
            id=self._id(),
            project_id=self.project.id,
            kind=kind,
            order=Order.PER_SCENE,
            stages=tuple(Stage),
            status=RunStatus.RUNNING,
            scenes=len(sentences),
            failed=0,
            images=StageCount(),
            videos=StageCount(),
            progress=Progress(stage=None, settled=0, total=0),
            created_at=START + timedelta(seconds=len(self.runs)),
        )
        self.runs[run.id] = run
        for sentence in sentences:
            scene = Scene(
                id=self._id(),
                run_id=run.id,
                project_id=self.project.id,
                sentence_id=sentence.id,
                number=sentence.position,
                plan=tuple(Stage) if kind is RunKind.BULK else (Stage.IMAGE,),
                stage=Stage.IMAGE,
                status=SceneStatus.WAITING,
            )
            self.scenes[scene.id] = scene
            self.latest[sentence.id] = scene.id
        return self._tell(
            lambda seq: RunChanged(project_id=self.project.id, seq=seq, run=self._counted(run), reset=True)
        )

    def _one(self, which: int, among: set[SceneStatus], *, tell_run: bool = True, **changed: object) -> bool:
        scene = self.choose(which, among)
        return scene is not None and self._save([self._changed(scene, **changed)], [], tell_run=tell_run)

    def choose(self, which: int, among: set[SceneStatus]) -> Scene | None:
        found = [scene for scene in self.scenes.values() if scene.status in among]
        return found[which % len(found)] if found else None

    def _changed(self, scene: Scene, **changed: object) -> Scene:
        self.scenes[scene.id] = scene.model_copy(update={**changed, "version": scene.version + 1})
        return self.scenes[scene.id]

    def _save(self, scenes: list[Scene], sentences: list[Sentence], *, tell_run: bool = True) -> bool:
        run = self.runs[scenes[0].run_id]
        self._end_if_over(run.id)
        return self._tell(
            lambda seq: SceneChanged(
                project_id=self.project.id,
                seq=seq,
                scenes=tuple(scenes),
                sentences=tuple(sentences),
                run=self._counted(run) if tell_run else None,
            )
        )

    def _tell(self, event: Callable[[int], BrowserEvent]) -> bool:
        self.project = self.project.model_copy(update={"seq": self.project.seq + 1})
        self.events.append(event(self.project.seq))
        self.boards[self.project.seq] = self.storyboard()
        return True

    def _end_if_over(self, run_id: UUID) -> None:
        if all(scene.status in TERMINAL for scene in self.scenes.values() if scene.run_id == run_id):
            ended = {"status": RunStatus.COMPLETED, "ended_at": START}
            self.runs[run_id] = self.runs[run_id].model_copy(update=ended)

    def _idle(self) -> list[Sentence]:
        busy = {scene.sentence_id for scene in self.scenes.values() if scene.status not in TERMINAL}
        return [one for one in self.sentences.values() if one.id not in busy]

    def _counted(self, run: Run) -> Run:
        scenes = [scene for scene in self.scenes.values() if scene.run_id == run.id]
        images, videos = (StageCount(**_tally(scenes, stage)) for stage in Stage)
        return self.runs[run.id].model_copy(update={"images": images, "videos": videos, "version": self.project.seq})

    def _id(self) -> UUID:
        return UUID(int=self._ids.getrandbits(128), version=4)


def _tally(scenes: list[Scene], stage: Stage) -> dict[str, int]:
    tally = {"total": 0}
    for scene in scenes:
        if stage not in scene.plan:
            continue
        if scene.stage is stage:
            place = scene.status.value
        elif stage is Stage.IMAGE:
            place = "done"
        else:
            place = scene.status.value if scene.status in (SceneStatus.FAILED, SceneStatus.CANCELLED) else "blocked"
        tally[place] = tally.get(place, 0) + 1
        tally["total"] += 1
    return tally


def seen(board: Board) -> dict[str, object]:
    """What a view draws. A run's own version moves with every commit, told or not, and is never drawn."""
    return {
        "sentences": board.sentences,
        "scenes": board.scenes,
        "runs": [_drawn(run, board.counts(run), list(board.scenes.values())) for run in board.runs],
    }


def truth(storyboard: Storyboard) -> dict[str, object]:
    """The same of a storyboard, taken from it without a board."""
    return {
        "sentences": storyboard.sentences,
        "scenes": {scene.sentence_id: scene for scene in storyboard.scenes},
        "runs": [_drawn(run, (run.images, run.videos), storyboard.scenes) for run in storyboard.runs],
    }


def _drawn(run: Run, counts: tuple[StageCount, StageCount], scenes: list[Scene]) -> tuple[object, ...]:
    # A storyboard does not show what still runs for a deleted sentence, so nobody can count it.
    shown = sum(scene.run_id == run.id and scene.status not in TERMINAL for scene in scenes)
    last = run.videos if run.videos.total else run.images
    hidden = last.total - last.settled > shown
    return run.id, run.status, run.failed, run.seen, run.ended_at, hidden or counts


def number_of(event: BrowserEvent) -> int | None:
    return getattr(event, "seq", None)


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """A project to which something happened: it starts with a press."""
    ledger = Ledger(draw(st.integers(1, 4)))
    ledger.press(0)
    for what, which in draw(st.lists(st.tuples(st.integers(0, 16), st.integers(0, 12)), max_size=30)):
        ledger.act(what, which)
    return ledger


@st.composite
def journeys(draw: st.DrawFn, *, lossy: bool) -> tuple[Ledger, list[BrowserEvent | Storyboard]]:
    """What arrives at a client: events late, early and repeatedly, some never where `lossy`, and storyboards
    fetched now and then, which may be old when they arrive."""
    ledger = draw(ledgers())
    arriving: list[tuple[int, BrowserEvent | Storyboard]] = []
    for place, event in enumerate(ledger.events):
        copies = draw(st.integers(0 if lossy else 1, 2))
        for _ in range(copies):
            arriving.append((place * 2 + draw(st.integers(0, 12)), event))
    for seq in draw(st.lists(st.sampled_from(sorted(ledger.boards)), max_size=3)):
        arriving.append((draw(st.integers(0, 2 * len(ledger.events) + 12)), ledger.boards[seq]))
    # The client connects first and then fetches: whatever it gets before, one storyboard comes.
    arriving.append((draw(st.integers(0, 8)), ledger.boards[1]))
    return ledger, [item for _, item in sorted(arriving, key=lambda pair: pair[0])]


def travel(board: Board, items: Sequence[BrowserEvent | Storyboard]) -> None:
    for item in items:
        if isinstance(item, Storyboard):
            board.load(item)
        else:
            board.apply(item)


@settings(max_examples=400)
@given(journeys(lossy=False))
def test_when_nothing_is_lost_it_ends_as_the_database_or_says_that_it_must_fetch(
    journey: tuple[Ledger, list[BrowserEvent | Storyboard]],
) -> None:
    ledger, items = journey
    board = Board()
    travel(board, items)
    assert not board.gap, "everything arrived"
    resets = [
        number_of(e) or 0 for e in ledger.events if isinstance(e, StoryboardChanged) or getattr(e, "reset", False)
    ]
    assert board.behind == (max(resets) > board.seq), "it fetches when it must, and only then"
    if board.behind:
        board.load(ledger.boards[max(resets)])
    assert seen(board) == truth(ledger.storyboard())


@settings(max_examples=400)
@given(journeys(lossy=True), st.data())
def test_whatever_is_lost_it_ends_as_the_database_after_the_fetch_it_asks_for(
    journey: tuple[Ledger, list[BrowserEvent | Storyboard]], data: st.DataObject
) -> None:
    ledger, items = journey
    board = Board()
    travel(board, items)
    highest = max([board.seq, *(number_of(item) or 0 for item in items if not isinstance(item, Storyboard))])
    if board.gap or board.behind:
        # What is fetched is at least as new as what was heard of.
        highest = data.draw(st.integers(highest, ledger.project.seq))
        board.load(ledger.boards[highest])
    assert not board.gap
    assert not board.behind
    assert seen(board) == truth(ledger.boards[highest])


@settings(max_examples=200)
@given(journeys(lossy=True), st.randoms(use_true_random=False))
def test_the_same_again_in_any_order_changes_nothing(
    journey: tuple[Ledger, list[BrowserEvent | Storyboard]], chance: random.Random
) -> None:
    _, items = journey
    board = Board()
    travel(board, items)
    before = seen(board)
    again = list(items)
    chance.shuffle(again)
    newest = max(item.project.seq for item in items if isinstance(item, Storyboard))
    travel(board, [item for item in again if not isinstance(item, Storyboard) or item.project.seq < newest])
    assert seen(board) == before


@settings(max_examples=200)
@given(ledgers(), st.randoms(use_true_random=False))
def test_progress_is_the_furthest_of_the_attempt_that_runs(ledger: Ledger, chance: random.Random) -> None:
    board = Board()
    board.load(ledger.storyboard())
    told = [event for event in ledger.events if isinstance(event, SceneProgressed)]
    chance.shuffle(told)
    for event in told:
        board.apply(event)
    for scene in board.scenes.values():
        ours = [e.fraction for e in told if (e.scene_id, e.stage, e.attempt) == (scene.id, scene.stage, scene.attempt)]
        expected = max(ours) if ours and scene.status is SceneStatus.RUNNING else None
        assert board.fraction(scene) == expected


@pytest.fixture
def running() -> tuple[Ledger, Board, Scene]:
    """A board on which the second attempt at an image runs."""
    ledger = Ledger(1)
    ledger.press(0)
    ledger.queue(0)
    ledger.claim(0)
    scene = next(iter(ledger.scenes.values()))
    ledger.scenes[scene.id] = scene.model_copy(update={"attempt": 2})
    board = Board()
    board.load(ledger.storyboard())
    return ledger, board, ledger.scenes[scene.id]


def progressed(scene: Scene, attempt: int, fraction: float) -> SceneProgressed:
    return SceneProgressed(
        project_id=scene.project_id,
        run_id=scene.run_id,
        scene_id=scene.id,
        sentence_id=scene.sentence_id,
        stage=scene.stage,
        attempt=attempt,
        fraction=fraction,
    )


def test_progress_of_an_earlier_attempt_is_not_shown(running: tuple[Ledger, Board, Scene]) -> None:
    _, board, scene = running
    board.apply(progressed(scene, 1, 0.9))
    assert board.fraction(scene) is None
    board.apply(progressed(scene, 2, 0.1))
    board.apply(progressed(scene, 1, 0.95))
    assert board.fraction(scene) == 0.1


def test_progress_may_come_before_the_claim_is_told() -> None:
    ledger = Ledger(1)
    ledger.press(0)
    ledger.queue(0)
    board = Board()
    board.load(ledger.storyboard())
    ledger.claim(0)
    ledger.progress(5)
    claimed, progress = ledger.events[-2:]
    board.apply(progress)
    board.apply(claimed)
    (scene,) = board.scenes.values()
    assert board.fraction(scene) == 0.5


def test_a_kept_run_is_shown_after_it_has_ended() -> None:
    ledger = Ledger(2)
    ledger.redo(0)
    (run,) = ledger.runs.values()
    board = Board(keep=run.id)
    board.load(ledger.storyboard())
    ledger.cancel(0)
    board.apply(ledger.events[-1])
    assert [(shown.id, shown.status) for shown in board.runs] == [(run.id, RunStatus.CANCELLED)]
    other = Board()
    other.load(ledger.boards[2])
    other.apply(ledger.events[-1])
    assert other.runs == []


def test_what_still_runs_for_a_deleted_sentence_is_not_shown() -> None:
    ledger = Ledger(2)
    ledger.press(0)
    for _ in range(2):
        ledger.step(0)
    deleted = ledger.choose(0, {SceneStatus.RUNNING})
    assert deleted
    ledger.delete(list(ledger.sentences).index(deleted.sentence_id))
    board = Board()
    board.load(ledger.storyboard())
    ledger.fail(0)
    board.apply(ledger.events[-1])
    assert board.scenes
    assert deleted.sentence_id not in board.scenes


def test_before_the_first_storyboard_nothing_is_known() -> None:
    ledger = Ledger(1)
    ledger.press(0)
    board = Board()
    assert board.behind
    assert not board.loaded
    travel(board, ledger.events)
    assert board.behind
    with pytest.raises(LookupError):
        _ = board.sentences


def test_a_resync_changes_nothing_by_itself() -> None:
    ledger = Ledger(1)
    board = Board()
    board.load(ledger.storyboard())
    board.apply(Resync())
    assert seen(board) == truth(ledger.storyboard())


def test_workers_are_those_who_have_not_left() -> None:
    def sign(name: str, state: WorkerState) -> WorkerSeen:
        return WorkerSeen(
            name=name, session=UUID(int=1), stage=Stage.IMAGE, generator="animatic", state=state, every_s=2
        )

    board = Board()
    for name, state in (("b", WorkerState.IDLE), ("a", WorkerState.STARTING), ("b", WorkerState.GONE)):
        board.apply(sign(name, state))
    assert [(worker.name, worker.state) for worker in board.workers] == [("a", WorkerState.STARTING)]
