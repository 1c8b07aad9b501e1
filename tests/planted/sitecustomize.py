"""Plants faults into a real service, to show that the tests notice them.

Python imports a module of this name by itself at start-up; the tests put its folder on PYTHONPATH of
the process that is to be spoiled, and name the faults in PLANTED_FAULT.
"""

import os
from typing import Any


def ack_before_publish() -> None:
    from shared.bus import Delivery
    from shared.worker import Worker

    make, handle, ack = Worker._make, Worker._handle, Delivery.ack
    in_hand: list[Any] = []

    async def spoiled_handle(self: Worker, delivery: Any, running: Any) -> None:
        in_hand[:] = [delivery]
        await handle(self, delivery, running)

    async def spoiled_make(self: Worker, running: Any) -> Any:
        await ack(in_hand[0])
        # Wait until the broker has it.
        await in_hand[0]._channel.queue_declare("jobs.image", passive=True)
        return await make(self, running)

    async def no_second_ack(self: Any) -> bool:
        return True

    Worker._handle = spoiled_handle  # type: ignore[method-assign]
    Worker._make = spoiled_make  # type: ignore[method-assign]
    Delivery.ack = no_second_ack  # type: ignore[method-assign]


def no_claim() -> None:
    """Every claim is granted, whatever the state."""
    from services.coordinator import advance, lifecycle
    from services.coordinator.lifecycle import Changed, Regranted
    from shared.contracts.claims import Claim

    decide = lifecycle.decide

    def spoiled(scene: Any, event: Any) -> Any:
        decision = decide(scene, event)
        return Regranted() if isinstance(event, Claim) and not isinstance(decision, Changed) else decision

    advance.decide = spoiled  # type: ignore[attr-defined]


def no_fence() -> None:
    from services.coordinator import advance, lifecycle
    from shared.contracts.events import JobFailed

    decide = lifecycle.decide

    def spoiled(scene: Any, event: Any) -> Any:
        if isinstance(event, JobFailed):
            event = event.model_copy(update={"attempt": scene.attempt})
        return decide(scene, event)

    advance.decide = spoiled  # type: ignore[attr-defined]


def queue_purge() -> None:
    from shared.bus import Bus, _connect

    async def spoiled(self: Bus, queue: Any, match: Any, *, deadline_s: float) -> tuple[int, bool]:
        connection = await _connect(self._url, "spoiled", 5)
        channel = await connection.channel()
        await (await channel.get_queue(queue.name)).purge()
        await connection.close()
        return 0, True

    Bus.take_out = spoiled  # type: ignore[method-assign]


def no_outbox() -> None:
    """Messages are published after the commit, from memory."""
    from services.coordinator.outbox import Relay
    from services.coordinator.store import outbox

    remembered: list[Any] = []

    def spoiled_add(connection: Any, messages: Any, now: Any) -> Any:
        remembered.extend(messages)
        return [outbox.Sent(0, message, "") for message in messages]

    def spoiled_hand_over(self: Relay, sent: Any) -> None:
        self._loop.call_soon_threadsafe(self._wake.set)

    async def spoiled_run(self: Relay) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while remembered:
                await self._bus.publish(remembered.pop(0))

    outbox.add = spoiled_add
    Relay.hand_over = spoiled_hand_over  # type: ignore[method-assign]
    Relay.run = spoiled_run  # type: ignore[method-assign]


def no_lease() -> None:
    from services.coordinator.consumer import Consumer
    from services.coordinator.leases import Leases

    Leases.tick = lambda self, running: []  # type: ignore[method-assign]
    Consumer._take_back_from_dead = lambda self, sign: None  # type: ignore[method-assign]


def no_republish() -> None:
    from services.coordinator.leases import LostMessages

    LostMessages.tick = lambda self, *_: []  # type: ignore[method-assign]


def broken_ticks() -> None:
    from services.coordinator.leases import Ticks

    async def spoiled(self: Ticks) -> None:
        raise ZeroDivisionError("a mistake of ours")

    Ticks._turn = spoiled  # type: ignore[method-assign]


def stale_disk() -> None:
    import errno

    from shared.artifacts import Folder

    def spoiled(self: Folder) -> int:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    Folder.free_bytes = spoiled  # type: ignore[method-assign]


def deaf_to_stops() -> None:
    from shared.worker import Worker

    async def spoiled(self: Worker, message: Any) -> None:
        return None

    Worker._on_control = spoiled  # type: ignore[method-assign]


def no_turns() -> None:
    """Every worker finds the GPU free."""
    from shared.turns import Turns

    def spoiled(self: Turns) -> None:
        self.held = True

    Turns.take = spoiled  # type: ignore[method-assign]


for _name in filter(None, os.environ.get("PLANTED_FAULT", "").split(",")):
    globals()[_name]()
