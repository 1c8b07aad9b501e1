"""Silence and lost messages, judged by our own ticks and nobody's clock."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from services.coordinator.leases import Leases, LostMessages
from shared.contracts.scene import Stage

SAME = UUID(int=1)


@dataclass
class Running:
    beat: int = 0
    contested: bool = False
    attempt: int = 1
    id: UUID = SAME


@dataclass
class Queued:
    queued_at_us: int = 100
    attempt: int = 1
    stage: str = "image"
    id: UUID = SAME


def ticks_until_lost(leases: Leases, row: Running, most: int = 50) -> int:
    for tick in range(1, most):
        if leases.tick([row]):
            return tick
    raise AssertionError("never lost")


def test_a_silent_job_is_lost_after_six_ticks() -> None:
    # The first look only takes note of the beat.
    assert ticks_until_lost(Leases(6, 2), Running()) == 7


def test_a_contested_silent_job_is_lost_after_two() -> None:
    assert ticks_until_lost(Leases(6, 2), Running(contested=True)) == 3


def test_a_beat_starts_the_count_anew() -> None:
    leases, row = Leases(3, 2), Running()
    for _ in range(20):
        assert not leases.tick([row])
        assert not leases.tick([row])
        row.beat += 1
    assert ticks_until_lost(leases, row) == 4


def test_a_new_attempt_has_a_lease_of_its_own() -> None:
    leases = Leases(3, 2)
    for attempt in range(1, 5):
        row = Running(attempt=attempt)
        assert [bool(leases.tick([row])) for _ in range(3)] == [False] * 3


def test_a_restart_forgives_all_silence_so_far() -> None:
    leases, row = Leases(3, 2), Running()
    for _ in range(10):
        assert not leases.tick([row])
        assert not leases.tick([row])
        leases.restart()


def test_what_no_longer_runs_is_forgotten() -> None:
    leases, row = Leases(3, 2), Running()
    leases.tick([row])
    leases.tick([row])
    leases.tick([])
    assert ticks_until_lost(leases, row) == 4


EMPTY = dict.fromkeys(Stage, 0)


def test_a_queued_job_on_an_empty_queue_is_published_again_after_two_ticks() -> None:
    lost = LostMessages(2)
    row = Queued()
    assert [lost.tick([row], set(), EMPTY, {}) for _ in range(3)] == [[], [], [row]]


def test_a_job_published_again_gets_its_time_once_more() -> None:
    lost = LostMessages(2)
    for published in range(5):
        row = Queued(queued_at_us=published)
        assert [bool(lost.tick([row], set(), EMPTY, {})) for _ in range(3)] == [False, False, True]


def test_a_job_on_a_queue_that_holds_messages_is_left_alone() -> None:
    lost = LostMessages(2)
    assert not any(lost.tick([Queued()], set(), {Stage.IMAGE: 1, Stage.VIDEO: 0}, {}) for _ in range(20))


def test_a_job_that_a_younger_one_has_overtaken_is_lost_although_its_queue_is_full() -> None:
    lost = LostMessages(2)
    ready = {Stage.IMAGE: 30, Stage.VIDEO: 0}
    old, young = Queued(queued_at_us=100), Queued(queued_at_us=900, id=uuid4())
    answers = [lost.tick([old, young], set(), ready, {Stage.IMAGE: 500}) for _ in range(3)]
    assert answers == [[], [], [old]]


def test_a_job_that_has_not_left_the_outbox_is_not_lost() -> None:
    lost = LostMessages(2)
    row = Queued()
    assert not any(lost.tick([row], {row.id}, EMPTY, {}) for _ in range(20))


def test_a_message_that_shows_up_starts_the_count_anew() -> None:
    lost = LostMessages(2)
    row = Queued()
    for _ in range(5):
        assert not lost.tick([row], set(), EMPTY, {})
        assert not lost.tick([row], set(), EMPTY, {})
        assert not lost.tick([row], set(), {Stage.IMAGE: 1, Stage.VIDEO: 0}, {})
