"""Who gets what, and when. Time is a number that the tests turn; nothing here waits."""

from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise, permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifier.fanout import Fanout, Sending
from shared.contracts.events import (
    BrowserEvent,
    RunChanged,
    SceneChanged,
    ScenePreviewed,
    SceneProgressed,
    Status,
    StoryboardChanged,
    WorkerSeen,
    WorkerState,
)
from shared.contracts.run import (
    ACTIVE,
    Order,
    Progress,
    Run,
    RunKind,
    RunStatus,
    StageCount,
)
from shared.contracts.scene import TERMINAL, Scene, SceneStatus, Stage

PROJECT, OTHER = UUID(int=1), UUID(int=2)
RUN = UUID(int=10)
EPSILON = 1e-6
#: What is promised, and so not taken from the code: seconds.
PACE_S, REPEAT_S, GAP_S = 0.25, 2.0, 0.5
STAGES = list(Stage)


def scene_id_of(project: UUID, number: int = 1) -> UUID:
    return UUID(int=project.int * 1000 + number)


def scene(
    status: SceneStatus,
    *,
    stage: Stage = Stage.IMAGE,
    attempt: int = 1,
    number: int = 1,
    project: UUID = PROJECT,
) -> Scene:
    return Scene(
        id=scene_id_of(project, number),
        run_id=RUN,
        project_id=project,
        sentence_id=UUID(int=number),
        number=number,
        plan=(Stage.IMAGE, Stage.VIDEO),
        stage=stage,
        status=status,
        attempt=attempt,
    )


def changed(seq: int, *scenes: Scene, run: Run | None = None, project: UUID = PROJECT) -> SceneChanged:
    return SceneChanged(project_id=project, seq=seq, scenes=scenes, run=run)


