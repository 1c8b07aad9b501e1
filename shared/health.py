"""The small HTTP door of a service that has no other: `/healthz`, `/readyz`, `/metrics`."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from shared.settings import SettingsError
from shared.token import is_authorized


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the class above
        """Probes come every few seconds and say nothing."""


@contextmanager
def serve_health(host: str, port: int, token: str | None, ready: Callable[[], str | None]) -> Iterator[None]:
    """Answer probes in a thread while the block runs; the metrics only to who sends the token, where there is one.

    `ready` returns None when the service can do its work, else one sentence that says why not.
    """
    metrics = make_wsgi_app()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                if not is_authorized(token, authorization=environ.get("HTTP_AUTHORIZATION"), cookie=None):
                    start_response("401 Unauthorized", [("Content-Type", "text/plain"), ("WWW-Authenticate", "Bearer")])
                    return [b"Send the header `Authorization: Bearer` with the API_TOKEN of this service.\n"]
                return metrics(environ, start_response)  # type: ignore[no-any-return]
            case "/healthz":
                reason = None
            case "/readyz":
                reason = ready()
            case _:
                start_response("404 Not Found", [("Content-Type", "text/plain")])
                return [b"/healthz /readyz /metrics\n"]
        status = "503 Service Unavailable" if reason else "200 OK"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{reason or 'ok'}\n".encode()]

    try:
        server = make_server(host, port, app, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror}; choose another port") from error
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
