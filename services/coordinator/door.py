"""What every request passes before it reaches a route: host, origin, token, size."""

from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.coordinator.problems import problem_response
from services.coordinator.settings import CoordinatorSettings
from shared.token import is_authorized, session_cookies

#: Open without a token: they reveal nothing, and the login page must load.
OPEN_PATHS = ("/healthz", "/readyz", "/api/v1/login")


class Door:
    """An ASGI middleware. Refusals are problem documents like every other error."""

    def __init__(self, app: ASGIApp, settings: CoordinatorSettings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = {host.lower() for host in listed(settings.allowed_hosts)}
        self._origins = set(listed(settings.allowed_origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refuse(scope["method"], scope["path"], headers)
        if refusal:
            await problem_response(*refusal)(scope, receive, send)
            return
        if "transfer-encoding" in headers:
            try:
                body = await self._read(receive)
            except ClientDisconnect:
                return  # Half a request is none.
            if body is None:
                await problem_response(413, self._too_large())(scope, receive, send)
                return
            receive = _replay(body, receive)
        await self._app(scope, receive, send)

    def _refuse(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str] | None:
        if any(character < " " for character in path):
            # Routes match before a line break at the end of a path, and what guards them would not.
            return 404, "There is no such address."
        host = headers.get("host", "")
        given = headers.get("authorization")
        if "*" not in self._hosts and _name(host) not in self._hosts and not self._knows_token(given):
            # Otherwise any web page could reach us under a name of its own (DNS rebinding). Who sends the token
            # itself is no such page, and may use any name or address: one of many replicas has no name of its own.
            return 400, f"This service is not reached as {host[:100]!r}; name it in ALLOWED_HOSTS."
        origin = headers.get("origin")
        if origin and method not in ("GET", "HEAD") and _place(origin) != host and origin not in self._origins:
            return 403, f"Requests from the page {origin[:100]!r} are not accepted; name it in ALLOWED_ORIGINS."
        guarded = path.startswith("/api/") or path in ("/metrics", "/openapi.json")
        if guarded and path not in OPEN_PATHS:
            cookies = [None, *session_cookies(headers.get("cookie", ""))]
            if not any(is_authorized(self._settings.token, authorization=given, cookie=one) for one in cookies):
                return 401, "Log in, or send the header `Authorization: Bearer` with the API_TOKEN of this service."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._settings.max_body_bytes:
            return 413, self._too_large()
        return None

    def _knows_token(self, authorization: str | None) -> bool:
        token = self._settings.token
        return token is not None and is_authorized(token, authorization=authorization, cookie=None)

    async def _read(self, receive: Receive) -> bytes | None:
        """A body that does not tell its length, or None when it is too long."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > self._settings.max_body_bytes:
                return None
            if not message.get("more_body"):
                return bytes(body)

    def _too_large(self) -> str:
        return f"The request is larger than {self._settings.max_body_bytes:,} bytes."


def _name(host: str) -> str:
    if host.startswith("["):
        return host[: host.find("]") + 1].lower()
    return host.partition(":")[0].lower()


def _place(origin: str) -> str | None:
    """Name and port of the page's address; None where it is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def listed(setting: str) -> list[str]:
    """The parts of a setting that names several, separated by commas."""
    return [part.strip() for part in setting.split(",") if part.strip()]


def _replay(body: bytes, receive: Receive) -> Receive:
    replayed = False

    async def replaying() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replaying
