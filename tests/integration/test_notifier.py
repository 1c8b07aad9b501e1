"""The real notifier process between a real broker and real sockets."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import aio_pika
import httpx
import pytest
from pydantic import TypeAdapter
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from shared.bus import Bus
from shared.contracts.commands import Message
from shared.contracts.events import (
    MAX_PREVIEW,
    BrowserEvent,
    SceneChanged,
    ScenePreviewed,
    SceneProgressed,
    StoryboardChanged,
    WorkerSeen,
    WorkerState,
)
from shared.contracts.scene import Failure, Scene, SceneStatus, Stage
from shared.contracts.topology import STATUS
from shared.token import session_cookie
from tests.fixtures.stack import ROOT, Service, eventually, free_port

EVENT: TypeAdapter[Any] = TypeAdapter(BrowserEvent)
TOKEN = "correct-horse"
PAGE = "http://127.0.0.1:8700"


# What the tests hold in their hands.


class Publisher:
    """A bus that plain test code can call."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._bus = Bus(url, "test")
        self._url = url

    def send(self, *messages: Message) -> None:
        async def send() -> None:
            for message in messages:
                await self._bus.publish(message, confirm=False)

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(30)

    def send_raw(self, key: str, body: bytes) -> None:
        """Something that no service of ours would say."""

        async def send() -> None:
            connection = await aio_pika.connect(self._url)
            async with connection, connection.channel() as channel:
                exchange = await channel.get_exchange(STATUS.name, ensure=False)
                await exchange.publish(aio_pika.Message(body), key)

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(30)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._bus.__aexit__(None, None, None), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Cable:
    """A TCP relay to the broker that can be cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5672)
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        here = f"127.0.0.1:{self._listener.getsockname()[1]}"
        login = parts.netloc.rpartition("@")[0]
        self.url = urlunsplit(parts._replace(netloc=f"{login}@{here}" if login else here))
        self._whole = True
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def cut(self) -> None:
        self._whole = False
        for end in self._ends:
            _hang_up(end)

    def mend(self) -> None:
        self._whole = True

    def close(self) -> None:
        _hang_up(self._listener)
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                self._ends += [near, far]
                if not self._whole:  # It was cut in between.
                    _hang_up(near)
                    _hang_up(far)
                self._run(self._relay, near, far)
                self._run(self._relay, far, near)

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        _hang_up(source)
        _hang_up(sink)

    def _run(self, work: Callable[..., None], *arguments: Any) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@dataclass
class Notifier:
    service: Service
    port: int
    stack: ExitStack

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers)

    def listen(self, project_id: UUID, **more: Any) -> ClientConnection:
        """A socket of this project that the notifier knows of."""
        before = self.metric("videogen_notifier_sockets", more.get("additional_headers"))
        made = self.connect(f"/api/v1/projects/{project_id}/events", **more)
        eventually(
            lambda: self.metric("videogen_notifier_sockets", more.get("additional_headers")) == before + 1,
            what="the socket being counted",
        )
        return made

    def connect(self, path: str, **more: Any) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}{path}"
        made: ClientConnection = self.stack.enter_context(
            connect(url, proxy=None, close_timeout=2, max_size=1 << 24, **more)
        )
        return made

    def metric(self, name: str, headers: dict[str, str] | None = None) -> float:
        """Its value, summed over its labels, or of those given in braces."""
        lines = self.get("/metrics", **(headers or {})).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + " ", name + "{", name)))

    def answers(self, path: str) -> bool:
        assert self.service.running, self.service.text()
        return self.get(path).status_code == 200


@pytest.fixture
def start(amqp_url: str, tmp_path: Path) -> Iterator[Callable[..., Notifier]]:
    """Start a notifier with these settings; by default, wait until it can hear the bus."""
    with ExitStack() as stack:

        def start(wait: bool = True, **settings: str) -> Notifier:
            port = free_port()
            environment = {
                "AMQP_URL": amqp_url,
                "NOTIFIER_PORT": str(port),
                "PYTHONUNBUFFERED": "1",
                **settings,
            }
            service = Service("notifier", "services.notifier", environment, tmp_path / f"{port}.log").start()
            stack.callback(service.stop)
            notifier = Notifier(service, port, stack)
            path = "/readyz" if wait else "/healthz"
            eventually(lambda: notifier.answers(path), what=f"{path} answering 200")
            return notifier

        yield start


@pytest.fixture
def publisher(amqp_url: str) -> Iterator[Publisher]:
    publisher = Publisher(amqp_url)
    yield publisher
    publisher.close()


@pytest.fixture
def cable(amqp_url: str) -> Iterator[Cable]:
    cable = Cable(amqp_url)
    yield cable
    cable.close()


def changed(
    project_id: UUID,
    seq: int,
    status: SceneStatus = SceneStatus.RUNNING,
    *,
    scene_id: UUID | None = None,
    attempt: int = 1,
    detail: int = 0,
) -> SceneChanged:
    """`detail`: bytes to make it larger by."""
    scene = Scene(
        id=scene_id or uuid4(),
        run_id=uuid4(),
        project_id=project_id,
        sentence_id=uuid4(),
        number=1,
        plan=(Stage.IMAGE, Stage.VIDEO),
        stage=Stage.IMAGE,
        status=status,
        attempt=attempt,
        failure=Failure(cause="tried", message="Once more.", detail="x" * detail) if detail else None,
        changed_at=datetime.now(UTC),
    )
    return SceneChanged(project_id=project_id, seq=seq, scenes=(scene,))


def previewed(project_id: UUID, picture: str) -> ScenePreviewed:
    """Of a new scene each time, so that none has to wait."""
    return ScenePreviewed(
        project_id=project_id,
        run_id=uuid4(),
        scene_id=uuid4(),
        sentence_id=uuid4(),
        stage=Stage.IMAGE,
        attempt=1,
        picture=picture,
    )


def progressed(project_id: UUID, scene_id: UUID, fraction: float, attempt: int = 1) -> SceneProgressed:
    return SceneProgressed(
        project_id=project_id,
        run_id=UUID(int=5),
        scene_id=scene_id,
        sentence_id=uuid4(),
        stage=Stage.IMAGE,
        attempt=attempt,
        fraction=fraction,
    )


def next_event(listener: ClientConnection, within_s: float = 10) -> Any:
    text = listener.recv(timeout=within_s)
    assert isinstance(text, str), "events are text frames"
    return EVENT.validate_json(text)


def events_until(listener: ClientConnection, last: Message) -> list[Any]:
    events = [next_event(listener)]
    while events[-1] != last:
        events.append(next_event(listener))
    return events


def deaf_client(port: int, project_id: UUID) -> socket.socket:
    """A client that shakes hands and never reads again."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", port))
    lines = (
        f"GET /api/v1/projects/{project_id}/events HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    )
    deaf.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += deaf.recv(1)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return deaf


# Who gets what.


def test_each_page_gets_every_event_of_its_own_project_in_order(
    start: Callable[..., Notifier], publisher: Publisher
) -> None:
    notifier = start()
    mine, theirs = uuid4(), uuid4()
    pages = [notifier.listen(mine), notifier.listen(mine)]
    other = notifier.listen(theirs)
    sent = [changed(project, seq) for seq in range(1, 201) for project in (mine, theirs)]
    publisher.send(*sent)
    for page in pages:
        assert events_until(page, sent[-2]) == [event for event in sent if event.project_id == mine]
    assert events_until(other, sent[-1]) == [event for event in sent if event.project_id == theirs]
    assert notifier.metric('videogen_notifier_events_total{type="scene_changed"}') == 400
    assert notifier.metric("videogen_notifier_deliveries_total") == 600
    assert notifier.metric("videogen_notifier_lag_seconds_count") == 400


def test_a_burst_evicts_nobody_who_reads(start: Callable[..., Notifier], publisher: Publisher) -> None:
    """More than the limit, all of it there at once; kernels alone take enough of it for any reader."""
    notifier = start()
    project_id = uuid4()
    page = notifier.listen(project_id)
    sent = [changed(project_id, seq, detail=1000) for seq in range(1, 201)]
    notifier.service.signal(signal.SIGSTOP)
    # While this one is put aside, the others pile up.
    publisher.send_raw(f"project.{project_id}", b"{")
    publisher.send(*sent)
    notifier.service.signal(signal.SIGCONT)
    assert events_until(page, sent[-1]) == sent
    assert notifier.metric("videogen_notifier_evictions_total") == 0


def test_one_event_beyond_the_limit_evicts_nobody_who_reads(
    start: Callable[..., Notifier], publisher: Publisher
) -> None:
    notifier = start()
    project_id = uuid4()
    page = notifier.listen(project_id)
    one = changed(project_id, 1, detail=20_000)
    large = one.model_copy(update={"scenes": one.scenes * 40})
    publisher.send(large)
    assert next_event(page) == large
    assert notifier.metric("videogen_notifier_evictions_total") == 0


def test_progress_is_thinned_the_latest_wins_and_none_comes_after_the_end(
    start: Callable[..., Notifier], publisher: Publisher
) -> None:
    notifier = start()
    project_id, scene_id, other_scene = uuid4(), uuid4(), uuid4()
    page = notifier.listen(project_id)
    started = time.monotonic()
    with ThreadPoolExecutor() as pool:
        last = progressed(project_id, scene_id, 1.0)
        reading = pool.submit(events_until, page, last)
        step = 0
        while step < 120 or notifier.metric("videogen_notifier_deliveries_total") < 4:
            step += 1
            publisher.send(progressed(project_id, scene_id, 1 - 1 / step))
            time.sleep(0.01)
            assert time.monotonic() - started < 30, "some come before the last"
        publisher.send(last)
        thinned = reading.result(20)
    took = time.monotonic() - started
    assert len(thinned) <= 4 * took + 1
    assert [event.fraction for event in thinned] == sorted(event.fraction for event in thinned)

    first = progressed(project_id, other_scene, 0.1)
    waiting = progressed(project_id, scene_id, 0.5, attempt=2)
    done = changed(project_id, 1, SceneStatus.DONE, scene_id=scene_id, attempt=2)
    late = progressed(project_id, scene_id, 0.9, attempt=2)
    marker = progressed(project_id, other_scene, 0.2)
    # The marker had to wait a whole period, so whatever waited before it would have come by then.
    publisher.send(waiting, late, done, late, first, marker)
    assert late not in events_until(page, marker)


def test_a_workers_sign_reaches_every_project(start: Callable[..., Notifier], publisher: Publisher) -> None:
    notifier = start()
    pages = [notifier.listen(uuid4()), notifier.listen(uuid4())]
    seen = WorkerSeen(
        name="w",
        session=uuid4(),
        stage=Stage.IMAGE,
        generator="animatic",
        state=WorkerState.IDLE,
        every_s=2,
    )
    publisher.send(seen)
    assert [next_event(page) for page in pages] == [seen, seen]


def test_a_message_nobody_can_read_harms_nobody(start: Callable[..., Notifier], publisher: Publisher) -> None:
    notifier = start()
    project_id = uuid4()
    page = notifier.listen(project_id)
    publisher.send(changed(project_id, 1))
    next_event(page)
    for body in (b"{", b'{"type": "unheard_of"}', b"\xff" * 100):
        publisher.send_raw(f"project.{project_id}", body)
    after = changed(project_id, 2)
    publisher.send(after)
    assert next_event(page) == after, "not a resync, which a lost connection would bring"


# What may have been missed.


def test_pages_stay_and_are_told_to_fetch_when_the_bus_was_away(
    start: Callable[..., Notifier], publisher: Publisher, cable: Cable
) -> None:
    notifier = start(AMQP_URL=cable.url)
    project_id = uuid4()
    pages = [notifier.listen(project_id), notifier.listen(uuid4())]
    before, missed, after = (changed(project_id, seq) for seq in (1, 2, 3))
    publisher.send(before)
    assert next_event(pages[0]) == before
    cable.cut()
    eventually(lambda: notifier.get("/readyz").status_code == 503, what="the notifier noticing")
    assert notifier.get("/readyz").text == "The notifier is not connected to RabbitMQ; it keeps trying.\n"
    assert notifier.get("/healthz").status_code == 200
    publisher.send(missed)
    cable.mend()
    assert [next_event(page).type for page in pages] == ["resync", "resync"]
    eventually(lambda: notifier.answers("/readyz"))
    publisher.send(after)
    assert next_event(pages[0]) == after
    assert notifier.metric('videogen_notifier_resyncs_total{reason="connected"}') == 1


def test_pages_that_came_before_the_bus_are_told_to_fetch(
    start: Callable[..., Notifier], publisher: Publisher, cable: Cable
) -> None:
    """They fetched while nobody listened for what came next."""
    cable.cut()
    notifier = start(wait=False, AMQP_URL=cable.url)
    assert notifier.get("/readyz").status_code == 503
    page = notifier.listen(uuid4())
    cable.mend()
    assert next_event(page).type == "resync"


def test_a_number_that_stays_missing_is_told_once(start: Callable[..., Notifier], publisher: Publisher) -> None:
    notifier = start()
    project_id = uuid4()
    page, other = notifier.listen(project_id), notifier.listen(uuid4())
    opened = time.monotonic()
    publisher.send(changed(project_id, 1), changed(project_id, 3))
    assert [next_event(page).type for _ in range(2)] == [
        "scene_changed",
        "scene_changed",
    ]
    assert next_event(page).type == "resync"
    assert time.monotonic() - opened > 0.3
    late, on = changed(project_id, 2), changed(project_id, 4)
    publisher.send(late, on)
    assert [next_event(page), next_event(page)] == [late, on]
    assert notifier.metric('videogen_notifier_resyncs_total{reason="gap"}') == 1
    seen = StoryboardChanged(project_id=project_id, seq=5)
    publisher.send(seen)
    assert next_event(page) == seen
    with pytest.raises(TimeoutError):
        other.recv(timeout=0)


# Who may listen.


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "http://127.0.0.1:5173",
        "http://localhost",
        "https://localhost:8443",
        "http://[::1]:8700",
        "http://studio.example:8700",
        "https://other.example",
    ],
)
def test_pages_on_this_machine_and_those_named_may_listen(origin: str | None, start: Callable[..., Notifier]) -> None:
    notifier = start(wait=False, ALLOWED_ORIGINS="http://studio.example:8700, https://other.example")
    notifier.listen(uuid4(), origin=origin)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example:8700",
        "http://studio.example",
        "http://studio.example:87000",
        "file://localhost",
        "null",
        "http://[",
        "\xff",
        "",
    ],
)
def test_any_other_page_is_refused(origin: str, start: Callable[..., Notifier]) -> None:
    notifier = start(wait=False, ALLOWED_ORIGINS="http://studio.example:8700")
    with pytest.raises(InvalidStatus) as refused:
        notifier.connect(f"/api/v1/projects/{uuid4()}/events", additional_headers={"Origin": origin})
    assert refused.value.response.status_code == 403
    assert b"ALLOWED_ORIGINS" in refused.value.response.body


