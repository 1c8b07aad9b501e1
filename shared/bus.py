"""The bus: publish with confirms, read with acknowledgement, ask and be answered.

The only file that imports aio_pika. Connections are plain, not robust: each reader and the publisher
rebuild their own from nothing after any trouble, which is the one recovery that holds in every case
(`docs/adr/0005`). Publishing and reading never share a connection, so that a broker that blocks
publishers still hears acknowledgements.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar, cast
from uuid import uuid4

import aio_pika
import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.abc import AbstractChannel as Underlay
from aiormq.abc import DeliveredMessage
from prometheus_client import Counter
from pydantic import TypeAdapter, ValidationError

from shared.contracts.commands import Message
from shared.contracts.topology import DURABLE, PARKED, ROUTES, Queue, Route
from shared.faults import crash_point
from shared.logs import get_logger

HEARTBEAT_S = 10
RECONNECT_S = 3  #: between attempts, at most: a lease outlasts some of them
MAX_MESSAGE_BYTES = 1 << 20

log = get_logger(__name__)
parked_total = Counter("videogen_messages_parked", "Messages nobody could read", ["queue", "cause"])
reconnects_total = Counter("videogen_bus_reconnects", "Connections to the broker that were lost", ["reader"])

M = TypeVar("M")
Properties: TypeAlias = aiormq.spec.Basic.Properties


class BusUnavailable(Exception):
    """The broker cannot be reached, or did not answer in time. What was sent may have arrived."""


class Unroutable(Exception):
    """No queue takes this message: it was deleted, and is declared anew before the next attempt."""


@dataclass(frozen=True, slots=True)
class Delivery(Generic[M]):
    """One message taken off a queue, and the way to tell the broker that it is dealt with."""

    message: M
    reply_to: str | None
    correlation_id: str | None
    _channel: Underlay
    _tag: int

    async def ack(self) -> bool:
        """Done with it. False where the channel is gone: the broker gives the message out again."""
        try:
            with _broker_errors():
                await self._channel.basic_ack(self._tag, wait=False)
        except BusUnavailable:
            return False
        return True


@contextmanager
def _broker_errors() -> Iterator[None]:
    """Turn everything the client library raises for a lost broker into `BusUnavailable`.

    It rejects pending calls with `CancelledError` when a connection dies; only a cancellation that
    somebody asked for may pass.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BusUnavailable("the connection to RabbitMQ was lost") from error
    except aio_pika.exceptions.PublishError as error:
        raise Unroutable(str(error)) from error
    except (
        aio_pika.exceptions.AMQPError,
        aiormq.exceptions.ChannelInvalidStateError,
        TimeoutError,
        OSError,
        RuntimeError,
        StopAsyncIteration,  # The connection ended before the handshake did: a proxy, or a broker that starts.
    ) as error:
        raise BusUnavailable(f"RabbitMQ is not available: {error or type(error).__name__}") from error


