"""Takes the messages of cancelled and paused runs off the shared queues. Hygiene: claims refuse them anyway.

`purge_pending` stays in the database until a pass was clean, so a killed purger costs nothing.
"""

import asyncio
from contextlib import suppress
from uuid import UUID

from prometheus_client import Counter

from services.coordinator.store import scenes
from services.coordinator.store.database import Database, Duty, Unavailable
from shared.bus import Bus, BusUnavailable, Unroutable
from shared.contracts.topology import JOB_QUEUES
from shared.logs import get_logger

POLL_S = 1.0
DEADLINE_S = 5.0

log = get_logger(__name__)
purged_total = Counter("videogen_purged", "Messages taken off a queue because their run was stopped", ["queue"])


class Purger:
    """One of all coordinators purges, one queue at a time, all stopped runs in one pass."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # The loop has ended; the flag in the database stays.
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        while True:
            try:
                duty = await asyncio.to_thread(self._database.take_duty, "purge")
                if duty is None:
                    await asyncio.sleep(POLL_S)
                    continue
                try:
                    while True:
                        await self._turn(duty)
                finally:
                    await asyncio.to_thread(duty.release)
            except Unavailable as error:
                log.error("purge_lost_database", error=str(error))
                await asyncio.sleep(POLL_S)

    async def _turn(self, duty: Duty) -> None:
        self._wake.clear()
        pending = await asyncio.to_thread(self._pending, duty)
        if pending:
            try:
                if await self._purge(pending):
                    await asyncio.to_thread(self._clear, duty, pending)
                    return
            except (BusUnavailable, Unroutable) as error:
                log.warning("purge_waits_for_broker", error=str(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()

    async def _purge(self, pending: list[UUID]) -> bool:
        wanted = {str(run_id) for run_id in pending}
        all_clean = True
        for queue in JOB_QUEUES.values():
            taken, clean = await self._bus.take_out(queue, wanted.__contains__, deadline_s=DEADLINE_S)
            purged_total.labels(queue.name).inc(taken)
            all_clean = all_clean and clean
            if taken:
                log.info("purged", queue=queue.name, messages=taken)
        return all_clean

    def _pending(self, duty: Duty) -> list[UUID]:
        with duty.write() as connection:
            return scenes.runs_to_purge(connection)

    def _clear(self, duty: Duty, run_ids: list[UUID]) -> None:
        with duty.write() as connection:
            scenes.clear_purge(connection, run_ids)