def test_two_origins_are_none(start: Callable[..., Notifier]) -> None:
    notifier = start(wait=False)
    with pytest.raises(InvalidStatus) as refused:
        notifier.connect(
            f"/api/v1/projects/{uuid4()}/events",
            additional_headers=[("Origin", PAGE), ("Origin", PAGE)],
        )
    assert refused.value.response.status_code == 403


COOKIE = f"videogen_session={session_cookie(TOKEN)}"


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, None),
        ({"Authorization": f"bearer  {TOKEN}"}, PAGE),
        ({"Cookie": COOKIE}, PAGE),
        ({"Cookie": COOKIE}, None),
        (
            {"Cookie": f"odd@[]={{1}}; other; videogen_session=old; {COOKIE}; more=1"},
            PAGE,
        ),
    ],
)
def test_the_token_opens(
    headers: dict[str, str],
    origin: str | None,
    start: Callable[..., Notifier],
    publisher: Publisher,
) -> None:
    notifier = start(API_TOKEN=TOKEN)
    project_id = uuid4()
    page = notifier.connect(
        f"/api/v1/projects/{project_id}/events",
        additional_headers=headers,
        origin=origin,
    )
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    eventually(lambda: notifier.metric("videogen_notifier_sockets", bearer) == 1)
    event = changed(project_id, 1)
    publisher.send(event)
    assert next_event(page) == event


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer \xff"},
        {"Cookie": f"videogen_session={TOKEN}"},
        {"Cookie": "videogen_session=\xff"},
        {"Cookie": ";;;"},
    ],
)
def test_without_the_token_nobody_listens(
    headers: dict[str, str], start: Callable[..., Notifier], publisher: Publisher
) -> None:
    notifier = start(API_TOKEN=TOKEN)
    project_id = uuid4()
    path = f"/api/v1/projects/{project_id}/events"
    with pytest.raises(InvalidStatus) as refused:
        notifier.connect(path, additional_headers=headers)
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["WWW-Authenticate"] == "Bearer"
    assert b"API_TOKEN" in refused.value.response.body
    # A page cannot see that, and is told with a code that means: stop, and log in.
    page = notifier.connect(path, additional_headers=headers, origin=PAGE)
    publisher.send(changed(project_id, 1))
    with pytest.raises(ConnectionClosed) as closed:
        page.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_with_a_token_set_probes_answer_and_numbers_do_not(
    start: Callable[..., Notifier],
) -> None:
    notifier = start(API_TOKEN=TOKEN)
    assert notifier.get("/healthz").status_code == 200
    assert notifier.get("/readyz").status_code == 200
    assert notifier.get("/metrics").status_code == 401
    assert notifier.get("/metrics", Authorization=f"Bearer {TOKEN}").status_code == 200