def run_in(status: RunStatus) -> Run:
    return Run(
        id=RUN,
        project_id=PROJECT,
        kind=RunKind.BULK,
        order=Order.IMAGES_FIRST,
        stages=(Stage.IMAGE, Stage.VIDEO),
        status=status,
        scenes=1,
        failed=0,
        images=StageCount(),
        videos=StageCount(),
        progress=Progress(stage=None, settled=0, total=1),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def progress(
    fraction: float,
    *,
    stage: Stage = Stage.IMAGE,
    attempt: int = 1,
    number: int = 1,
    project: UUID = PROJECT,
) -> SceneProgressed:
    return SceneProgressed(
        project_id=project,
        run_id=RUN,
        scene_id=scene_id_of(project, number),
        sentence_id=UUID(int=number),
        stage=stage,
        attempt=attempt,
        fraction=fraction,
    )


def preview(picture: str, *, stage: Stage = Stage.IMAGE, attempt: int = 1, number: int = 1) -> ScenePreviewed:
    return ScenePreviewed(
        project_id=PROJECT,
        run_id=RUN,
        scene_id=scene_id_of(PROJECT, number),
        sentence_id=UUID(int=number),
        stage=stage,
        attempt=attempt,
        picture=picture,
    )


def sign(
    state: WorkerState = WorkerState.IDLE,
    *,
    name: str = "w",
    detail: str = "",
    every_s: float = 2,
) -> WorkerSeen:
    return WorkerSeen(
        name=name,
        session=UUID(int=7),
        stage=Stage.IMAGE,
        generator="animatic",
        state=state,
        detail=detail,
        every_s=every_s,
    )


class Desk:
    """A fan-out with a clock, and what each socket was sent and when."""

    def __init__(self, remembered: int = 10_000, **rooms: UUID) -> None:
        self.fanout: Fanout[str] = Fanout(remembered)
        self.now = 100.0
        self.sent: dict[str, list[tuple[float, BrowserEvent]]] = defaultdict(list)
        for socket, project in rooms.items():
            self.fanout.join(project, socket)

    def status(self, *events: Status) -> None:
        for event in events:
            self._take(self.fanout.status(event, self.now))

    def presence(self, seen: WorkerSeen) -> None:
        self._take(self.fanout.presence(seen, self.now))

    def reconnected(self) -> None:
        self._take(self.fanout.reconnected())

    def wait(self, seconds: float, tick: float = 0.05) -> None:
        """Let time pass as the notifier does: `due` is asked on a tick, and only while something waits."""
        end = self.now + seconds
        while self.now < end - EPSILON:
            self.now = min(self.now + tick, end)
            if self.fanout.waiting:
                self._take(self.fanout.due(self.now))

    def to(self, socket: str) -> list[BrowserEvent]:
        return [event for _, event in self.sent[socket]]

    def types(self, socket: str) -> list[str]:
        return [event.type for event in self.to(socket)]

    def _take(self, sendings: list[Sending[str]]) -> None:
        for sending in sendings:
            assert len(set(sending.to)) == len(sending.to)
            for socket in sending.to:
                self.sent[socket].append((self.now, sending.event))


# Who.


def test_events_reach_everyone_in_their_project_and_nobody_else() -> None:
    desk = Desk(ann=PROJECT, ben=PROJECT, cat=OTHER)
    event, other = (
        changed(1, scene(SceneStatus.DONE)),
        StoryboardChanged(project_id=OTHER, seq=1),
    )
    desk.status(event, other)
    assert desk.to("ann") == desk.to("ben") == [event]
    assert desk.to("cat") == [other]


def test_nothing_is_sent_after_leaving_and_leaving_twice_is_harmless() -> None:
    desk = Desk(ann=PROJECT, ben=PROJECT)
    desk.status(progress(0.1), progress(0.2))
    desk.fanout.leave(PROJECT, "ann")
    desk.fanout.leave(PROJECT, "ann")
    desk.fanout.leave(OTHER, "ann")
    desk.status(StoryboardChanged(project_id=PROJECT, seq=1))
    desk.wait(1)
    assert desk.types("ann") == ["scene_progressed"]
    assert desk.types("ben") == [
        "scene_progressed",
        "storyboard_changed",
        "scene_progressed",
    ]


def test_an_empty_project_leaves_nothing_waiting() -> None:
    desk = Desk(ann=PROJECT)
    desk.status(
        StoryboardChanged(project_id=PROJECT, seq=1),
        StoryboardChanged(project_id=PROJECT, seq=3),
    )
    assert desk.fanout.waiting
    desk.fanout.leave(PROJECT, "ann")
    assert not desk.fanout.waiting
    desk.status(progress(0.5))
    desk.presence(sign())
    desk.reconnected()
    desk.wait(1)
    assert not desk.fanout.waiting
    assert desk.types("ann") == ["storyboard_changed", "storyboard_changed"]


# Everything at once, against what may be said of any history.

projects = st.sampled_from([PROJECT, OTHER])
sockets = st.sampled_from(["ann", "ben", "cat"])
numbers = st.integers(1, 2)
scenes = st.builds(
    scene,
    st.sampled_from(SceneStatus),
    stage=st.sampled_from(Stage),
    attempt=st.integers(1, 3),
    number=numbers,
    project=projects,
)
steps = st.one_of(
    st.tuples(st.just("join"), projects, sockets),
    st.tuples(st.just("leave"), sockets),
    st.tuples(st.just("scene"), st.integers(1, 9), scenes),
    st.tuples(st.just("run"), st.integers(1, 9), st.sampled_from(RunStatus)),
    st.tuples(
        st.just("progress"),
        st.builds(
            progress,
            st.sampled_from([0.1, 0.5, 0.9]),
            stage=st.sampled_from(Stage),
            attempt=st.integers(1, 3),
            number=numbers,
            project=projects,
        ),
    ),
    st.tuples(st.just("wait"), st.sampled_from([0.03, 0.1, 0.3, 0.7])),
    st.tuples(st.just("reconnected")),
)


@settings(max_examples=400)
@given(st.lists(steps, max_size=60))
def test_whole_states_pass_once_and_in_order_and_progress_is_paced_and_never_late(
    history: list[Any],
) -> None:
    desk = Desk()
    rooms: dict[str, UUID] = {}
    expected: dict[str, list[Status]] = defaultdict(list)
    for step in history:
        match step:
            case ("join", project, socket) if socket not in rooms:
                rooms[socket] = project
                desk.fanout.join(project, socket)
                # A second life of the same name is another socket.
                desk.sent[socket].clear()
                expected[socket].clear()
            case ("leave", socket) if socket in rooms:
                desk.fanout.leave(rooms.pop(socket), socket)
            case ("scene", seq, state):
                whole: Status = changed(seq, state, project=state.project_id)
                _expect(whole, rooms, expected)
                desk.status(whole)
            case ("run", seq, status):
                whole = RunChanged(project_id=PROJECT, seq=seq, run=run_in(status))
                _expect(whole, rooms, expected)
                desk.status(whole)
            case ("progress", event):
                desk.status(event)
            case ("wait", seconds):
                desk.wait(seconds)
            case ("reconnected",):
                desk.reconnected()
    desk.wait(1)
    for socket, sent in desk.sent.items():
        whole_states = [event for _, event in sent if isinstance(event, SceneChanged | RunChanged)]
        assert whole_states == expected[socket]
        _check_pace(sent)
        _check_no_late_progress([event for _, event in sent])


def _expect(event: Status, rooms: dict[str, UUID], expected: dict[str, list[Status]]) -> None:
    for socket, project in rooms.items():
        if project == event.project_id:
            expected[socket].append(event)


def _check_pace(sent: list[tuple[float, BrowserEvent]]) -> None:
    times = defaultdict(list)
    for at, event in sent:
        if isinstance(event, SceneProgressed):
            times[event.scene_id].append(at)
    for of_scene in times.values():
        assert all(later - earlier > PACE_S - EPSILON for earlier, later in pairwise(of_scene))
        assert all(later - earlier > 1 - EPSILON for earlier, later in zip(of_scene, of_scene[4:], strict=False))


def _check_no_late_progress(events: list[BrowserEvent]) -> None:
    over: set[UUID] = set()
    places: dict[UUID, tuple[int, int]] = {}
    for event in events:
        if isinstance(event, SceneProgressed):
            assert event.scene_id not in over and event.run_id not in over
            assert (STAGES.index(event.stage), event.attempt) >= places.get(event.scene_id, (0, 0))
        elif isinstance(event, SceneChanged):
            for state in event.scenes:
                place = (STAGES.index(state.stage), state.attempt)
                places[state.id] = max(place, places.get(state.id, place))
                if state.status in TERMINAL:
                    over.add(state.id)
        elif isinstance(event, RunChanged) and event.run.status not in ACTIVE:
            over.add(event.run.id)


# Progress.


@pytest.mark.parametrize(
    "settled",
    [
        scene(SceneStatus.WAITING, attempt=2),
        scene(SceneStatus.WAITING, stage=Stage.VIDEO),
        *(scene(status) for status in sorted(TERMINAL)),
        *(scene(status, stage=Stage.VIDEO) for status in sorted(TERMINAL)),
    ],
    ids=lambda state: f"{state.stage}-{state.status}",
)
def test_progress_that_waits_is_dropped_when_its_job_settles(settled: Scene) -> None:
    desk = Desk(ann=PROJECT)
    desk.status(progress(0.1), progress(0.2), changed(1, settled), progress(0.3))
    desk.wait(1)
    desk.status(progress(0.4))
    desk.wait(1)
    assert desk.to("ann") == [progress(0.1), changed(1, settled)]


def test_progress_of_an_ended_run_is_dropped() -> None:
    desk = Desk(ann=PROJECT)
    end = RunChanged(project_id=PROJECT, seq=1, run=run_in(RunStatus.CANCELLED), reset=True)
    desk.status(progress(0.1), progress(0.2), end, progress(0.3, number=2))
    desk.wait(1)
    assert desk.to("ann") == [progress(0.1), end]


def test_a_run_that_ends_with_its_last_scene_ends_progress_too() -> None:
    desk = Desk(ann=PROJECT)
    end = changed(1, scene(SceneStatus.DONE, number=2), run=run_in(RunStatus.COMPLETED))
    desk.status(end, progress(0.3))
    desk.wait(1)
    assert desk.to("ann") == [end]


@pytest.mark.parametrize("status", [SceneStatus.WAITING, SceneStatus.QUEUED, SceneStatus.RUNNING])
def test_progress_may_come_before_the_news_that_its_job_was_started(
    status: SceneStatus,
) -> None:
    desk = Desk(ann=PROJECT)
    desk.status(changed(1, scene(status)), progress(0.1))
    desk.wait(PACE_S + 0.01)
    desk.status(progress(0.1, attempt=2))
    assert desk.types("ann") == [
        "scene_changed",
        "scene_progressed",
        "scene_progressed",
    ]


def test_a_new_attempt_outdates_progress_of_the_old_one_even_before_its_state_came() -> None:
    desk = Desk(ann=PROJECT)
    desk.status(progress(0.9), progress(0.1, attempt=2), progress(0.95))
    desk.wait(1)
    assert desk.to("ann") == [progress(0.9), progress(0.1, attempt=2)]


def test_a_state_that_was_overtaken_does_not_bring_old_progress_back() -> None:
    desk = Desk(ann=PROJECT)
    desk.status(
        changed(2, scene(SceneStatus.DONE)),
        changed(1, scene(SceneStatus.RUNNING)),
        progress(0.9),
    )
    assert desk.types("ann") == ["scene_changed", "scene_changed"]


def test_no_order_of_a_scenes_events_lets_late_progress_pass() -> None:
    events: list[Status] = [
        changed(1, scene(SceneStatus.RUNNING)),
        progress(0.9),
        changed(2, scene(SceneStatus.WAITING, attempt=2)),
        changed(3, scene(SceneStatus.RUNNING, attempt=2)),
        progress(0.5, attempt=2),
        changed(4, scene(SceneStatus.DONE, stage=Stage.VIDEO)),
    ]
    for pause in (0.0, 0.1, PACE_S):
        for order in permutations(events):
            desk = Desk(ann=PROJECT)
            for event in order:
                desk.status(event)
                desk.wait(pause)
            desk.wait(1)
            _check_no_late_progress(desk.to("ann"))
            assert [event for event in desk.to("ann") if event.type == "scene_changed"] == [
                event for event in order if event.type == "scene_changed"
            ]


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.04, 0.11, 0.26, 0.9]), numbers),
        min_size=1,
        max_size=40,
    )
)
def test_the_latest_progress_is_sent_in_the_end_and_soon(
    arrivals: list[tuple[float, int]],
) -> None:
    desk = Desk(ann=PROJECT)
    latest: dict[int, SceneProgressed] = {}
    for index, (pause, number) in enumerate(arrivals):
        desk.wait(pause)
        latest[number] = progress(index / 100, number=number)
        desk.status(latest[number])
    # One period, and one tick of the clock that looks.
    desk.wait(PACE_S + 0.06)
    assert not desk.fanout.waiting
    for number, event in latest.items():
        of_scene = [
            sent for sent in desk.to("ann") if isinstance(sent, SceneProgressed) and sent.sentence_id.int == number
        ]
        assert of_scene[-1] == event
        assert of_scene == sorted(of_scene, key=lambda sent: sent.fraction)


