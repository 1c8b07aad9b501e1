"""The bus door: status events and signs of life come in here."""

import asyncio

from pydantic import TypeAdapter

from services.notifier.connections import Connections
from shared.bus import Bus
from shared.contracts.events import Status, WorkerSeen
from shared.contracts.topology import OWN_PRESENCE, OWN_STATUS


class Consumer:
    """Hands every message to the sockets. Nothing is acknowledged: what is missed is fetched again."""

    def __init__(self, bus: Bus, connections: Connections) -> None:
        self._bus = bus
        self._connections = connections
        self._hears_status = False
        self._hears_presence = False

    def trouble(self) -> str | None:
        """Why events do not arrive, in one sentence; None while they do."""
        if self._hears_status and self._hears_presence:
            return None
        return "The notifier is not connected to RabbitMQ; it keeps trying."

    async def status(self) -> None:
        adapter: TypeAdapter[Status] = TypeAdapter(Status)

        def connected(_: str) -> None:
            self._hears_status = True
            self._connections.reconnected()

        def lost() -> None:
            self._hears_status = False

        async for delivery in self._bus.deliveries(OWN_STATUS, adapter, prefetch=0, connected=connected, lost=lost):
            self._connections.status(delivery.message)
            # What has piled up is read without a pause; pings, probes and signals must get their turn.
            await asyncio.sleep(0)

    async def presence(self) -> None:
        adapter = TypeAdapter(WorkerSeen)

        def connected(_: str) -> None:
            self._hears_presence = True

        def lost() -> None:
            self._hears_presence = False

        async for delivery in self._bus.deliveries(OWN_PRESENCE, adapter, prefetch=0, connected=connected, lost=lost):
            self._connections.presence(delivery.message)
            await asyncio.sleep(0)