# The door.


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/events",
        "/api/v1/projects",
        "/api/v1/projects/1/events",
        "/api/v1/projects/00000000-0000-0000-0000-00000000000g/events",
        "/api/v1/projects/00000000000000000000000000000001/events",
        "/api/v1/projects/{00000000-0000-0000-0000-000000000001}/events",
        "/api/v1/projects/00000000-0000-0000-0000-000000000001/events/",
        "/api/v2/projects/00000000-0000-0000-0000-000000000001/events",
    ],
)
def test_other_paths_are_not_found(path: str, start: Callable[..., Notifier]) -> None:
    notifier = start(wait=False)
    assert notifier.get(path).status_code == 404
    with pytest.raises(InvalidStatus) as refused:
        notifier.connect(path)
    assert refused.value.response.status_code == 404
    assert b"/api/v1/projects/{project_id}/events" in refused.value.response.body


def test_a_query_and_capitals_do_not_matter(start: Callable[..., Notifier], publisher: Publisher) -> None:
    notifier = start()
    project_id = uuid4()
    page = notifier.connect(f"/api/v1/projects/{str(project_id).upper()}/events?since=1")
    eventually(lambda: notifier.metric("videogen_notifier_sockets") == 1)
    event = changed(project_id, 1)
    publisher.send(event)
    assert next_event(page) == event


