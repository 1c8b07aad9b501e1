"""The bus door: questions, results and signs of life come in here."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from pydantic import TypeAdapter

from services.coordinator.advance import Advance
from services.coordinator.presence import Presence
from services.coordinator.store import scenes
from services.coordinator.store.database import Unavailable
from shared.bus import Bus, BusUnavailable, Delivery, Unroutable
from shared.contracts.claims import Claim, Granted, Question, Refused, Renew, Renewed
from shared.contracts.events import Result, WorkerSeen, WorkerState
from shared.contracts.topology import OWN_PRESENCE, QUESTIONS, RESULTS
from shared.faults import crash_point
from shared.logs import get_logger

PREFETCH = 32
QUESTIONS_AT_ONCE = 4

log = get_logger(__name__)
T = TypeVar("T")


class Consumer:
    """Hands every message to `Advance`, and acknowledges it after the commit."""

    def __init__(
        self, bus: Bus, advance: Advance, presence: Presence, reconnected: Callable[[], None] = lambda: None
    ) -> None:
        self._bus = bus
        self._advance = advance
        self._presence = presence
        self._reconnected = reconnected  #: told whenever renewals may have been missed
        self.connected = False

    async def results(self) -> None:
        adapter: TypeAdapter[Result] = TypeAdapter(Result)
        reading = self._bus.deliveries(RESULTS, adapter, prefetch=PREFETCH, connected=self._connected, lost=self._lost)
        async for delivery in reading:
            crash_point("result.before_commit")
            await self._patiently(self._advance.result, delivery.message)
            crash_point("result.before_ack")
            await delivery.ack()

    async def questions(self) -> None:
        """Several at once: a claim must not wait behind another project's."""
        adapter: TypeAdapter[Claim | Renew] = TypeAdapter(Question)
        async with asyncio.TaskGroup() as group:
            limit = asyncio.Semaphore(QUESTIONS_AT_ONCE)
            async for delivery in self._bus.deliveries(
                QUESTIONS, adapter, prefetch=PREFETCH, connected=lambda _: self._reconnected()
            ):
                await limit.acquire()
                task = group.create_task(self._answer(delivery))
                task.add_done_callback(lambda _: limit.release())

    async def _answer(self, delivery: Delivery[Claim | Renew]) -> None:
        question = delivery.message
        try:
            answer = await asyncio.to_thread(self._decide, question)
            crash_point("question.before_answer")
        except Unavailable as error:
            # Unanswered, the worker holds its message and asks again.
            log.error("question_unanswered", error=str(error))
        else:
            if delivery.reply_to:
                with suppress(BusUnavailable, Unroutable):
                    await self._bus.publish(
                        answer, confirm=False, address=delivery.reply_to, correlation_id=delivery.correlation_id
                    )
        await delivery.ack()

    def _decide(self, question: Claim | Renew) -> Granted | Refused | Renewed:
        return self._advance.claim(question) if isinstance(question, Claim) else self._advance.renew(question)

    async def presence(self) -> None:
        adapter = TypeAdapter(WorkerSeen)
        reading = self._bus.deliveries(
            OWN_PRESENCE, adapter, prefetch=0, connected=lambda _: self._presence.restarted()
        )
        async for delivery in reading:
            sign = delivery.message
            if self._presence.seen(sign):
                await self._patiently(self._take_back_from_dead, sign)

    def _take_back_from_dead(self, sign: WorkerSeen) -> None:
        """A process that has failed was doing what it will not end, and so was one whose name has a new process."""
        failed = sign.state is WorkerState.FAILED
        with self._advance.database.read() as connection:
            lost = [
                row
                for row in scenes.running(connection)
                if row.worker == sign.name and (row.session == sign.session) is failed
            ]
        for row in lost:
            self._advance.take_back(row.project_id, [(row.id, row.attempt)])

    async def _patiently(self, do: Callable[[T], object], message: T) -> None:
        """Until the database answers: what a worker made must not be lost to a restart of it."""
        delay = 0.1
        while True:
            try:
                await asyncio.to_thread(do, message)
            except Unavailable as error:
                log.error("waiting_for_database", error=str(error), retry_s=round(delay, 1))
                await asyncio.sleep(random.uniform(0.05, delay))  # noqa: S311
                delay = min(delay * 2, 5)
            else:
                return

    def _connected(self, _: str) -> None:
        self.connected = True
        self._reconnected()

    def _lost(self) -> None:
        self.connected = False
