"""Who is alive, by their signs of life. In memory: after a start it is known again within seconds."""

import threading
import time
from dataclasses import dataclass

from shared.contracts.events import WorkerSeen, WorkerState
from shared.contracts.scene import Stage

MISSED = 3  #: signs of life that may be missing


@dataclass(frozen=True, slots=True)
class _Sign:
    seen: WorkerSeen
    at: float


class Presence:
    """Read by request threads, written by the bus."""

    def __init__(self) -> None:
        self._signs: dict[str, _Sign] = {}
        self._lock = threading.Lock()
        self._listening_since = time.monotonic()

    def seen(self, sign: WorkerSeen) -> bool:
        """Take note. True where a worker came back under its name as a new process: the old one is dead."""
        with self._lock:
            before = self._signs.get(sign.name)
            if sign.state is WorkerState.GONE:
                if before and before.seen.session == sign.session:
                    del self._signs[sign.name]
                return False
            self._signs[sign.name] = _Sign(sign, time.monotonic())
            return before is None or before.seen.session != sign.session

    def alive(self, stage: Stage | None = None) -> list[WorkerSeen]:
        """Workers heard of lately, by name."""
        now = time.monotonic()
        with self._lock:
            signs = sorted(self._signs.values(), key=lambda sign: sign.seen.name)
        alive = [sign.seen for sign in signs if now - sign.at < MISSED * sign.seen.every_s]
        return [seen for seen in alive if stage is None or seen.stage is stage]

    def restarted(self) -> None:
        """We were deaf until now, and must listen a while before we may say that somebody is missing."""
        self._listening_since = time.monotonic()

    def knows(self, every_s: float) -> bool:
        return time.monotonic() - self._listening_since > (MISSED + 1) * every_s