def test_what_waited_is_not_sent_after_something_newer() -> None:
    desk = Desk(ann=PROJECT)
    desk.status(progress(0.1), progress(0.2))
    desk.now += 0.3  # Nobody looked at the clock in time.
    desk.status(progress(0.3))
    assert not desk.fanout.waiting
    desk.wait(1)
    assert desk.to("ann") == [progress(0.1), progress(0.3)]


def test_progress_of_one_scene_does_not_slow_another() -> None:
    desk = Desk(ann=PROJECT)
    desk.status(*(progress(0.1, number=number) for number in range(1, 50)))
    assert len(desk.to("ann")) == 49


def test_all_that_waited_long_enough_is_sent_at_once() -> None:
    desk = Desk(ann=PROJECT)
    for fraction in (0.1, 0.2):
        desk.status(*(progress(fraction, number=number) for number in range(1, 5)))
    desk.wait(PACE_S + 0.06)
    assert [event.fraction for event in desk.to("ann") if isinstance(event, SceneProgressed)] == [0.1] * 4 + [0.2] * 4


def test_of_previews_the_latest_is_sent_four_times_a_second_and_progress_goes_its_own_pace() -> None:
    desk = Desk(ann=PROJECT)
    for step in range(100):
        desk.status(progress(step / 100), preview(f"step{step}"))
        desk.wait(0.01, tick=0.01)
    desk.wait(PACE_S + 0.06)
    shown = [event.picture for event in desk.to("ann") if isinstance(event, ScenePreviewed)]
    assert shown[0] == "step0"
    assert shown[-1] == "step99"
    assert 4 <= len(shown) <= 6
    assert abs(len(desk.to("ann")) - 2 * len(shown)) <= 1


