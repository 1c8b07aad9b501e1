"""Who gets what, and when. Pure: sockets are anything hashable, and `now` is seconds on any steady clock.

Whole-state events pass at once, each exactly once, in the order they came. Only what is never stored,
progress, previews and signs of life, is thinned out: the latest wins and is sent in the end. Nothing here grows
with time: rooms exist while somebody listens, and what is remembered beyond that is bounded.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, TypeVar
from uuid import UUID

from shared.contracts.events import (
    BrowserEvent,
    Resync,
    RunChanged,
    SceneChanged,
    ScenePreviewed,
    SceneProgressed,
    Status,
    StoryboardChanged,
    WorkerSeen,
)
from shared.contracts.run import ACTIVE
from shared.contracts.scene import TERMINAL, Scene, Stage

PACE_S = 0.25  #: between two messages of progress of one scene, two previews of it, and two signs of one worker
REPEAT_S = 2.0  #: between two equal signs of life of one worker
GAP_S = 0.5  #: for a missing number to arrive after all
REMEMBERED = 10_000  #: scenes and runs, and workers

S = TypeVar("S", bound=Hashable)
K = TypeVar("K", bound=Hashable)
E = TypeVar("E")

#: A stage's index and an attempt: progress of an earlier place is old news.
Place = tuple[int, int]
OVER: Place = (len(Stage), 0)
_STAGES = {stage: index for index, stage in enumerate(Stage)}


@dataclass(frozen=True, slots=True)
class Sending(Generic[S]):
    event: BrowserEvent
    to: tuple[S, ...]


@dataclass(slots=True)
class _Numbers:
    """Finds the missing ones among a project's `seq`."""

    last: int | None = None  #: nothing up to here is missing, or it was given up
    ahead: dict[int, float] = field(default_factory=dict)  #: beyond a gap: number, and when it came

    def note(self, seq: int, now: float) -> None:
        if self.last is None:
            # What came before was never promised to anybody who listens: they fetched it.
            self.last = seq
        elif seq > self.last:
            self.ahead.setdefault(seq, now)
        while self.last + 1 in self.ahead:
            self.last += 1
            del self.ahead[self.last]

    def give_up(self, now: float) -> bool:
        """Whether a gap stayed open too long. It, and all that is ahead of it, counts as seen then."""
        # The gap opened when the first of those beyond it came, and dicts keep that order.
        if not self.ahead or now - next(iter(self.ahead.values())) < GAP_S:
            return False
        self.last = max(self.ahead)
        self.ahead.clear()
        return True


class _Pace(Generic[K, E]):
    """Lets one event per key pass every `PACE_S`; of those that come too early the latest waits."""

    def __init__(self) -> None:
        self.waiting: dict[K, E] = {}
        self._passed: OrderedDict[K, float] = OrderedDict()  #: when, oldest first

    def admits(self, key: K, event: E, now: float) -> bool:
        """Whether `event` may pass now; otherwise it waits for `due`."""
        self._forget(now)
        if key in self._passed:
            self.waiting[key] = event
            return False
        self.waiting.pop(key, None)
        self._passed[key] = now
        return True

    def due(self, now: float) -> list[E]:
        """Those that have waited long enough. They count as passed now."""
        self._forget(now)
        keys = [key for key in self.waiting if key not in self._passed]
        self._passed.update((key, now) for key in keys)
        return [self.waiting.pop(key) for key in keys]

    def _forget(self, now: float) -> None:
        while self._passed:
            key, at = next(iter(self._passed.items()))
            if now - at < PACE_S:
                return
            del self._passed[key]


@dataclass(slots=True)
class _Room(Generic[S]):
    """Those who listen to one project."""

    sockets: set[S] = field(default_factory=set)
    numbers: _Numbers = field(default_factory=_Numbers)


