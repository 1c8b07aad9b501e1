"""The open sockets: the only file that writes to them, and the one that cuts off those who do not read."""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from prometheus_client import Counter, Gauge, Histogram
from websockets.asyncio.server import ServerConnection, broadcast

from services.notifier.fanout import Fanout, Sending
from shared.contracts.events import BrowserEvent, SceneChanged, ScenePreviewed, Status, WorkerSeen
from shared.logs import get_logger

TICK_S = 0.05  #: how late something that waits may be
SWEEP_S = 1.0  #: between looks at sockets nobody sends anything to

log = get_logger(__name__)
sockets_gauge = Gauge("videogen_notifier_sockets", "Open sockets")
events_total = Counter("videogen_notifier_events", "Events sent to at least one socket", ["type"])
deliveries_total = Counter("videogen_notifier_deliveries", "Events times the sockets they were sent to")
bytes_total = Counter("videogen_notifier_bytes", "Bytes of events times the sockets they were sent to")
resyncs_total = Counter("videogen_notifier_resyncs", "Times when events may have been missed", ["reason"])
evictions_total = Counter("videogen_notifier_evictions", "Sockets that were cut off", ["reason"])
broadcast_seconds = Histogram(
    "videogen_notifier_broadcast_seconds",
    "To hand one event to all of its sockets",
    buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1),
)
lag_seconds = Histogram(
    "videogen_notifier_lag_seconds",
    "From the commit of a scene's change to its sockets, by the clocks of both machines",
    buckets=(0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60),
)


class Connections:
    """Sockets by project. Everything is sent without waiting for anybody."""

    def __init__(self, max_unsent_bytes: int) -> None:
        self._max_unsent_bytes = max_unsent_bytes
        self._fanout: Fanout[ServerConnection] = Fanout()
        self._projects: dict[ServerConnection, UUID] = {}
        self._waiting = asyncio.Event()  #: time will bring something to send

    def __len__(self) -> int:
        return len(self._projects)

    def add(self, project_id: UUID, socket: ServerConnection) -> None:
        self._projects[socket] = project_id
        self._fanout.join(project_id, socket)
        sockets_gauge.set(len(self))

    def discard(self, socket: ServerConnection) -> None:
        """Also for one that is gone already."""
        project_id = self._projects.pop(socket, None)
        if project_id is not None:
            self._fanout.leave(project_id, socket)
            sockets_gauge.set(len(self))

    def status(self, event: Status) -> None:
        self._send(self._fanout.status(event, time.monotonic()))

    def presence(self, seen: WorkerSeen) -> None:
        self._send(self._fanout.presence(seen, time.monotonic()))

    def reconnected(self) -> None:
        """The bus can be heard again, or for the first time."""
        sendings = self._fanout.reconnected()
        resyncs_total.labels("connected").inc(len(sendings))
        self._send(sendings)

    async def keep_time(self) -> None:
        """Send what had to wait; run it as a task."""
        while True:
            await self._waiting.wait()
            await asyncio.sleep(TICK_S)
            sendings = self._fanout.due(time.monotonic())
            resyncs_total.labels("gap").inc(sum(sending.event.type == "resync" for sending in sendings))
            self._waiting.clear()
            self._send(sendings)

    async def sweep(self) -> None:
        """Cut off sockets that take no answers to their own pings; run it as a task."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self._without_slow(tuple(self._projects))

    def _send(self, sendings: Iterable[Sending[ServerConnection]]) -> None:
        for sending in sendings:
            # Before an event and not after it: right after a large one even the quickest reader has it unsent.
            to = self._without_slow(sending.to)
            if isinstance(sending.event, ScenePreviewed):
                # Who has not read yet what came before gets a later one: pictures must not pile up.
                to = [socket for socket in to if not socket.transport.get_write_buffer_size()]
            data = sending.event.model_dump_json().encode()
            with broadcast_seconds.time():
                broadcast(to, data, text=True)
            events_total.labels(sending.event.type).inc()
            deliveries_total.inc(len(to))
            bytes_total.inc(len(data) * len(to))
            _observe_lag(sending.event)
        if self._fanout.waiting:
            self._waiting.set()

    def _without_slow(self, sockets: Iterable[ServerConnection]) -> list[ServerConnection]:
        """Cut off those that have too much unsent; return the others."""
        kept = []
        for socket in sockets:
            unsent = socket.transport.get_write_buffer_size()
            if unsent <= self._max_unsent_bytes:
                kept.append(socket)
                continue
            evictions_total.labels("slow").inc()
            log.warning("socket_evicted", project_id=str(self._projects.get(socket)), unsent_bytes=unsent)
            # Anything gentler waits for a reader that does not read.
            socket.transport.abort()
            self.discard(socket)
        return kept


def _observe_lag(event: BrowserEvent) -> None:
    if isinstance(event, SceneChanged):
        times = [scene.changed_at for scene in event.scenes if scene.changed_at]
        if times:
            lag_seconds.observe(max(0.0, (datetime.now(UTC) - max(times)).total_seconds()))