@pytest.mark.parametrize(
    "over",
    [scene(SceneStatus.DONE), scene(SceneStatus.WAITING, stage=Stage.VIDEO), scene(SceneStatus.QUEUED, attempt=2)],
)
def test_a_preview_that_waits_is_dropped_when_its_job_is_over(over: Scene) -> None:
    desk = Desk(ann=PROJECT)
    desk.status(preview("first"), preview("waits"), changed(1, over), preview("late"))
    desk.wait(1)
    assert desk.to("ann") == [preview("first"), changed(1, over)]


def test_many_steps_become_four_messages_a_second() -> None:
    desk = Desk(ann=PROJECT)
    for step in range(1000):
        desk.status(progress(step / 1000))
        desk.wait(0.01, tick=0.01)
    # Ten seconds, both ends counted.
    assert 36 <= len(desk.to("ann")) <= 41


# Numbers.


def numbered(seq: int) -> StoryboardChanged:
    return StoryboardChanged(project_id=PROJECT, seq=seq)


@settings(max_examples=400)
@given(
    st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from([0.0, 0.1, 0.24, 0.51])),
        max_size=25,
    )
)
def test_a_gap_that_stays_open_is_told_exactly_once(
    arrivals: list[tuple[int, float]],
) -> None:
    """Against the definition, number by number: one that is missing was missed since the first beyond it came."""
    desk = Desk(ann=PROJECT)
    came: dict[int, float] = {}
    excused: set[int] = set()
    expected: list[str] = []

    def pass_time(seconds: float) -> None:
        end = desk.now + seconds
        while desk.now < end - EPSILON:
            desk.wait(min(0.05, end - desk.now))
            missing = set(range(min(came), max(came))) - set(came) - excused
            opened = [min(at for beyond, at in came.items() if beyond > seq) for seq in missing]
            if any(desk.now - at >= GAP_S for at in opened):
                expected.append("resync")
                excused.update(missing)

    for seq, pause in arrivals:
        desk.status(numbered(seq))
        expected.append("storyboard_changed")
        if not came or seq > min(came):
            came.setdefault(seq, desk.now)
        pass_time(pause)
    if came:
        pass_time(2)
    assert desk.types("ann") == expected
    assert not desk.fanout.waiting