class Fanout(Generic[S]):
    """Takes events, answers what to send to whom. Call `due` while `waiting`."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._rooms: dict[UUID, _Room[S]] = {}
        self._gaps: set[UUID] = set()  #: projects with a number missing
        self._progress: _Pace[UUID, SceneProgressed] = _Pace()  #: by scene
        self._previews: _Pace[UUID, ScenePreviewed] = _Pace()  #: by scene
        self._workers: _Pace[str, WorkerSeen] = _Pace()  #: by name
        self._places: OrderedDict[UUID, Place] = OrderedDict()  #: how far each scene is, and each ended run
        self._signs: OrderedDict[str, tuple[WorkerSeen, float]] = OrderedDict()  #: the last of each worker, and when

    def join(self, project_id: UUID, socket: S) -> None:
        self._rooms.setdefault(project_id, _Room()).sockets.add(socket)

    def leave(self, project_id: UUID, socket: S) -> None:
        """Also for one that has left already."""
        room = self._rooms.get(project_id)
        if room is None:
            return
        room.sockets.discard(socket)
        if not room.sockets:
            del self._rooms[project_id]
            self._gaps.discard(project_id)

    @property
    def waiting(self) -> bool:
        """Whether time alone will bring something to send."""
        return bool(self._gaps or self._progress.waiting or self._previews.waiting or self._workers.waiting)

    def status(self, event: Status, now: float) -> list[Sending[S]]:
        """What happened in a project."""
        room = self._rooms.get(event.project_id)
        if room is None:
            return []
        if isinstance(event, SceneProgressed | ScenePreviewed):
            return self._to_room([event]) if self._admits(event, now) else []
        self._learn(event)
        room.numbers.note(event.seq, now)
        # What is no longer missing may close a gap as well as a jump may open one.
        (self._gaps.add if room.numbers.ahead else self._gaps.discard)(event.project_id)
        return self._to_room([event])

    def presence(self, seen: WorkerSeen, now: float) -> list[Sending[S]]:
        """A worker's sign of life: a change passes soon, a mere repetition seldom."""
        if not self._rooms:
            return []
        before, at = self._signs.get(seen.name, (None, now))
        # Less than a whole period, or jitter would make every other sign come too early.
        if seen == before and now - at < 0.9 * REPEAT_S:
            return []
        _remember(self._signs, seen.name, (seen, now), self._remembered)
        # The sender's promise of the next one must hold for what passes here.
        promised = seen.model_copy(update={"every_s": max(seen.every_s, REPEAT_S)})
        return self._to_all([promised]) if self._workers.admits(seen.name, promised, now) else []

    def reconnected(self) -> list[Sending[S]]:
        """The bus was away and events may be lost. Numbers are counted from the next event on."""
        for room in self._rooms.values():
            room.numbers = _Numbers()
        self._gaps.clear()
        return self._to_all([Resync()])

    def due(self, now: float) -> list[Sending[S]]:
        """What time has brought: progress and signs that waited, and gaps that nothing filled."""
        missed = [project_id for project_id in self._gaps if self._rooms[project_id].numbers.give_up(now)]
        self._gaps.difference_update(missed)
        return [
            *(Sending(Resync(), tuple(self._rooms[project_id].sockets)) for project_id in missed),
            *self._to_room(event for event in self._progress.due(now) if not self._is_old(event)),
            *self._to_room(event for event in self._previews.due(now) if not self._is_old(event)),
            *self._to_all(self._workers.due(now)),
        ]

    def _admits(self, event: SceneProgressed | ScenePreviewed, now: float) -> bool:
        if self._is_old(event):
            return False
        self._advance(event.scene_id, _place(event))
        if isinstance(event, ScenePreviewed):
            return self._previews.admits(event.scene_id, event, now)
        return self._progress.admits(event.scene_id, event, now)

    def _learn(self, event: SceneChanged | RunChanged | StoryboardChanged) -> None:
        """Remember how far its scenes are, so that late progress can be told."""
        if isinstance(event, SceneChanged):
            for scene in event.scenes:
                self._advance(scene.id, OVER if scene.status in TERMINAL else _place(scene))
        run = None if isinstance(event, StoryboardChanged) else event.run
        if run and run.status not in ACTIVE:
            self._advance(run.id, OVER)

    def _advance(self, key: UUID, place: Place) -> None:
        # Events may overtake each other; a scene never goes back.
        _remember(self._places, key, max(place, self._places.get(key, place)), self._remembered)

    def _is_old(self, event: SceneProgressed | ScenePreviewed) -> bool:
        return any(_place(event) < self._places.get(key, (0, 0)) for key in (event.scene_id, event.run_id))

    def _to_room(self, events: Iterable[Status]) -> list[Sending[S]]:
        found = ((event, self._rooms.get(event.project_id)) for event in events)
        return [Sending(event, tuple(room.sockets)) for event, room in found if room]

    def _to_all(self, events: Iterable[WorkerSeen | Resync]) -> list[Sending[S]]:
        everybody = tuple(chain.from_iterable(room.sockets for room in self._rooms.values()))
        return [Sending(event, everybody) for event in events if everybody]


def _place(at: Scene | SceneProgressed | ScenePreviewed) -> Place:
    return _STAGES[at.stage], at.attempt


def _remember(memory: OrderedDict[K, E], key: K, value: E, limit: int) -> None:
    """Keep `value`; forget what was touched longest ago."""
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > limit:
        memory.popitem(last=False)