def test_probes(start: Callable[..., Notifier]) -> None:
    notifier = start()
    for path in ("/healthz", "/readyz"):
        answer = notifier.get(path)
        assert (answer.status_code, answer.text) == (200, "ok\n")
    metrics = notifier.get("/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain; version=")
    for name in (
        "sockets",
        "bytes_total",
        "broadcast_seconds_count",
        "deliveries_total",
    ):
        assert f"\nvideogen_notifier_{name} 0.0\n" in metrics.text
    assert notifier.get(f"/api/v1/projects/{uuid4()}/events").status_code == 426


def test_nobody_beyond_the_limit(start: Callable[..., Notifier]) -> None:
    notifier = start(wait=False, MAX_SOCKETS="2")
    first = notifier.listen(uuid4())
    notifier.listen(uuid4())
    path = f"/api/v1/projects/{uuid4()}/events"
    with pytest.raises(InvalidStatus) as refused:
        notifier.connect(path)
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["Retry-After"]
    assert notifier.metric('videogen_notifier_refusals_total{status="503"}') == 1
    first.close()
    eventually(lambda: notifier.metric("videogen_notifier_sockets") == 1)
    notifier.listen(uuid4())


def test_a_message_that_is_too_long_ends_the_socket(
    start: Callable[..., Notifier],
) -> None:
    notifier = start(wait=False)
    page = notifier.listen(uuid4())
    page.send("x" * 4096)
    page.send("x" * 4097)
    with pytest.raises(ConnectionClosed) as closed:
        page.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    eventually(lambda: notifier.metric("videogen_notifier_sockets") == 0)
    eventually(lambda: notifier.metric('videogen_notifier_closes_total{code="1009"}') == 1)


