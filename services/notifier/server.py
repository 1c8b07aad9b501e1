"""The websocket door: one path per project, and the probes beside it on the same port."""

import asyncio
import re
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit
from uuid import UUID

from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from websockets.asyncio.server import Server as Listener
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from services.notifier.connections import Connections
from services.notifier.settings import NotifierSettings
from shared.logs import get_logger
from shared.settings import SettingsError
from shared.token import COOKIE, is_authorized

PATH = re.compile(r"/api/v1/projects/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/events", re.IGNORECASE)

MAX_MESSAGE_BYTES = 4096  #: of a message from a client
MAX_MESSAGES, MESSAGES_S = 20, 10.0  #: from one client within this many seconds
SEND_BUFFER_BYTES = 64 << 10  #: in the kernel, which would take 4 MB for a client that never reads
USER_TIMEOUT_MS = 30_000  #: for a client to acknowledge anything
CLOSE_S = 5.0  #: for a client to answer a close
DRAIN_S = 3.0  #: for all of them, when the service ends

# Codes from 4400 on tell a client to stop; 1012 and 1013 to come back.
RESTART, TRY_AGAIN_LATER, NO_TOKEN, TOO_MANY_MESSAGES = 1012, 1013, 4401, 4429
KNOWN_CODES = frozenset({1000, 1001, 1002, 1005, 1006, 1007, 1009, 1011, RESTART, TRY_AGAIN_LATER, NO_TOKEN, 4429})

OK = "ok"
UNAUTHORIZED = HTTPStatus.UNAUTHORIZED, "Send the header `Authorization: Bearer` with the API_TOKEN of this service."

log = get_logger(__name__)
closes_total = Counter("videogen_notifier_closes", "Sockets that ended, by close code", ["code"])
refusals_total = Counter("videogen_notifier_refusals", "Handshakes refused, by HTTP status", ["status"])


