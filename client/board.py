"""What is known of a project: the last storyboard fetched, and what events told since. Pure.

The project's `seq` counts its commits, which happen one at a time, so it orders the versions of everything
in the project. An event at or below the storyboard's `seq` is part of the storyboard already. Above it, the
highest `seq` that told of a thing wins, whatever order the events arrive in and however often.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from shared.contracts.events import (
    BrowserEvent,
    Resync,
    RunChanged,
    SceneChanged,
    ScenePreviewed,
    SceneProgressed,
    StoryboardChanged,
    WorkerSeen,
    WorkerState,
)
from shared.contracts.project import Project, Sentence, Storyboard
from shared.contracts.run import ACTIVE, Run, RunKind, StageCount
from shared.contracts.scene import TERMINAL, Scene, SceneStatus, Stage

T = TypeVar("T")
_STAGES = list(Stage)


class _Newer(Generic[T]):
    """Things told of since the storyboard was fetched, each as of the highest `seq` that told of it."""

    def __init__(self) -> None:
        self._told: dict[UUID, tuple[int, T]] = {}

    def tell(self, key: UUID, seq: int, value: T) -> None:
        if key not in self._told or seq > self._told[key][0]:
            self._told[key] = (seq, value)

    def forget(self, upto: int) -> None:
        self._told = {key: told for key, told in self._told.items() if told[0] > upto}

    def over(self, values: dict[UUID, T], *, add: bool) -> dict[UUID, T]:
        """`values` with what is newer in its place; and, with `add`, what is new."""
        newer = {key: value for key, (_, value) in self._told.items() if add or key in values}
        return values | newer


@dataclass(frozen=True, slots=True, order=True)
class _Reached:
    """How far a scene was said to be; the furthest is the latest."""

    stage: int
    attempt: int
    fraction: float


class Board:
    """One project. `keep` is a run that is shown even where a storyboard no longer lists it."""

    def __init__(self, keep: UUID | None = None) -> None:
        self._keep = keep
        self._storyboard: Storyboard | None = None
        self._sentences: _Newer[Sentence] = _Newer()
        self._scenes: _Newer[Scene] = _Newer()  #: by sentence: the latest scene of each
        self._runs: _Newer[Run] = _Newer()
        self._reached: dict[UUID, _Reached] = {}
        self._workers: dict[str, WorkerSeen] = {}
        self._complete = 0  #: everything up to this `seq` is known
        self._heard: set[int] = set()  #: what was heard beyond a gap
        self._fetch_at = 0  #: the highest `seq` whose event did not say everything

    def load(self, storyboard: Storyboard) -> None:
        """Take a storyboard that was fetched, unless a newer one is here already."""
        seq = storyboard.project.seq
        if self._storyboard and seq < self._storyboard.project.seq:
            return
        self._storyboard = storyboard
        for newer in (self._sentences, self._scenes, self._runs):
            newer.forget(seq)
        self._complete = max(self._complete, seq)
        self._close_gap()
        open_ids = {scene.id for scene in self.scenes.values() if scene.status not in TERMINAL}
        self._reached = {key: reached for key, reached in self._reached.items() if key in open_ids}

    def apply(self, event: BrowserEvent) -> None:
        """Take an event: late, early or twice as it may come."""
        match event:
            case SceneChanged() | RunChanged() | StoryboardChanged():
                if self._hear(event.seq):
                    self._learn(event)
            case SceneProgressed():
                reached = _Reached(_STAGES.index(event.stage), event.attempt, event.fraction)
                self._reached[event.scene_id] = max(reached, self._reached.get(event.scene_id, reached))
            case WorkerSeen():
                self._workers[event.name] = event
            case ScenePreviewed():
                pass  # A terminal shows no pictures.
            case Resync():
                pass  # What was missed cannot be told from here: whoever fetches must act on it.

    @property
    def loaded(self) -> bool:
        return self._storyboard is not None

    @property
    def seq(self) -> int:
        """Of the storyboard fetched last."""
        return self._storyboard.project.seq if self._storyboard else 0

    @property
    def behind(self) -> bool:
        """Something happened that only a newer storyboard tells."""
        return self._storyboard is None or self._fetch_at > self.seq

    @property
    def gap(self) -> bool:
        """An event is missing between those that came. It may only be late."""
        return bool(self._heard)

    @property
    def project(self) -> Project:
        return self._known.project

    @property
    def sentences(self) -> list[Sentence]:
        """In story order."""
        known = {sentence.id: sentence for sentence in self._known.sentences}
        return sorted(self._sentences.over(known, add=False).values(), key=lambda sentence: sentence.position)

    @property
    def scenes(self) -> dict[UUID, Scene]:
        """The latest scene of every sentence that ever had one, by the sentence's id."""
        told = self._scenes.over({scene.sentence_id: scene for scene in self._known.scenes}, add=True)
        # What is told of a sentence that was deleted, or is too new to be known, has no place yet.
        return {sentence.id: told[sentence.id] for sentence in self._known.sentences if sentence.id in told}

    @property
    def runs(self) -> list[Run]:
        """The active ones, the latest of the whole storyboard, and the one that is kept; newest first."""
        told = self._runs.over({run.id: run for run in self._known.runs}, add=True)
        newest_first = sorted(told.values(), key=lambda run: run.created_at, reverse=True)
        bulk = next((run.id for run in newest_first if run.kind is RunKind.BULK), None)
        return [run for run in newest_first if run.status in ACTIVE or run.id in (bulk, self._keep)]

    @property
    def workers(self) -> list[WorkerSeen]:
        """Who was heard of and has not left, by name."""
        alive = (seen for seen in self._workers.values() if seen.state is not WorkerState.GONE)
        return sorted(alive, key=lambda seen: seen.name)

    def run(self, run_id: UUID) -> Run | None:
        return next((run for run in self.runs if run.id == run_id), None)

    def scenes_of(self, run_id: UUID) -> list[Scene]:
        """In story order, as of the press; without those whose sentence is in a later run by now."""
        found = (scene for scene in self.scenes.values() if scene.run_id == run_id)
        return sorted(found, key=lambda scene: scene.number)

    def fraction(self, scene: Scene) -> float | None:
        """How far a running scene is; None where its worker has not said."""
        reached = self._reached.get(scene.id)
        if scene.status is not SceneStatus.RUNNING or reached is None:
            return None
        return reached.fraction if (reached.stage, reached.attempt) == _attempt_of(scene) else None

    def counts(self, run: Run) -> tuple[StageCount, StageCount]:
        """Images and videos of a run. What is settled the run says itself; between two settled scenes it is
        not told again, so what is still open is counted here."""
        scenes = self.scenes_of(run.id)
        return _count(run.images, Stage.IMAGE, scenes), _count(run.videos, Stage.VIDEO, scenes)

    def _learn(self, event: SceneChanged | RunChanged | StoryboardChanged) -> None:
        if not isinstance(event, StoryboardChanged) and event.run:
            self._runs.tell(event.run.id, event.seq, event.run)
        if isinstance(event, SceneChanged):
            for scene in event.scenes:
                self._scenes.tell(scene.sentence_id, event.seq, scene)
            for sentence in event.sentences:
                self._sentences.tell(sentence.id, event.seq, sentence)
        elif isinstance(event, StoryboardChanged) or event.reset:
            self._fetch_at = max(self._fetch_at, event.seq)

    def _hear(self, seq: int) -> bool:
        """Note that an event came. False where the storyboard has it already."""
        if seq <= self.seq:
            return False
        self._heard.add(seq)
        # Before the first storyboard nobody can say what is missing.
        if self._storyboard:
            self._close_gap()
        return True

    def _close_gap(self) -> None:
        while self._complete + 1 in self._heard:
            self._complete += 1
        self._heard = {seq for seq in self._heard if seq > self._complete}

    @property
    def _known(self) -> Storyboard:
        if self._storyboard is None:
            raise LookupError("no storyboard was fetched yet")
        return self._storyboard


def _attempt_of(scene: Scene) -> tuple[int, int]:
    return _STAGES.index(scene.stage), scene.attempt


def _count(settled: StageCount, stage: Stage, scenes: Iterable[Scene]) -> StageCount:
    still_open = {"blocked": 0, "waiting": 0, "queued": 0, "running": 0}
    for scene in scenes:
        if scene.status not in TERMINAL and stage in scene.plan:
            if scene.stage is stage:
                still_open[scene.status.value] += 1
            elif stage is Stage.VIDEO:
                still_open["blocked"] += 1
    return settled.model_copy(update=still_open)