def test_a_client_that_talks_too_much_is_told_to_stop(start: Callable[..., Notifier], publisher: Publisher) -> None:
    notifier = start()
    project_id = uuid4()
    talker, page = notifier.listen(project_id), notifier.listen(project_id)
    for _ in range(20):
        talker.send("ping")
        page.ping()
    event = changed(project_id, 1)
    publisher.send(event)
    assert next_event(talker) == next_event(page) == event
    talker.send("ping")
    with pytest.raises(ConnectionClosed) as closed:
        talker.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4429
    publisher.send(after := changed(project_id, 2))
    assert next_event(page) == after


# Clients that do not read.


def test_a_client_that_never_reads_is_cut_off_and_nobody_else_notices(
    start: Callable[..., Notifier], publisher: Publisher
) -> None:
    notifier = start()
    project_id = uuid4()
    page = notifier.listen(project_id)
    with deaf_client(notifier.port, project_id):
        eventually(lambda: notifier.metric("videogen_notifier_sockets") == 2)
        for seq in range(1, 201):
            # One by one: this page never has anything unsent.
            event = changed(project_id, seq, detail=10_000)
            publisher.send(event)
            assert next_event(page) == event
        eventually(
            lambda: notifier.metric('videogen_notifier_evictions_total{reason="slow"}') == 1,
        )
        eventually(lambda: notifier.metric("videogen_notifier_sockets") == 1)


