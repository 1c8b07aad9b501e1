"""The relay: what was decided goes to the broker, is confirmed, and only then forgotten."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from prometheus_client import Counter, Gauge
from pydantic import Field, TypeAdapter, ValidationError

from services.coordinator.store import outbox
from services.coordinator.store.database import Database, Duty, Unavailable
from services.coordinator.store.outbox import Sent
from shared.bus import Bus, BusUnavailable, Unroutable
from shared.contracts.commands import GenerateImage, GenerateVideo, Stop
from shared.contracts.events import RunChanged, SceneChanged, StoryboardChanged
from shared.faults import crash_point
from shared.logs import get_logger

BATCH = 100
POLL_S = 0.5  #: between two looks
ASK_S = 0.2  #: between two requests for the duty; less than `POLL_S`, since what is confirmed is forgotten then
EVERY_ROW = 2**63 - 1
FIRST_S = 0.001  #: for the answer to the worker whose claim was just granted: it waits, browsers do not
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
    """Each coordinator publishes what it commits; one of them also what was left behind.

    That is what stays in the outbox from one look to the next: who committed it is gone, or cannot reach the broker.
    """

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._handed: list[Sent] = []  #: committed by this coordinator a moment ago
        self._confirmed: set[int] = set()  #: rows the broker has; forgotten together, since every commit costs
        self._settled = EVERY_ROW  #: rows up to this one have had the time to be published
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def hand_over(self, sent: Sequence[Sent]) -> None:
        """From any thread, after the commit."""
        with suppress(RuntimeError):  # The loop has ended: nothing is lost, it is found after the next start.
            self._loop.call_soon_threadsafe(self._take, sent)

    def _take(self, sent: Sequence[Sent]) -> None:
        self._handed.extend(sent)
        self._wake.set()

    async def run(self) -> None:
        """Relay for ever; look for what was left behind while the database gives us the duty."""
        while True:
            try:
                duty = await asyncio.to_thread(self._database.take_duty, "relay")
                try:
                    await self._relay(duty)
                finally:
                    await asyncio.to_thread(self._end, duty)
            except Unavailable as error:
                log.error("relay_lost_database", error=str(error))
                await asyncio.sleep(1)

    async def _relay(self, duty: Duty | None) -> None:
        """For ever; without the duty until it is time to ask for it again."""
        delay, look_at = 0.1, 0.0 if duty else self._loop.time() + ASK_S
        self._settled = EVERY_ROW
        while True:
            if len(self._confirmed) >= BATCH:
                await asyncio.to_thread(self._forget, duty)
            looks = self._loop.time() >= look_at
            if looks and duty is None:
                return
            todo, self._handed = self._handed[:BATCH], self._handed[BATCH:]
            todo = [sent for sent in todo if sent.id not in self._confirmed]
            if looks and duty:
                mine = self._confirmed.union(sent.id for sent in (*todo, *self._handed))
                left = await asyncio.to_thread(self._look, duty, mine)
                todo.extend(sent for row in left if (sent := self._read(row)))
                look_at = self._loop.time() + (POLL_S if len(left) < BATCH else 0)
            outcomes = await asyncio.gather(*(self._publish(sent) for sent in todo))
            self._confirmed.update(sent.id for sent, outcome in zip(todo, outcomes, strict=True) if outcome is None)
            unroutable = [sent.id for sent, outcome in zip(todo, outcomes, strict=True) if outcome == "unroutable"]
            if unroutable:
                await asyncio.to_thread(self._note_failed, duty, unroutable)
            if any(outcomes):
                await asyncio.to_thread(self._forget, duty)
                self._handed.clear()  # The outbox has them, too, and everybody is in the same trouble.
                self._settled = EVERY_ROW
                await asyncio.sleep(delay)
                delay, look_at = min(delay * 2, 2), 0.0
            else:
                delay = 0.1
                if not self._handed:
                    await self._rest(duty, look_at)

    async def _rest(self, duty: Duty | None, look_at: float) -> None:
        """Until something is handed over, or it is time to look."""
        quiet_until = self._loop.time() + QUIET_S
        try:
            async with asyncio.timeout_at(min(quiet_until, look_at) if self._confirmed else look_at):
                await self._wake.wait()
        except TimeoutError:
            await asyncio.to_thread(self._forget, duty)
        else:
            await asyncio.sleep(FIRST_S)
        self._wake.clear()

    def _look(self, duty: Duty, mine: set[int]) -> list[Any]:
        """What was left behind; a read, which holds nobody up."""
        with duty.read() as connection:
            oldest = outbox.oldest(connection, BATCH + len(mine), self._settled)
            length, since, newest = outbox.backlog(connection)
        self._settled = newest
        length_gauge.set(length)
        age_gauge.set((datetime.now(UTC) - since).total_seconds() if since else 0)
        return [row for row in oldest if row.id not in mine]

    def _read(self, row: Any) -> Sent | None:
        try:
            return Sent(row.id, _OUTGOING.validate_json(row.payload), row.payload)
        except ValidationError as error:
            # Written by another version of this program. Kept from blocking the rest, and from being silent.
            log.error("outbox_row_unreadable", kind=row.kind, payload=row.payload[:500], error=str(error)[:500])
            published_total.labels("unreadable").inc()
            self._confirmed.add(row.id)
            return None

    def _forget(self, duty: Duty | None) -> None:
        """Whatever dies before this: the messages are published twice, which claims and versions make harmless."""
        if self._confirmed:
            with (duty or self._database).write() as connection:
                outbox.confirmed(connection, list(self._confirmed))
            self._confirmed.clear()

    def _end(self, duty: Duty | None) -> None:
        with suppress(*Unavailable):
            self._forget(duty)
        if duty:
            length_gauge.set(0)  # Another coordinator counts from now on.
            age_gauge.set(0)
            duty.release()

    def _note_failed(self, duty: Duty | None, ids: list[int]) -> None:
        with (duty or self._database).write() as connection:
            outbox.failed(connection, ids)

    async def _publish(self, sent: Sent) -> str | None:
        """None once the broker has it."""
        kind = getattr(sent.message, "type", "")
        try:
            crash_point("relay.before_publish")
            await self._bus.publish(sent.message, body=sent.payload.encode())
            crash_point("relay.after_publish")
        except Unroutable:
            log.warning("outbox_unroutable", kind=kind)
            return "unroutable"
        except BusUnavailable as error:
            log.warning("outbox_waits_for_broker", error=str(error))
            return "unavailable"
        published_total.labels(kind).inc()
        return None
