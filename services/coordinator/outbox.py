"""The relay: what was decided goes to the broker, is confirmed, and only then forgotten."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from prometheus_client import Counter, Gauge
from pydantic import Field, TypeAdapter, ValidationError

from services.coordinator.store import outbox
from services.coordinator.store.database import Database, Duty, Unavailable
from shared.bus import Bus, BusUnavailable, Unroutable
from shared.contracts.commands import GenerateImage, GenerateVideo, Stop
from shared.contracts.events import RunChanged, SceneChanged, StoryboardChanged
from shared.faults import crash_point
from shared.logs import get_logger

BATCH = 100
POLL_S = 0.5
QUIET_S = 0.05  #: without anything new, after which confirmed messages are forgotten

log = get_logger(__name__)
age_gauge = Gauge("videogen_outbox_age_seconds", "Age of the oldest message not yet confirmed")
length_gauge = Gauge("videogen_outbox_messages", "Messages not yet confirmed")
published_total = Counter("videogen_outbox_published", "Messages confirmed by the broker", ["kind"])

Outgoing = Annotated[
    GenerateImage | GenerateVideo | Stop | SceneChanged | RunChanged | StoryboardChanged, Field(discriminator="type")
]
_OUTGOING: TypeAdapter[Any] = TypeAdapter(Outgoing)


class Relay:
    """One of all coordinators publishes; `wake` spares it the wait for its next look."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._confirmed: set[int] = set()  #: rows the broker has; forgotten together, since every commit costs
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # The loop has ended: nothing is lost, it is read after the next start.
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Relay for ever; hold the duty as long as the database lets us."""
        while True:
            try:
                duty = await asyncio.to_thread(self._database.take_duty, "relay")
                if duty is None:
                    await asyncio.sleep(POLL_S)
                    continue
                try:
                    await self._relay(duty)
                finally:
                    await asyncio.to_thread(self._end, duty)
            except Unavailable as error:
                log.error("relay_lost_database", error=str(error))
                await asyncio.sleep(1)

    async def _relay(self, duty: Duty) -> None:
        delay = 0.1
        rows: list[Any] = []
        self._wake.set()  # There may be something that nobody has relayed yet.
        while True:
            if len(rows) < BATCH:
                await self._rest(duty)
            self._wake.clear()
            rows = await asyncio.to_thread(self._next, duty)
            outcomes = await asyncio.gather(*(self._publish(row) for row in rows))
            self._confirmed.update(row.id for row, outcome in zip(rows, outcomes, strict=True) if outcome is None)
            unroutable = [row.id for row, outcome in zip(rows, outcomes, strict=True) if outcome == "unroutable"]
            if unroutable:
                await asyncio.to_thread(self._note_failed, duty, unroutable)
            if any(outcomes):
                await asyncio.to_thread(self._forget, duty)
                await asyncio.sleep(delay)
                self._wake.set()
                delay = min(delay * 2, 2)
            else:
                delay = 0.1

    async def _rest(self, duty: Duty) -> None:
        """Until there is something new, or it is time to look by oneself."""
        try:
            async with asyncio.timeout(QUIET_S if self._confirmed else POLL_S):
                await self._wake.wait()
        except TimeoutError:
            await asyncio.to_thread(self._forget, duty)

    def _next(self, duty: Duty) -> list[Any]:
        """What waits; a read, which holds nobody up."""
        if len(self._confirmed) >= BATCH:
            self._forget(duty)
        with duty.read() as connection:
            oldest = outbox.oldest(connection, BATCH + len(self._confirmed))
        rows = [row for row in oldest if row.id not in self._confirmed]
        length_gauge.set(len(rows))
        age_gauge.set(max(((datetime.now(UTC) - row.created_at).total_seconds() for row in rows), default=0))
        return rows

    def _forget(self, duty: Duty) -> None:
        """Whatever dies before this: the messages are published twice, which claims and versions make harmless."""
        if self._confirmed:
            with duty.write() as connection:
                outbox.confirmed(connection, list(self._confirmed))
            self._confirmed.clear()

    def _end(self, duty: Duty) -> None:
        with suppress(*Unavailable):
            self._forget(duty)
        duty.release()

    def _note_failed(self, duty: Duty, ids: list[int]) -> None:
        with duty.write() as connection:
            outbox.failed(connection, ids)

    async def _publish(self, row: Any) -> str | None:
        """None once it is dealt with."""
        try:
            message = _OUTGOING.validate_json(row.payload)
        except ValidationError as error:
            # Written by another version of this program. Kept from blocking the rest, and from being silent.
            log.error("outbox_row_unreadable", kind=row.kind, payload=row.payload[:500], error=str(error)[:500])
            published_total.labels("unreadable").inc()
            return None
        try:
            crash_point("relay.before_publish")
            await self._bus.publish(message)
            crash_point("relay.after_publish")
        except Unroutable:
            log.warning("outbox_unroutable", kind=row.kind, failures=row.failures)
            return "unroutable"
        except BusUnavailable as error:
            log.warning("outbox_waits_for_broker", error=str(error))
            return "unavailable"
        published_total.labels(row.kind).inc()
        return None
