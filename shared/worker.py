"""The loop around a generator: take, claim, generate, store, report, acknowledge.

One job at a time. The event loop stays free while the generator works in its thread, so heartbeats,
renewals and stops go on. Nothing is lost whenever this process dies: the message is acknowledged only
after the broker has confirmed the result.
"""

import asyncio
import base64
import signal
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import uuid4

import structlog
from prometheus_client import Counter, Gauge
from pydantic import Field, TypeAdapter

from shared.artifacts import Artifacts
from shared.bus import Bus, BusUnavailable, Delivery, Inbox, Unroutable
from shared.contracts.claims import Claim, Granted, Refused, Renew, Renewed
from shared.contracts.commands import (
    GENERATE,
    Message,
    Stop,
)
from shared.contracts.events import (
    ImageCompleted,
    JobFailed,
    JobReleased,
    JobStopped,
    ScenePreviewed,
    SceneProgressed,
    VideoCompleted,
    WorkerSeen,
    WorkerState,
)
from shared.contracts.scene import Artifact, Stage
from shared.contracts.topology import JOB_QUEUES, OWN_CONTROL
from shared.faults import crash_point
from shared.generator import (
    PREVIEW_BYTES,
    DeviceLost,
    Generator,
    OnLoad,
    ShowsPreviews,
    StandsStill,
    Stopped,
)
from shared.logs import get_logger
from shared.making import Command, Maker, describe, in_short
from shared.settings import ServiceSettings, SettingsError
from shared.turns import Turns

PROGRESS_S = 0.25
TURN_S = 0.1  #: between two looks whether the GPU is free
WATCH_S = 1  #: between two looks whether the generator moves
DEAF_S = 120  #: without a step, until a generator is given up that was told to stop
REMEMBERED = 1000  #: stops, and jobs that were reported

log = get_logger(__name__)
jobs_total = Counter("videogen_jobs", "Jobs by how they ended", ["stage", "outcome"])
busy_gauge = Gauge("videogen_worker_busy", "1 while a job runs", ["stage"])

OwnMessage = Annotated[Stop | Granted | Refused | Renewed, Field(discriminator="type")]


class WorkerSettings(ServiceSettings):
    """What a worker is told, beside what every service is told."""

    backend: str = "animatic"  #: animatic, diffusers, or module:Class of a generator of your own
    worker_name: str = ""  #: the same after a restart; default: stage and host
    renew_s: Annotated[float, Field(gt=0, le=60)] = 5  #: between renewals of a lease
    claim_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5  #: until a claim is asked again
    gpu_lock: str = ""  #: file by which workers of one host take turns on their GPU; empty: it is not shared
    gpu_idle_s: Annotated[float, Field(ge=0, le=3600)] = 2  #: without a job, until the shared GPU is left to others
    stall_s: Annotated[float, Field(gt=0)] = 3600  #: without a step, until a generator is given up and the process ends
    storage_patience_s: Annotated[float, Field(ge=0)] = 600  #: for a full disk to be emptied, or a bucket to answer


@dataclass(slots=True)
class _Running:
    """The job in hand."""

    command: Command
    granted: Granted | None = None
    cancel: bool = False  #: the generator is to stop
    fraction: float = 0.0
    steps: int = 0  #: that the generator has told
    preview: bytes | None = None  #: the latest, until it is told
    stepped: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)