class Bus:
    """A service's way to the broker. Use as an async context manager; readers are independent of it."""

    def __init__(self, url: str, name: str, *, timeout_s: float = 5, watchdog_s: float = 10) -> None:
        self._url = url
        self._name = name  #: shown in the broker's console
        self._timeout_s = timeout_s  #: for every single call to the broker
        self._watchdog_s = watchdog_s  #: how often an idle reader asks whether it is still a consumer
        self._lock = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channels: dict[bool, AbstractChannel] = {}  #: by whether the broker confirms

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._disconnect()

    async def publish(
        self,
        message: Message,
        *,
        confirm: bool = True,
        reply_to: str | None = None,
        correlation_id: str | None = None,
        expires_s: float | None = None,
        address: str = "",
        body: bytes | None = None,
    ) -> None:
        """Send `message` where `topology.ROUTES` says, or to the queue `address` for an answer.

        `body` is the message as JSON, where the caller has it already.

        With `confirm`, returns once the broker has it. Raises `BusUnavailable`, after which the message
        may or may not have arrived, or `Unroutable`.
        """
        route = ROUTES[type(message)]
        properties = Properties(
            content_type="application/json",
            message_type=getattr(message, "type", None),
            message_id=uuid4().hex,
            app_id=self._name,
            headers={"run_id": str(run_id)} if (run_id := getattr(message, "run_id", None)) else None,
            delivery_mode=2 if route.durable else 1,
            reply_to=reply_to,
            correlation_id=correlation_id,
            expiration=str(int(expires_s * 1000)) if expires_s is not None else None,
        )
        body = body or message.model_dump_json().encode()
        key = address if route.exchange is None else _routing_key(route, message)
        exchange = route.exchange.name if route.exchange else ""
        await self._send(body, properties, exchange, key, confirm=confirm, mandatory=route.mandatory)

    async def _send(
        self, body: bytes, properties: Properties, exchange: str, key: str, *, confirm: bool, mandatory: bool
    ) -> None:
        try:
            with _broker_errors():
                channel = self._channels.get(confirm) or await self._channel(confirm)
                # The abstract one does not tell of `wait`.
                underlay = cast(aiormq.Channel, await channel.get_underlay_channel())
                async with asyncio.timeout(self._timeout_s):
                    await underlay.basic_publish(
                        body,
                        exchange=exchange,
                        routing_key=key,
                        properties=properties,
                        mandatory=mandatory and confirm,
                        # What is confirmed need not be waited for twice, and many leave in one write.
                        wait=not confirm,
                    )
        except (BusUnavailable, Unroutable):
            await self._disconnect()
            raise

    async def _channel(self, confirm: bool) -> AbstractChannel:
        async with self._lock:
            if self._connection is None or self._connection.is_closed:
                self._channels.clear()
                connection = self._connection = await _connect(self._url, f"{self._name} (publisher)", self._timeout_s)
                async with asyncio.timeout(self._timeout_s):
                    confirmed = await connection.channel(publisher_confirms=True, on_return_raises=True)
                    unconfirmed = await connection.channel(publisher_confirms=False)
                    underlay = await confirmed.get_underlay_channel()
                    for queue in DURABLE:
                        await _declare(underlay, queue)
                    for route in ROUTES.values():
                        if route.exchange:
                            await underlay.exchange_declare(
                                route.exchange.name, exchange_type=route.exchange.kind, durable=True
                            )
                self._channels = {True: confirmed, False: unconfirmed}
            if confirm not in self._channels:
                raise BusUnavailable("the connection to RabbitMQ was lost")
            return self._channels[confirm]

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._channels.clear()
        if connection is not None:
            await _close(connection)

    async def deliveries(
        self,
        queue: Queue,
        adapter: TypeAdapter[M],
        *,
        prefetch: int = 1,
        connected: Callable[[str], None] | None = None,
        lost: Callable[[], None] | None = None,
    ) -> AsyncGenerator[Delivery[M]]:
        """Read `queue` for ever, through every loss of the broker.

        `connected` is told the queue's name after each (re)connection: whatever was sent to a queue
        without a name before that moment is lost. `lost` is told whenever a connection ended or could
        not be made. While the caller works on a delivery nothing is
        reconnected, so a worker that lost its channel takes no second message before it is done.
        Messages that cannot be read are parked. Deliveries from an own queue need no `ack`.
        """
        label = queue.name or queue.exchange.name
        delay = 0.1
        while True:
            try:
                async with aclosing(self._read(queue, adapter, prefetch, connected)) as reading:
                    async for delivery in reading:
                        delay = 0.1
                        yield delivery
            except (BusUnavailable, Unroutable) as error:
                if lost:
                    lost()
                reconnects_total.labels(label).inc()
                log.warning("reader_lost_broker", queue=label, error=str(error), retry_s=round(delay, 1))
                # Full jitter: a hundred workers must not come back in the same instant.
                await asyncio.sleep(random.uniform(0.05, delay))  # noqa: S311 - no secret
                delay = min(delay * 2, RECONNECT_S)

    async def _read(
        self, queue: Queue, adapter: TypeAdapter[M], prefetch: int, connected: Callable[[str], None] | None
    ) -> AsyncGenerator[Delivery[M]]:
        arrived: asyncio.Queue[DeliveredMessage | None] = asyncio.Queue()

        async def on_message(message: DeliveredMessage) -> None:
            arrived.put_nowait(message)

        def on_end(*_: object) -> None:
            arrived.put_nowait(None)

        async with AsyncExitStack() as stack:
            with _broker_errors():
                label = queue.name or queue.exchange.name
                connection = await _connect(self._url, f"{self._name} ({label})", self._timeout_s)
                stack.push_async_callback(_close, connection)
                async with asyncio.timeout(self._timeout_s):
                    channel = await connection.channel(publisher_confirms=False)
                    channel.close_callbacks.add(on_end)
                    underlay = await channel.get_underlay_channel()
                    underlay.on_consumer_cancel_callbacks.add(on_end)
                    await underlay.basic_qos(prefetch_count=prefetch)
                    name = await _declare(underlay, queue)
                    await underlay.basic_consume(name, on_message, no_ack=queue.name is None)
            if connected:
                connected(name)
            while True:
                if (task := asyncio.current_task()) and task.cancelling():
                    # Python 3.11's `wait_for`, which the library calls, drops one that meets its result.
                    raise asyncio.CancelledError
                try:
                    message = arrived.get_nowait() if not arrived.empty() else await self._next(arrived)
                except TimeoutError:
                    await self._check_consuming(underlay, name)
                    continue
                if message is None:
                    raise BusUnavailable("the channel was closed by the broker")
                delivery = await self._parse(message, adapter, label, underlay, acknowledge=queue.name is not None)
                if delivery is not None:
                    yield delivery

    async def _next(self, arrived: asyncio.Queue[DeliveredMessage | None]) -> DeliveredMessage | None:
        async with asyncio.timeout(self._watchdog_s):
            return await arrived.get()

    async def _check_consuming(self, channel: Underlay, name: str) -> None:
        """A consumer can be connected and deaf, after a failover or a deleted queue: then start over."""
        with _broker_errors():
            declared = await channel.queue_declare(name, passive=True, timeout=self._timeout_s)
        if not declared.consumer_count:
            raise BusUnavailable("the broker forgot this consumer")

    async def _parse(
        self, message: DeliveredMessage, adapter: TypeAdapter[M], label: str, channel: Underlay, *, acknowledge: bool
    ) -> Delivery[M] | None:
        properties = message.header.properties
        tag = message.delivery_tag or 0
        cause = "oversized" if len(message.body) > MAX_MESSAGE_BYTES else ""
        if not cause:
            try:
                return Delivery(
                    adapter.validate_json(message.body), properties.reply_to, properties.correlation_id, channel, tag
                )
            except ValidationError as error:
                cause = "not_json" if error.errors()[0]["type"] == "json_invalid" else "wrong_schema"
                log.error("message_parked", queue=label, cause=cause, error=str(error)[:500])
        parked_total.labels(label, cause).inc()
        await self._send(
            message.body[:MAX_MESSAGE_BYTES],
            Properties(
                message_id=uuid4().hex,
                delivery_mode=2,
                headers={"cause": cause, "queue": label, "parked_by": self._name},
            ),
            PARKED.exchange.name,
            PARKED.keys[0],
            confirm=True,
            mandatory=True,
        )
        if acknowledge:
            with _broker_errors():
                await channel.basic_ack(tag, wait=False)
        return None

    async def take_out(self, queue: Queue, match: Callable[[str], bool], *, deadline_s: float) -> tuple[int, bool]:
        """Take the messages whose run `match`es off a shared queue, and leave everyone else's.

        A consumer of highest priority collects all that is ready, acknowledges the matches, and closes
        its channel: the broker puts the rest back where it was, in one step. Returns how many were
        taken, and whether the pass saw the whole queue. Raises `BusUnavailable`; the rest is back then too.
        """
        tags: list[int] = []
        seen, stopped = 0, False

        async def on_message(message: DeliveredMessage) -> None:
            nonlocal seen
            if stopped:
                return  # An acknowledgement after the close would cost the connection.
            seen += 1
            headers = message.header.properties.headers or {}
            if match(str(headers.get("run_id", ""))):
                tags.append(message.delivery_tag or 0)

        with _broker_errors():
            connection = await _connect(self._url, f"{self._name} (purge)", self._timeout_s)
            try:
                channel = await connection.channel(publisher_confirms=False)
                underlay = await channel.get_underlay_channel()
                async with asyncio.timeout(deadline_s):
                    await _declare(underlay, queue)
                    await underlay.basic_consume(str(queue.name), on_message, arguments={"x-priority": 1000})
                    clean, before = False, -1
                    while not clean:
                        declared = await underlay.queue_declare(str(queue.name), passive=True)
                        await asyncio.sleep(0)
                        clean, before = declared.message_count == 0 and seen == before, seen
                        if not clean:
                            await asyncio.sleep(0.01)
                stopped = True
                crash_point("purge.holding")
                async with asyncio.timeout(deadline_s):
                    for tag in tags:
                        await underlay.basic_ack(tag, wait=False)
                    # The broker answers only after it has processed the acknowledgements.
                    await underlay.queue_declare(str(queue.name), passive=True)
                    await channel.close()
                return len(tags), clean
            finally:
                stopped = True
                await _close(connection)

    async def ready_counts(self, queues: list[Queue]) -> dict[str, int]:
        """Messages that wait in each of these queues, by name. Declares what is missing."""
        with _broker_errors():
            connection = await _connect(self._url, f"{self._name} (count)", self._timeout_s)
            try:
                async with asyncio.timeout(self._timeout_s):
                    channel = await connection.channel(publisher_confirms=False)
                    underlay = await channel.get_underlay_channel()
                    return {str(q.name): await _declare_and_count(underlay, q) for q in queues}
            finally:
                await _close(connection)


