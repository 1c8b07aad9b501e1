"""Who is alive, as the coordinator knows it by their signs of life."""

from uuid import UUID

from services.coordinator.presence import Presence
from shared.contracts.events import WorkerSeen, WorkerState
from shared.contracts.scene import Stage


def sign(state: WorkerState, *, session: int = 1, stage: Stage = Stage.IMAGE, every_s: float = 60) -> WorkerSeen:
    return WorkerSeen(
        name=f"{stage}@studio",
        session=UUID(int=session),
        stage=stage,
        generator="animatic",
        state=state,
        detail="why",
        every_s=every_s,
    )


def test_a_new_process_under_a_name_tells_that_the_old_one_is_dead() -> None:
    presence = Presence()
    assert presence.seen(sign(WorkerState.STARTING))
    assert not presence.seen(sign(WorkerState.IDLE))
    assert presence.seen(sign(WorkerState.STARTING, session=2))


def test_who_failed_is_known_with_its_reason_and_makes_nothing() -> None:
    presence = Presence()
    presence.seen(sign(WorkerState.BUSY))
    assert presence.seen(sign(WorkerState.FAILED)), "what it was doing has to be taken back"
    assert presence.alive(Stage.IMAGE) == []
    assert [seen.detail for seen in presence.failed(Stage.IMAGE)] == ["why"]
    assert presence.failed(Stage.VIDEO) == []
    presence.seen(sign(WorkerState.STARTING, session=2))
    assert len(presence.alive(Stage.IMAGE)) == len(presence.known()) == 1
    assert presence.failed(Stage.IMAGE) == []


def test_a_reason_outlasts_the_signs_of_life_that_will_not_come() -> None:
    presence = Presence()
    presence.seen(sign(WorkerState.FAILED, every_s=1e-9))
    presence.seen(sign(WorkerState.IDLE, stage=Stage.VIDEO, every_s=1e-9))
    assert [seen.stage for seen in presence.known()] == [Stage.IMAGE]


def test_who_leaves_in_order_is_forgotten() -> None:
    presence = Presence()
    presence.seen(sign(WorkerState.IDLE))
    assert not presence.seen(sign(WorkerState.GONE))
    assert presence.known() == []


def test_two_that_live_under_one_name_do_not_tell_that_the_other_is_dead() -> None:
    presence = Presence()
    first, second = sign(WorkerState.BUSY), sign(WorkerState.BUSY, session=2)
    presence.seen(first)
    assert presence.seen(second), "nobody can know yet"
    assert [presence.seen(one) for _ in range(20) for one in (first, second)] == [False] * 40
    assert not presence.seen(sign(WorkerState.STARTING, session=3)), "which of the two has come back?"
    assert presence.seen(sign(WorkerState.FAILED, session=3)), "who says so itself is believed"
