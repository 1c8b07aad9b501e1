"""Errors as problem documents (RFC 9457): what is wrong, in which field, and what to do."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from services.coordinator.errors import BadField, Conflict, NotFound
from services.coordinator.store.database import Unavailable
from shared.artifacts import ArtifactMissing, BadKey, StorageFailed
from shared.logs import get_logger

log = get_logger(__name__)

TITLES = {
    400: "Bad request",
    401: "Not logged in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Not now",
    413: "Too large",
    415: "Unsupported media type",
    416: "No such range",
    422: "Bad input",
    500: "Our mistake",
    503: "Not available",
}


NO_JSON = "This cannot be read as JSON in UTF-8: an odd byte, a number too long, or nested too deep."


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class FieldError(BaseModel):
    field: str  #: such as `sentences[3].text`
    message: str


class Problem(BaseModel):
    """What every error answers, as `application/problem+json`."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
    run_id: UUID | None = None  #: the run that is in the way


def problem_response(
    status: int, detail: str, errors: list[FieldError] | None = None, run_id: UUID | None = None
) -> Response:
    title = TITLES.get(status, "Error")
    document = Problem(title=title, status=status, detail=detail, errors=errors or [], run_id=run_id)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return Response(
        document.model_dump_json(exclude_none=True),
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def answer_errors(app: FastAPI) -> None:
    """Give every error of the app its answer."""
    for kinds, handler in _HANDLERS:
        for kind in kinds:
            app.add_exception_handler(kind, handler)


async def _bad_request(_: Request, error: Any) -> Response:
    found = error.errors()
    if isinstance(error.body, bytes) and any(tuple(e["loc"]) == ("body",) for e in found):
        wanted = "Send JSON with the header `Content-Type: application/json`."
        return problem_response(415, wanted, [FieldError(field="Content-Type", message=wanted)])
    errors = [FieldError(field=_field(e), message=_sentence(e)) for e in found[:20]]
    return problem_response(422, f"{errors[0].field}: {errors[0].message}", errors)


async def _bad_field(_: Request, error: Any) -> Response:
    return problem_response(422, str(error), [FieldError(field=error.field, message=str(error))])


async def _not_found(_: Request, error: Any) -> Response:
    return problem_response(404, str(error))


async def _no_file(_: Request, error: Any) -> Response:
    return problem_response(404, "There is no such file.")


async def _conflict(_: Request, error: Any) -> Response:
    return problem_response(409, str(error), run_id=error.run_id)


async def _http(request: Request, error: Any) -> Response:
    if error.status_code == 400 and error.__cause__:  # FastAPI's word for a body that it could not parse.
        return problem_response(422, NO_JSON, [FieldError(field="body", message=NO_JSON)])
    answer = problem_response(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        answer.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return answer


async def _unavailable(request: Request, error: Any) -> Response:
    log.error("database_unavailable", path=request.url.path, error=str(error))
    return problem_response(503, "The database does not answer; nothing was changed. Try again in a moment.")


async def _no_storage(request: Request, error: Any) -> Response:
    log.error("storage_failed", path=request.url.path, error=str(error))
    return problem_response(503, "The storage of the files does not answer. Try again in a moment.")


async def _our_mistake(request: Request, error: Any) -> Response:
    log.error("request_failed", path=request.url.path, exc_info=error)
    return problem_response(500, f"Something went wrong here ({type(error).__name__}); the log says more.")


_HANDLERS: tuple[tuple[tuple[type[Exception], ...], Callable[[Request, Any], Awaitable[Response]]], ...] = (
    ((RequestValidationError,), _bad_request),
    ((BadField,), _bad_field),
    ((NotFound,), _not_found),
    ((ArtifactMissing, BadKey), _no_file),
    ((Conflict,), _conflict),
    ((HTTPException,), _http),
    (Unavailable, _unavailable),
    ((StorageFailed,), _no_storage),
    ((Exception,), _our_mistake),
)


def _methods(request: Request) -> set[str]:
    """What may be done at this address. The router itself names only those of the first route that fits."""
    app: FastAPI = request.app
    return {
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in app.routes
            if not isinstance(route, Mount)
        )
    }


def _field(error: Any) -> str:
    if error["type"] == "json_invalid":
        return "body"
    name = ""
    for part in error["loc"]:
        if part in ("body", "query", "path") and not name:
            continue
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name or "body"


def _sentence(error: Any) -> str:
    if error["type"] == "json_invalid":
        return f"This is not JSON: {error['ctx']['error']} at character {error['loc'][-1]}."
    if error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "Send a JSON object."
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message[:1].upper() + message[1:500]
