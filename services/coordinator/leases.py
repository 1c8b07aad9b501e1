"""What time brings: silent workers, lost messages, room on the queues, a full disk.

Nothing here compares clocks of two machines. A lease is alive while its beat moves between our own
ticks; a tick that comes late counts as one, so a laptop's sleep kills no healthy job.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from prometheus_client import Gauge

from services.coordinator.advance import Advance
from services.coordinator.errors import NotFound
from services.coordinator.presence import Presence
from services.coordinator.settings import CoordinatorSettings
from services.coordinator.store import outbox, scenes
from services.coordinator.store.database import Unavailable
from shared.artifacts import Artifacts
from shared.bus import Bus, BusUnavailable, Unroutable
from shared.contracts.run import Cause, Notice, RunStatus
from shared.contracts.scene import Stage
from shared.contracts.topology import JOB_QUEUES
from shared.logs import get_logger

log = get_logger(__name__)
depth_gauge = Gauge("videogen_scenes", "Scenes of active runs", ["stage", "status"])
free_gauge = Gauge("videogen_disk_free_bytes", "Free disk where artifacts go")


@dataclass(slots=True)
class Leases:
    """Silent ticks of every running job. Pure: fed with rows, tells which are lost."""

    ticks: int
    contested_ticks: int
    _silent: dict[tuple[UUID, int], tuple[int, int]] = field(default_factory=dict)  #: (scene, attempt): beat, ticks

    def restart(self) -> None:
        """Count anew: we may have been the ones who were silent."""
        self._silent.clear()

    def tick(self, running: Iterable[Any]) -> list[Any]:
        """Rows whose beat has not moved for too many ticks."""
        before, self._silent = self._silent, {}
        lost = []
        for row in running:
            key = (row.id, row.attempt)
            beat, silent = before.get(key, (row.beat, -1))
            silent = silent + 1 if beat == row.beat else 0
            self._silent[key] = (row.beat, silent)
            if silent >= (self.contested_ticks if row.contested else self.ticks):
                lost.append(row)
        return lost


@dataclass(slots=True)
class LostMessages:
    """Queued scenes whose message the broker no longer has. Pure: fed with rows and counts.

    Gone is a message when its queue was empty for some ticks, or when a job that was queued after it
    has been claimed for as long.
    """

    ticks: int
    _waited: dict[tuple[UUID, int, int], int] = field(default_factory=dict)  #: (scene, attempt, queued at): ticks

    def tick(
        self, queued: Iterable[Any], unsent: set[UUID], ready: dict[Stage, int], claimed: dict[Stage, int]
    ) -> list[Any]:
        """Rows to publish again."""
        before, self._waited = self._waited, {}
        lost = []
        for row in queued:
            if row.id in unsent:
                continue
            stage = Stage(row.stage)
            overtaken = row.queued_at_us < claimed.get(stage, 0)
            if ready[stage] and not overtaken:
                continue
            key = (row.id, row.attempt, row.queued_at_us)
            waited = before.get(key, 0) + 1
            if waited > self.ticks:
                lost.append(row)
            else:
                self._waited[key] = waited
        return lost


class Ticks:
    """Runs the looks at their periods, on one of all coordinators."""

    def __init__(
        self, bus: Bus, advance: Advance, presence: Presence, artifacts: Artifacts, settings: CoordinatorSettings
    ) -> None:
        self._bus = bus
        self._advance = advance
        self._presence = presence
        self._artifacts = artifacts
        self._settings = settings
        self._leases = Leases(settings.lease_ticks, settings.contested_ticks)
        self._messages = LostMessages(settings.lost_ticks)

    def restart(self) -> None:
        """The bus came back: renewals may have been lost, so silence so far proves nothing."""
        self._leases.restart()

    async def run(self) -> None:
        while True:
            try:
                duty = await asyncio.to_thread(self._advance.database.take_duty, "ticks")
                if duty is None:
                    self._advance.hold = await asyncio.to_thread(self._disk_notice)
                    await asyncio.sleep(self._settings.tick_s)
                    continue
                self._leases.restart()
                try:
                    while True:
                        await asyncio.to_thread(duty.check)
                        await self._turn()
                finally:
                    depth_gauge.clear()  # Another coordinator counts from now on.
                    await asyncio.to_thread(duty.release)
            except Unavailable as error:
                log.error("ticks_lost_database", error=str(error))
                await asyncio.sleep(1)

    async def _turn(self) -> None:
        """One lease tick, with the short ticks before it."""
        short = max(1, round(self._settings.lease_tick_s / self._settings.tick_s))
        for _ in range(short):
            await asyncio.to_thread(self._top_up)
            await asyncio.sleep(self._settings.lease_tick_s / short)
        await asyncio.to_thread(self._look_at_leases)
        await self._look_for_lost_messages()

    def _top_up(self) -> None:
        """Look at disk and workers, fill windows, and tell creators what holds their runs up."""
        hold = self._disk_notice()
        self._advance.hold = hold
        with self._advance.database.read() as connection:
            rows = [
                (row, scenes.counters(connection, row.id))
                for row in scenes.active_runs(connection)
                if row.status == RunStatus.RUNNING.value
            ]
        depths: Counter[tuple[str, str]] = Counter()
        for row, counted in rows:
            for stage, count in ((Stage.IMAGE, counted.images), (Stage.VIDEO, counted.videos)):
                for status in ("waiting", "queued", "running"):
                    depths[stage.value, status] += getattr(count, status)
            notice = hold or self._missing_worker(counted.images.queued, counted.videos.queued)
            told = notice.model_dump_json() if notice else None
            if told != row.notice or counted.images.waiting or counted.videos.waiting:
                try:
                    self._advance.top_up(row.project_id, row.id, notice)
                except NotFound:
                    continue
        for stage in Stage:
            for status in ("waiting", "queued", "running"):
                depth_gauge.labels(stage.value, status).set(depths[stage.value, status])

    def _disk_notice(self) -> Notice | None:
        try:
            free = self._artifacts.free_bytes()
        except OSError as error:  # Such as a network drive that went away.
            log.error("disk_not_read", error=str(error))
            return Notice(
                cause=Cause.DISK_FULL,
                message=f"The disk for images and videos cannot be read ({error.strerror}); "
                "the run goes on by itself once it can.",
            )
        if free is None:
            return None
        free_gauge.set(free)
        if free >= self._settings.min_free_bytes:
            return None
        return Notice(
            cause=Cause.DISK_FULL,
            message=f"Only {free >> 20} MiB of disk are free for images and videos; "
            f"free {self._settings.min_free_bytes >> 20} MiB and the run goes on by itself.",
        )

    def _missing_worker(self, images_queued: int, videos_queued: int) -> Notice | None:
        if not self._presence.knows(self._settings.presence_s):
            return None
        for stage, queued, cause in (
            (Stage.IMAGE, images_queued, Cause.NO_IMAGE_WORKER),
            (Stage.VIDEO, videos_queued, Cause.NO_VIDEO_WORKER),
        ):
            if queued and not self._presence.alive(stage):
                failed = self._presence.failed(stage)
                message = (
                    f"The {stage} worker does not run: {failed[0].detail}"
                    if failed
                    else f"No {stage} worker is running. Start one; the run goes on by itself."
                )
                return Notice(cause=cause, message=message)
        return None

    def _look_at_leases(self) -> None:
        with self._advance.database.read() as connection:
            lost = self._leases.tick(scenes.running(connection))
        for row in lost:
            self._advance.take_back(row.project_id, [(row.id, row.attempt)])

    async def _look_for_lost_messages(self) -> None:
        try:
            counts = await self._bus.ready_counts(list(JOB_QUEUES.values()))
        except (BusUnavailable, Unroutable) as error:
            log.warning("queues_not_counted", error=str(error))
            self._leases.restart()
            return
        ready = {stage: counts[str(queue.name)] for stage, queue in JOB_QUEUES.items()}
        await asyncio.to_thread(self._publish_lost, ready)

    def _publish_lost(self, ready: dict[Stage, int]) -> None:
        with self._advance.database.read() as connection:
            lost = self._messages.tick(
                scenes.queued(connection),
                outbox.scenes_with_jobs(connection),
                ready,
                scenes.last_claimed(connection),
            )
        for project_id in {row.project_id for row in lost}:
            again = [(row.id, row.attempt) for row in lost if row.project_id == project_id]
            self._advance.publish_again(project_id, again)