def test_a_gap_is_told_after_half_a_second_and_not_before() -> None:
    desk = Desk(ann=PROJECT, ben=PROJECT, cat=OTHER)
    desk.status(numbered(1), numbered(3))
    desk.wait(GAP_S - 0.01, tick=0.01)
    assert "resync" not in desk.types("ann")
    desk.wait(0.02, tick=0.01)
    assert desk.types("ann") == desk.types("ben") == ["storyboard_changed", "storyboard_changed", "resync"]
    assert desk.types("cat") == []
    # What was missing comes after all: it passes, and opens nothing.
    desk.status(numbered(2), numbered(4))
    desk.wait(2)
    assert desk.types("ann")[3:] == ["storyboard_changed", "storyboard_changed"]


def test_a_gap_that_is_filled_in_time_is_not_told() -> None:
    desk = Desk(ann=PROJECT)
    desk.status(numbered(1), numbered(4), numbered(3))
    desk.wait(GAP_S - 0.05)
    desk.status(numbered(2))
    assert not desk.fanout.waiting
    desk.wait(2)
    assert "resync" not in desk.types("ann")


def test_the_first_number_heard_is_where_counting_starts() -> None:
    desk = Desk(ann=PROJECT)
    desk.status(numbered(500), numbered(499), numbered(501))
    desk.wait(2)
    assert desk.types("ann") == ["storyboard_changed"] * 3


