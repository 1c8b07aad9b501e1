"""Who is alive, by their signs of life. In memory: after a start it is known again within seconds."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from uuid import UUID

from shared.contracts.events import WorkerSeen, WorkerState
from shared.contracts.scene import Stage
from shared.logs import get_logger

MISSED = 3  #: signs of life that may be missing
SESSIONS = 16  #: of one name that are remembered
REMEMBERED_S = 600  #: why a worker could not start; after that nobody seems to try any more

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Sign:
    seen: WorkerSeen
    at: float


class Presence:
    """Read by request threads, written by the bus."""

    def __init__(self) -> None:
        self._signs: dict[str, _Sign] = {}
        self._sessions: dict[str, deque[UUID]] = {}  #: by name, in the order of their first signs
        self._twins: set[str] = set()  #: names that two processes use at the same time
        self._lock = threading.Lock()
        self._listening_since = time.monotonic()

    def seen(self, sign: WorkerSeen) -> bool:
        """Take note. True where a process is dead: it said so, or its worker came back under its name as a new one.

        A name proves nothing any more once an older process of it is heard of again: two that are alive, on
        machines of one name or with one WORKER_NAME, must not end each other's jobs.
        """
        with self._lock:
            sessions = self._sessions.setdefault(sign.name, deque(maxlen=SESSIONS))
            is_new = sign.session not in sessions
            if is_new:
                sessions.append(sign.session)
            if sign.state is WorkerState.GONE:
                before = self._signs.get(sign.name)
                if before and before.seen.session == sign.session:
                    del self._signs[sign.name]
                return False
            self._signs[sign.name] = _Sign(sign, time.monotonic())
            if not is_new and sign.session != sessions[-1] and sign.name not in self._twins:
                self._twins.add(sign.name)
                log.error("one_name_for_two_workers", worker=sign.name, do="give each its own WORKER_NAME")
            return sign.state is WorkerState.FAILED or (is_new and sign.name not in self._twins)

    def known(self) -> list[WorkerSeen]:
        """Workers heard of lately, and those that ended with a reason and did not come back; by name."""
        now = time.monotonic()
        with self._lock:
            signs = sorted(self._signs.values(), key=lambda sign: sign.seen.name)
        return [sign.seen for sign in signs if now - sign.at < _good_for_s(sign.seen)]

    def alive(self, stage: Stage) -> list[WorkerSeen]:
        """Those for `stage` that do, or soon will do, its jobs."""
        return [seen for seen in self.known() if seen.stage is stage and seen.state is not WorkerState.FAILED]

    def failed(self, stage: Stage) -> list[WorkerSeen]:
        """Those for `stage` that ended with a reason."""
        return [seen for seen in self.known() if seen.stage is stage and seen.state is WorkerState.FAILED]

    def restarted(self) -> None:
        """We were deaf until now, and must listen a while before we may say that somebody is missing."""
        self._listening_since = time.monotonic()

    def knows(self, every_s: float) -> bool:
        return time.monotonic() - self._listening_since > (MISSED + 1) * every_s


def _good_for_s(seen: WorkerSeen) -> float:
    return REMEMBERED_S if seen.state is WorkerState.FAILED else MISSED * seen.every_s