def test_previews_pass_a_client_by_that_has_not_read_what_came_before(
    start: Callable[..., Notifier], publisher: Publisher
) -> None:
    notifier = start()
    project_id = uuid4()
    page = notifier.listen(project_id)
    with deaf_client(notifier.port, project_id):
        eventually(lambda: notifier.metric("videogen_notifier_sockets") == 2)
        delivered = "videogen_notifier_deliveries_total"
        for seq in range(1, 200):
            before = notifier.metric(delivered)
            shown = previewed(project_id, "A" * MAX_PREVIEW)
            publisher.send(shown)
            assert next_event(page) == shown
            if notifier.metric(delivered) == before + 1:
                break  # To the one that reads, and no more to the other.
            publisher.send(changed(project_id, seq, detail=10_000))
            next_event(page)
        else:
            pytest.fail("pictures piled up for a client that reads nothing")
    assert notifier.metric("videogen_notifier_evictions_total") == 0


def send_for_ever(to: socket.socket, data: bytes) -> None:
    while True:
        to.sendall(data)


def test_a_client_that_asks_and_never_reads_the_answers_is_cut_off(
    start: Callable[..., Notifier],
) -> None:
    """Pongs are sent by the library, past every event."""
    notifier = start(wait=False)
    with deaf_client(notifier.port, uuid4()) as deaf:
        eventually(lambda: notifier.metric("videogen_notifier_sockets") == 1)
        ping = b"\x89\xfd" + b"\0\0\0\0" + b"x" * 125
        deaf.settimeout(20)
        with pytest.raises((ConnectionError, TimeoutError)):
            send_for_ever(deaf, ping * 100)
    eventually(lambda: notifier.metric("videogen_notifier_sockets") == 0)
    assert notifier.metric('videogen_notifier_evictions_total{reason="slow"}') == 1