class Inbox:
    """A service's own queue: answers to its questions, and messages nobody else gets."""

    def __init__(
        self,
        bus: Bus,
        queue: Queue,
        adapter: TypeAdapter[Any],
        on_message: Callable[[Any], Awaitable[None]],
    ) -> None:
        self._bus = bus
        self._queue = queue
        self._adapter = adapter
        self._on_message = on_message
        self._name: str | None = None
        self._open: dict[str, asyncio.Future[Any]] = {}

    async def run(self) -> None:
        """Read for ever; run it as a task."""
        reading = self._bus.deliveries(
            self._queue, self._adapter, prefetch=0, connected=self._connected, lost=self._lost
        )
        async for delivery in reading:
            waiting = self._open.get(delivery.correlation_id or "")
            if waiting is None:
                await self._on_message(delivery.message)
            elif not waiting.done():
                waiting.set_result(delivery.message)

    @property
    def connected(self) -> bool:
        """Whether answers can reach this service."""
        return self._name is not None

    def _connected(self, name: str) -> None:
        self._name = name

    def _lost(self) -> None:
        self._name = None

    async def ask(self, question: Message, *, timeout_s: float) -> Any:
        """Send a question and wait for its answer.

        Raises `BusUnavailable` when none came in time. The question expires on the bus by then, so
        that a stale one cannot start anything.
        """
        if self._name is None:
            raise BusUnavailable("not connected yet")
        question_id = uuid4().hex
        answer = self._open[question_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._bus.publish(
                    question, confirm=False, reply_to=self._name, correlation_id=question_id, expires_s=timeout_s
                )
                return await answer
        except TimeoutError as error:
            raise BusUnavailable(f"no answer within {timeout_s:g} s") from error
        finally:
            del self._open[question_id]


def _routing_key(route: Route, message: Message) -> str:
    return route.key.format_map(vars(message)) if "{" in route.key else route.key


async def _connect(url: str, name: str, timeout_s: float) -> AbstractConnection:
    separator = "&" if "?" in url else "?"
    return await aio_pika.connect(
        f"{url}{separator}heartbeat={HEARTBEAT_S}", timeout=timeout_s, client_properties={"connection_name": name}
    )


async def _close(connection: AbstractConnection) -> None:
    # A frozen broker does not answer a close; the socket goes with the object.
    with suppress(BusUnavailable), _broker_errors():
        async with asyncio.timeout(2):
            await connection.close()


async def _declare(channel: Underlay, queue: Queue) -> str:
    """Declare the queue, its exchange and its bindings; return its name."""
    await channel.exchange_declare(queue.exchange.name, exchange_type=queue.exchange.kind, durable=True)
    own = queue.name is None
    declared = await channel.queue_declare(queue.name or "", durable=not own, exclusive=own, auto_delete=own)
    name = str(declared.queue)
    for key in queue.keys:
        await channel.queue_bind(name, queue.exchange.name, routing_key=key)
    return name


async def _declare_and_count(channel: Underlay, queue: Queue) -> int:
    declared = await channel.queue_declare(queue.name or "", durable=True)
    return declared.message_count or 0