class Server:
    """Lets clients in, listens to them only to notice that they leave."""

    def __init__(self, settings: NotifierSettings, connections: Connections, trouble: Callable[[], str | None]) -> None:
        self._settings = settings
        self._connections = connections
        self._trouble = trouble  #: why this service cannot do its work, or None
        self._listener: Listener | None = None

    async def open(self) -> None:
        """Listen. Raises `SettingsError` where the address cannot be had."""
        host, port = self._settings.notifier_host, self._settings.notifier_port
        try:
            self._listener = await serve(
                self._attend,
                host,
                port,
                process_request=self._receive,
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                open_timeout=5,
                ping_interval=20,
                ping_timeout=20,
                close_timeout=CLOSE_S,
                server_header=None,
            )
        except OSError as error:
            raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror or error}; choose another") from error
        for each in self._listener.sockets:
            _limit_buffers(each)
        log.info("listening", host=host, port=port)

    async def close(self) -> None:
        """Send everybody away with a code that says: come back. In bounded time, whatever the clients do."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close(code=RESTART, reason="service restart")
        try:
            async with asyncio.timeout(min(DRAIN_S, self._settings.stop_s / 2)):
                await listener.wait_closed()
        except TimeoutError:
            stuck = list(listener.all_connections)
            log.warning("sockets_aborted", sockets=len(stuck))
            for connection in stuck:
                connection.transport.abort()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await listener.wait_closed()

    def _receive(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a probe, refuse a client, or (None) let it in."""
        try:
            status, text = self._judge(request)
        except ValueError:
            status, text = HTTPStatus.BAD_REQUEST, "The address of this request cannot be read."
        if status is HTTPStatus.SWITCHING_PROTOCOLS:
            return None
        response = connection.respond(status, text + "\n")
        match status:
            case HTTPStatus.OK if text != OK:
                del response.headers["Content-Type"]
                response.headers["Content-Type"] = CONTENT_TYPE_LATEST
            case HTTPStatus.UNAUTHORIZED:
                response.headers["WWW-Authenticate"] = "Bearer"
            case HTTPStatus.SERVICE_UNAVAILABLE:
                response.headers["Retry-After"] = "5"
        if status is not HTTPStatus.OK and "/events" in request.path:
            refusals_total.labels(str(status.value)).inc()
        return response

    def _judge(self, request: Request) -> tuple[HTTPStatus, str]:
        path = _path(request)
        match path:
            case "/healthz":
                return HTTPStatus.OK, OK
            case "/readyz":
                trouble = self._trouble()
                return (HTTPStatus.SERVICE_UNAVAILABLE, trouble) if trouble else (HTTPStatus.OK, OK)
            case "/metrics":
                return (HTTPStatus.OK, generate_latest().decode()) if self._is_authorized(request) else UNAUTHORIZED
        if not PATH.fullmatch(path):
            return HTTPStatus.NOT_FOUND, "The events of a project are at /api/v1/projects/{project_id}/events."
        origins = request.headers.get_all("Origin")
        if len(origins) > 1 or not all(self._settings.allows_page(origin) for origin in origins):
            return (
                HTTPStatus.FORBIDDEN,
                f"Pages from {origins[0][:100]!r} may not listen here; name it in ALLOWED_ORIGINS.",
            )
        # A browser does not show a page why a handshake failed: it is let in, and told with a close code.
        if not origins and not self._is_authorized(request):
            return UNAUTHORIZED
        if len(self._connections) >= self._settings.max_sockets:
            return HTTPStatus.SERVICE_UNAVAILABLE, "Too many clients listen already; try again later."
        return HTTPStatus.SWITCHING_PROTOCOLS, ""

    def _is_authorized(self, request: Request) -> bool:
        given = request.headers.get_all("Authorization")
        authorization = given[0] if len(given) == 1 else None
        cookies = [*_cookies(request), None]
        return any(is_authorized(self._settings.token, authorization=authorization, cookie=one) for one in cookies)

    async def _attend(self, connection: ServerConnection) -> None:
        """From the handshake to the close."""
        request = connection.request
        found = PATH.fullmatch(_path(request)) if request else None
        if request is None or found is None:
            return
        if not self._is_authorized(request):
            await _close(connection, NO_TOKEN, "log in first")
        elif len(self._connections) >= self._settings.max_sockets:
            # Several were let in at once by the last free place.
            await _close(connection, TRY_AGAIN_LATER, "too many clients")
        else:
            self._connections.add(UUID(found[1]), connection)
            try:
                await _listen(connection)
            finally:
                self._connections.discard(connection)
        # An answer echoes the code; without either the network ended it.
        close = connection.protocol.close_sent or connection.protocol.close_rcvd
        code = close.code if close else 1006
        closes_total.labels(str(code) if code in KNOWN_CODES else "other").inc()


async def _listen(connection: ServerConnection) -> None:
    """Until the client leaves. What it says does not matter, unless it says too much."""
    times: deque[float] = deque(maxlen=MAX_MESSAGES)
    with suppress(ConnectionClosed):
        async for _ in connection:
            now = time.monotonic()
            if len(times) == MAX_MESSAGES and now - times[0] < MESSAGES_S:
                await _close(connection, TOO_MANY_MESSAGES, "too many messages")
                return
            times.append(now)


async def _close(connection: ServerConnection, code: int, reason: str) -> None:
    try:
        # The library's own limit starts only once a client has taken what was sent before.
        async with asyncio.timeout(CLOSE_S):
            await connection.close(code, reason)
    except TimeoutError:
        connection.transport.abort()


def _limit_buffers(listening: socket.socket) -> None:
    # Sockets that are accepted inherit both. Where the second is unknown, pings take its place.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if user_timeout := getattr(socket, "TCP_USER_TIMEOUT", None):
        listening.setsockopt(socket.IPPROTO_TCP, user_timeout, USER_TIMEOUT_MS)


def _path(request: Request) -> str:
    return urlsplit(request.path).path


def _cookies(request: Request) -> list[str]:
    """Every value of ours. A strict parser would stop at the first odd cookie of another service on this host."""
    pairs = (pair.partition("=") for line in request.headers.get_all("Cookie") for pair in line.split(";"))
    return [value.strip().strip('"') for name, _, value in pairs if name.strip() == COOKIE]