# The end.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_sends_everyone_away_to_come_back(
    number: signal.Signals, start: Callable[..., Notifier], publisher: Publisher
) -> None:
    """Also with a client that takes nothing, whose socket would hold a gentle end back for ever."""
    notifier = start(MAX_UNSENT_BYTES=str(1 << 30))
    project_id = uuid4()
    page = notifier.listen(project_id)
    with deaf_client(notifier.port, project_id):
        eventually(lambda: notifier.metric("videogen_notifier_sockets") == 2)
        for seq in range(1, 201):
            # One by one: this page never has anything unsent.
            event = changed(project_id, seq, detail=10_000)
            publisher.send(event)
            assert next_event(page) == event
        notifier.service.signal(number)
        with pytest.raises(ConnectionClosed) as closed:
            page.recv(timeout=10)
        # Who is still there when the time for the stuck one is up is cut off, and told nothing.
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert notifier.service.process
        assert notifier.service.process.wait(20) == 0
        assert "sockets_aborted" in notifier.service.text()
        assert "Traceback" not in notifier.service.text()


def test_the_end_is_quick_where_nothing_is_stuck(
    start: Callable[..., Notifier],
) -> None:
    notifier = start()
    page = notifier.listen(uuid4())
    notifier.service.signal(signal.SIGTERM)
    with pytest.raises(ConnectionClosed):
        page.recv(timeout=10)
    assert notifier.service.process
    assert notifier.service.process.wait(20) == 0
    assert "sockets_aborted" not in notifier.service.text(), "the time for stuck ones was waited for"


def test_the_end_does_not_wait_for_the_bus_or_for_a_half_open_handshake(
    start: Callable[..., Notifier], cable: Cable
) -> None:
    cable.cut()
    notifier = start(wait=False, AMQP_URL=cable.url)
    with socket.create_connection(("127.0.0.1", notifier.port)):
        assert notifier.service.stop(timeout_s=8) == 0


# Settings.


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"NOTIFIER_PORT": "none"}, "NOTIFIER_PORT"),
        ({"NOTIFIER_HOST": "0.0.0.0"}, "NOTIFIER_HOST"),  # noqa: S104
        ({"ALLOWED_ORIGINS": "studio.example"}, "ALLOWED_ORIGINS"),
        ({"ALLOWED_ORIGINS": "http://studio.example/page"}, "ALLOWED_ORIGINS"),
        ({"ALLOWED_ORIGINS": "*"}, "ALLOWED_ORIGINS"),
        ({"MAX_SOCKETS": "0"}, "MAX_SOCKETS"),
        ({"MAX_SOCKETS": "1000000000"}, "MAX_SOCKETS"),
        ({"AMQP_URL": "rabbit"}, "AMQP_URL"),
    ],
)
def test_wrong_settings_are_named_in_one_line(settings: dict[str, str], named: str) -> None:
    ended = run_to_the_end(**settings)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_named_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = str(taken.getsockname()[1])
        ended = run_to_the_end(NOTIFIER_PORT=port)
    assert ended.returncode == 2
    assert port in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_help_names_what_is_read() -> None:
    ended = run_to_the_end("--help")
    assert ended.returncode == 0
    for name in (
        "AMQP_URL",
        "API_TOKEN",
        "NOTIFIER_PORT",
        "ALLOWED_ORIGINS",
        "MAX_SOCKETS",
    ):
        assert name in ended.stdout


def run_to_the_end(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.notifier", *arguments],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