def test_counting_starts_anew_after_everyone_left() -> None:
    desk = Desk(ann=PROJECT)
    desk.status(numbered(1))
    desk.fanout.leave(PROJECT, "ann")
    desk.status(numbered(2), numbered(3))
    desk.fanout.join(PROJECT, "ann")
    desk.status(numbered(4))
    desk.wait(2)
    assert "resync" not in desk.types("ann")


def test_a_bus_that_was_away_is_told_to_everyone_once() -> None:
    desk = Desk(ann=PROJECT, ben=PROJECT, cat=OTHER)
    desk.status(numbered(1), numbered(3))
    desk.reconnected()
    assert not desk.fanout.waiting
    desk.status(numbered(9))
    desk.wait(2)
    assert desk.types("ann") == [
        "storyboard_changed",
        "storyboard_changed",
        "resync",
        "storyboard_changed",
    ]
    assert desk.types("cat") == ["resync"]


# Workers.


def test_a_worker_is_seen_by_every_page() -> None:
    desk = Desk(ann=PROJECT, cat=OTHER)
    desk.presence(sign())
    assert desk.to("ann") == desk.to("cat") == [sign()]


def test_a_mere_repetition_passes_every_two_seconds_and_promises_no_more() -> None:
    desk = Desk(ann=PROJECT)
    for _ in range(100):
        desk.presence(sign(every_s=0.1))
        desk.wait(0.1)
    times = [at for at, _ in desk.sent["ann"]]
    assert len(times) == 6
    assert all(event == sign(every_s=REPEAT_S) for event in desk.to("ann"))
    assert all(later - earlier <= REPEAT_S for earlier, later in pairwise(times))


def test_every_sign_of_a_worker_that_keeps_its_usual_pace_passes_despite_jitter() -> None:
    desk = Desk(ann=PROJECT)
    for jitter in (0, -0.1, 0.1, -0.05, 0.15):
        desk.presence(sign())
        desk.wait(2 + jitter)
    assert len(desk.to("ann")) == 5


def test_a_change_of_a_worker_passes_at_once_and_many_are_thinned_to_the_last() -> None:
    desk = Desk(ann=PROJECT)
    desk.presence(sign())
    desk.wait(PACE_S + 0.01)
    desk.presence(sign(WorkerState.BUSY))
    assert [event.state for event in desk.to("ann")] == ["idle", "busy"]  # type: ignore[union-attr]
    for index in range(20):
        desk.presence(sign(detail=str(index)))
    desk.presence(sign(WorkerState.GONE))
    desk.wait(1)
    assert [event.state for event in desk.to("ann")] == ["idle", "busy", "gone"]  # type: ignore[union-attr]


# Bounds.


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    desk = Desk(remembered=2, ann=PROJECT)
    desk.status(*(changed(number, scene(SceneStatus.DONE, number=number)) for number in (1, 2)))
    desk.status(
        changed(3, scene(SceneStatus.DONE, number=1)),
        changed(4, scene(SceneStatus.DONE, number=3)),
    )
    desk.status(*(progress(0.5, number=number) for number in (1, 3, 2)))
    late = [event.sentence_id.int for event in desk.to("ann") if isinstance(event, SceneProgressed)]
    assert late == [2]


def test_pacing_forgets_what_has_passed() -> None:
    desk = Desk(ann=PROJECT)
    for number in range(1, 1000):
        desk.status(progress(0.5, number=number))
        desk.wait(0.1)
    assert len(desk.fanout._progress._passed) <= PACE_S / 0.1 + 1