class Worker:
    """One worker process: a generator, one job queue, one job at a time."""

    def __init__(
        self,
        stage: Stage,
        make_generator: Callable[[OnLoad], Generator],
        settings: WorkerSettings,
        name: str,
        artifacts: Artifacts,
    ) -> None:
        self._stage = stage
        self._make_generator = make_generator
        self._maker: Maker | None = None  #: None while the generator is loaded
        self._turns = Turns(settings.gpu_lock, name) if settings.gpu_lock else None
        self._settings = settings
        self._name = name
        self._session = uuid4()
        self._artifacts = artifacts
        self._bus = Bus(settings.amqp_url, name)
        self._inbox = Inbox(self._bus, OWN_CONTROL, TypeAdapter(OwnMessage), self._on_control)
        self._stops: OrderedDict[Hashable, None] = OrderedDict()  #: ids of runs and scenes told to stop
        self._reported: OrderedDict[Hashable, None] = OrderedDict()  #: (scene, attempt) whose result was confirmed
        self._running: _Running | None = None
        self._waiting_for = "loading"  #: what holds this worker up, for the creator
        self._failed = False  #: it cannot go on
        self._leaving = asyncio.Event()
        self._changed = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="generator")

    async def run(self) -> None:
        """Load, then work until SIGTERM or SIGINT; then give the job in hand back and return.

        Raises `DeviceLost`, and whatever the generator raised while it was loaded, once the creator was told.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.leave)
        async with self._bus:
            side = [asyncio.create_task(self._inbox.run()), asyncio.create_task(self._tell_presence())]
            work = asyncio.create_task(self._load_and_work())
            leaving = asyncio.create_task(self._leaving.wait())
            try:
                await asyncio.wait({work, leaving, *side}, return_when=asyncio.FIRST_COMPLETED)
                for ended in (work, *side):
                    if ended.done():
                        ended.result()
                if self._running is None:
                    work.cancel()
                done, _ = await asyncio.wait({work}, timeout=self._settings.stop_s)
                if not done and self._running:
                    # The generator does not listen. Somebody else can have the job; this process must end.
                    await self._give_back(self._running.command)
                with suppress(BusUnavailable, Unroutable):
                    await self._bus.publish(self._seen(WorkerState.GONE), confirm=False)
            finally:
                for task in (work, leaving, *side):
                    task.cancel()
                await asyncio.gather(work, leaving, *side, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def leave(self) -> None:
        """Begin to stop: the running generator is told, the next job is not taken."""
        log.info("leaving", worker=self._name)
        self._leaving.set()
        if self._running:
            self._running.cancel = True

    @property
    def trouble(self) -> str | None:
        """Why no job can be taken now, in a few words; None where it can."""
        if not self._inbox.connected:
            return "not connected to RabbitMQ"
        return None if self._maker else self._waiting_for

    async def _load_and_work(self) -> None:
        loop = asyncio.get_running_loop()

        def wait_for(what: str) -> None:
            loop.call_soon_threadsafe(self._wait_for, what)

        def on_load(loaded: int, of: int, part: str) -> None:
            wait_for(f"loading {min(loaded + 1, of)} of {of}" + (f": {part}" if part else ""))

        if not await self._take_turn():
            return
        self._wait_for("loading")
        try:
            # In the thread that will use it: some libraries keep their state by thread.
            made = await loop.run_in_executor(self._thread, self._make_generator, on_load)
        except Exception as error:
            await self._tell_failure(str(error) if isinstance(error, SettingsError) else in_short(error))
            raise
        if isinstance(made, ShowsPreviews):
            made.on_preview = self._take_preview
        patience_s = self._settings.storage_patience_s
        self._maker = Maker(self._stage, made, self._artifacts, patience_s, wait_for)
        self._wait_for("")
        log.info("generator_loaded", worker=self._name, generator=made.name)
        try:
            await self._work()
        except DeviceLost as error:
            # Nothing is said about the job: it counts as crashed, so that one which kills devices ends some time.
            self._running = None
            lost = "it stands still" if isinstance(error, StandsStill) else "it lost its device"
            await self._tell_failure(f"{lost}: {error}")
            raise

    async def _tell_failure(self, why: str) -> None:
        """The last word of a process that cannot go on: no later sign may say anything else."""
        self._failed, self._waiting_for = True, why[:1000]
        with suppress(BusUnavailable, Unroutable):
            await self._bus.publish(self._seen())

    async def _work(self) -> None:
        queue = JOB_QUEUES[self._stage]
        adapter: TypeAdapter[Command] = TypeAdapter(GENERATE[self._stage])
        async with aclosing(self._bus.deliveries(queue, adapter, prefetch=1)) as deliveries:
            while True:
                delivery = await self._next(deliveries)
                self._running = _Running(delivery.message)
                try:
                    await self._handle(delivery, self._running)
                finally:
                    self._running = None
                    self._changed.set()
                if self._leaving.is_set():
                    return

    async def _next(self, deliveries: AsyncGenerator[Delivery[Command]]) -> Delivery[Command]:
        """The next job. If none comes for a while, a GPU that is shared is left to others."""
        if self._turns is None or not self._turns.held:
            return await anext(deliveries)
        arriving = asyncio.ensure_future(anext(deliveries))
        try:
            arrived, _ = await asyncio.wait({arriving}, timeout=self._settings.gpu_idle_s)
            if not arrived:
                await self._leave_device(self._turns)
            return await arriving
        finally:
            if not arriving.done():
                arriving.cancel()
                await asyncio.wait({arriving})

    async def _take_turn(self) -> bool:
        """Wait until the GPU is ours, where it is shared. False when this worker leaves first."""
        while self._turns and not self._turns.held and (holder := self._turns.take()):
            self._wait_for(f"waiting for the GPU, which {holder} uses")
            await self._pause(TURN_S)
            if self._leaving.is_set():
                return False
        self._wait_for("")
        return True

    async def _leave_device(self, turns: Turns) -> None:
        assert self._maker is not None  # noqa: S101
        await asyncio.get_running_loop().run_in_executor(self._thread, self._maker.leave_device)
        turns.leave()
        log.info("gpu_left", worker=self._name)

    def _wait_for(self, what: str) -> None:
        if what != self._waiting_for:
            self._waiting_for = what
            self._changed.set()

    async def _handle(self, delivery: Delivery[Command], running: _Running) -> None:
        command = delivery.message
        if (command.scene_id, command.attempt) in self._reported:
            # The acknowledgement was lost. The coordinator may not have read the result yet, and would grant it again.
            await delivery.ack()
            return
        crash_point("worker.before_claim")
        structlog.contextvars.bind_contextvars(
            run_id=str(command.run_id), scene_id=str(command.scene_id), attempt=command.attempt
        )
        try:
            # Before the claim: a job that waits for the GPU can still be cancelled, or made elsewhere.
            answer = await self._claim(command) if await self._take_turn() else None
            if answer is None:
                return  # Leaving. Unacknowledged, the message goes to another worker.
            if isinstance(answer, Refused):
                log.info("claim_refused", reason=answer.reason)
                jobs_total.labels(self._stage, "refused").inc()
                await delivery.ack()
                return
            crash_point("worker.after_claim")
            running.granted = answer
            self._changed.set()
            result = await self._make(running)
            if not await self._report(result):
                return  # Leaving. Unacknowledged, the job is made again, which is the lesser harm.
            _remember(self._reported, (command.scene_id, command.attempt))
            crash_point("worker.before_ack")
            await delivery.ack()
            if isinstance(result, ImageCompleted | VideoCompleted):
                # Not before: the broker looks for the next job meanwhile.
                jobs_total.labels(self._stage, "completed").inc()
                log.info("job_completed", key=result.artifact.key, took_s=round(result.took_s, 3))
        finally:
            structlog.contextvars.unbind_contextvars("run_id", "scene_id", "attempt")

    async def _claim(self, command: Command) -> Granted | Refused | None:
        """Ask until there is an answer; None when this worker leaves first."""
        claim = Claim(
            **command.model_dump(include={"project_id", "run_id", "scene_id", "attempt"}),
            stage=self._stage,
            worker=self._name,
            session=self._session,
        )
        while not self._leaving.is_set():
            try:
                answer: Granted | Refused = await self._inbox.ask(claim, timeout_s=self._settings.claim_timeout_s)
            except BusUnavailable as error:
                log.warning("claim_unanswered", error=str(error))
                await self._pause(0.5)
            else:
                return answer
        return None

    async def _make(self, running: _Running) -> Message:
        """Run the generator and store what it made; whatever happens becomes a message."""
        command, granted = running.command, running.granted
        assert granted is not None  # noqa: S101
        scene = command.model_dump(include={"project_id", "run_id", "scene_id", "attempt"})
        started = time.monotonic()
        side = [asyncio.create_task(self._renew(running)), asyncio.create_task(self._tell_progress(running))]
        try:
            if command.run_id in self._stops or command.scene_id in self._stops:
                raise Stopped
            artifact = await self._generate(running, granted)
            crash_point("worker.before_report")
        except Stopped:
            outcome = "released" if self._leaving.is_set() else "stopped"
            jobs_total.labels(self._stage, outcome).inc()
            log.info("job_ended", outcome=outcome)
            kind = JobReleased if self._leaving.is_set() else JobStopped
            return kind(**scene, stage=self._stage)
        except DeviceLost:
            jobs_total.labels(self._stage, "lost").inc()
            raise
        except Exception as error:  # noqa: BLE001 - whatever a generator raises is told, and retried
            took_s = time.monotonic() - started
            failure, retryable = describe(error)
            jobs_total.labels(self._stage, "failed").inc()
            log.warning("job_failed", cause=failure.cause, retryable=retryable, error=failure.message)
            return JobFailed(**scene, stage=self._stage, failure=failure, retryable=retryable, took_s=took_s)
        finally:
            for task in side:
                task.cancel()
        took_s = time.monotonic() - started
        if self._stage is Stage.IMAGE:
            return ImageCompleted(**scene, artifact=artifact, took_s=took_s)
        return VideoCompleted(**scene, artifact=artifact, took_s=took_s)

    async def _generate(self, running: _Running, granted: Granted) -> Artifact:
        loop, maker = asyncio.get_running_loop(), self._maker
        assert maker is not None  # noqa: S101

        def on_step(fraction: float) -> None:
            running.steps += 1
            running.fraction = min(max(fraction, 0.0), 1.0)
            if running.fraction < 1:  # The end is told by the result, in a moment.
                loop.call_soon_threadsafe(running.stepped.set)

        busy_gauge.labels(self._stage).set(1)
        try:
            making = loop.run_in_executor(
                self._thread, maker.make, running.command, granted, on_step, lambda: running.cancel
            )
            await self._watch(making, running)
            return await making
        finally:
            busy_gauge.labels(self._stage).set(0)

    async def _watch(self, making: asyncio.Future[Artifact], running: _Running) -> None:
        """Until it is made. Raises `StandsStill`: one job that hangs must not hold a whole night."""
        steps, moved_at = 0, time.monotonic()
        while not (await asyncio.wait({making}, timeout=WATCH_S))[0]:
            if running.steps != steps or self._waiting_for:
                steps, moved_at = running.steps, time.monotonic()
            patience_s = min(self._settings.stall_s, DEAF_S) if running.cancel else self._settings.stall_s
            if time.monotonic() - moved_at > patience_s:
                raise StandsStill(f"no step for {patience_s / 60:.2g} minutes")

    async def _report(self, result: Message) -> bool:
        """Publish until the broker has confirmed; only then may the message be acknowledged.

        False when this worker leaves and the broker stays away.
        """
        delay = 0.1
        deadline = None
        while True:
            try:
                await self._bus.publish(result)
                return True
            except (BusUnavailable, Unroutable) as error:
                log.warning("result_unsent", error=str(error), retry_s=delay)
            if self._leaving.is_set():
                deadline = deadline or time.monotonic() + self._settings.stop_s
                if time.monotonic() > deadline:
                    return False
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2)

    async def _give_back(self, command: Command) -> None:
        released = JobReleased(
            **command.model_dump(include={"project_id", "run_id", "scene_id", "attempt"}), stage=self._stage
        )
        with suppress(BusUnavailable, Unroutable):
            await self._bus.publish(released)

    async def _renew(self, running: _Running) -> None:
        """Keep the lease while the job runs; the answer may say that nobody wants the result."""
        renew = Renew(
            **running.command.model_dump(include={"project_id", "run_id", "scene_id", "attempt"}),
            stage=self._stage,
            session=self._session,
        )
        while True:
            await asyncio.sleep(self._settings.renew_s)
            with suppress(BusUnavailable, Unroutable):
                renewed: Renewed = await self._inbox.ask(renew, timeout_s=self._settings.claim_timeout_s)
                if renewed.stop:
                    running.cancel = True

    def _take_preview(self, picture: bytes) -> None:
        """Called by the generator in its thread."""
        if len(picture) > PREVIEW_BYTES:
            log.warning("preview_too_large", size=len(picture), allowed=PREVIEW_BYTES)
        elif running := self._running:
            running.preview = picture
            running.loop.call_soon_threadsafe(running.stepped.set)

    async def _tell_progress(self, running: _Running) -> None:
        """Tell how far the job is and what it looks like: the latest of each, a few times a second."""
        granted = running.granted
        if granted is None:
            return
        about = {
            **running.command.model_dump(include={"project_id", "run_id", "scene_id", "attempt"}),
            "sentence_id": granted.sentence_id,
            "stage": self._stage,
        }
        while True:
            await running.stepped.wait()
            running.stepped.clear()
            if running.fraction >= 1:
                continue  # The result says so in a moment.
            picture, running.preview = running.preview, None
            with suppress(BusUnavailable, Unroutable):
                await self._bus.publish(SceneProgressed(**about, fraction=round(running.fraction, 4)), confirm=False)
                if picture:
                    told = ScenePreviewed(**about, picture=base64.b64encode(picture).decode())
                    await self._bus.publish(told, confirm=False)
            await asyncio.sleep(PROGRESS_S)

    async def _tell_presence(self) -> None:
        while True:
            self._changed.clear()
            with suppress(BusUnavailable, Unroutable):
                await self._bus.publish(self._seen(), confirm=False)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.presence_s):
                    await self._changed.wait()
                    # A busy minute of short jobs is told in a few messages, not in hundreds.
                    await asyncio.sleep(min(0.2, self._settings.presence_s / 4))

    def _seen(self, state: WorkerState | None = None) -> WorkerSeen:
        running = self._running if self._running and self._running.granted else None
        if self._failed:
            state = WorkerState.FAILED
        elif state is None:
            state = WorkerState.BUSY if running else WorkerState.IDLE if self._maker else WorkerState.STARTING
        return WorkerSeen(
            name=self._name,
            session=self._session,
            stage=self._stage,
            generator=self._maker.generator.name if self._maker else self._settings.backend,
            state=state,
            detail=self._waiting_for,
            project_id=running.command.project_id if running else None,
            scene_id=running.command.scene_id if running else None,
            number=running.granted.number if running and running.granted else None,
            every_s=self._settings.presence_s,
        )

    async def _on_control(self, message: Any) -> None:
        if not isinstance(message, Stop):
            return  # An answer that came after its question had expired.
        stopped = message.scene_id or message.run_id
        if message.why == "cancel":
            # A paused run may be claimed again after it is resumed; a cancelled one never.
            _remember(self._stops, stopped)
        running = self._running
        if running and stopped in (running.command.run_id, running.command.scene_id):
            running.cancel = True

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leaving.wait()


def _remember(known: OrderedDict[Hashable, None], key: Hashable) -> None:
    known[key] = None
    while len(known) > REMEMBERED:
        known.popitem(last=False)
