"""Removes projects for good that were deleted long ago: the mark, then the files, then the rows.

Whoever dies in between leaves a project that is marked, which nobody sees any more; the next look goes on
with it. Rows go last, so that no file is forgotten.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prometheus_client import Counter

from services.coordinator.settings import CoordinatorSettings
from services.coordinator.store import collection
from services.coordinator.store.database import Database, Duty, Unavailable
from shared.artifacts import Artifacts
from shared.faults import crash_point
from shared.logs import get_logger

STEP = 200  #: files or rows at a time
PAUSE_S = 0.02  #: between steps, for everybody else who wants the database or the disk

log = get_logger(__name__)
collected_total = Counter("videogen_collected", "What was removed of projects deleted long ago", ["what"])


class Collector:
    """One of all coordinators at a time looks, every `collect_s`."""

    def __init__(self, database: Database, artifacts: Artifacts, settings: CoordinatorSettings) -> None:
        self._database = database
        self._artifacts = artifacts
        self._keep = timedelta(days=settings.keep_deleted_days)
        self._every_s = settings.collect_s

    async def run(self) -> None:
        while True:
            try:
                duty = await asyncio.to_thread(self._database.take_duty, "collect")
                if duty is not None:
                    try:
                        await self._turn(duty)
                    finally:
                        await asyncio.to_thread(duty.release)
            except Unavailable as error:
                log.error("collect_lost_database", error=str(error))
            await asyncio.sleep(self._every_s)

    async def _turn(self, duty: Duty) -> None:
        for project_id in await asyncio.to_thread(self._mark, duty):
            crash_point("collect.marked")
            try:
                files = await self._in_steps(self._remove_files, duty, project_id)
            except OSError as error:
                log.warning("collect_waits_for_storage", project_id=str(project_id), error=str(error))
                continue
            crash_point("collect.files_removed")
            rows = await self._in_steps(self._remove_rows, duty, project_id)
            collected_total.labels("files").inc(files)
            collected_total.labels("projects").inc()
            log.info("project_collected", project_id=str(project_id), files=files, rows=rows)

    async def _in_steps(self, step: Callable[[Duty, UUID], int], duty: Duty, project_id: UUID) -> int:
        total = 0
        while removed := await asyncio.to_thread(step, duty, project_id):
            total += removed
            await asyncio.sleep(PAUSE_S)
        return total

    def _mark(self, duty: Duty) -> list[UUID]:
        now = datetime.now(UTC)
        with duty.write() as connection:
            collection.mark(connection, now - self._keep, now)
            return list(collection.marked(connection))

    def _remove_files(self, duty: Duty, project_id: UUID) -> int:
        duty.check()
        removed = self._artifacts.remove_some(str(project_id), STEP)
        crash_point("collect.some_files_removed")
        return removed

    def _remove_rows(self, duty: Duty, project_id: UUID) -> int:
        with duty.write() as connection:
            removed = collection.remove_some(connection, project_id, STEP)
        crash_point("collect.some_rows_removed")
        return removed
