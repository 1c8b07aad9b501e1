"""Errors as problem documents (RFC 9457): what is wrong, in which field, and what to do."""

from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from services.coordinator.errors import BadField, Conflict, NotFound
from services.coordinator.store.database import Unavailable
from shared.artifacts import ArtifactMissing, BadKey
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

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        if isinstance(error.body, bytes) and any(tuple(e["loc"]) == ("body",) for e in found):
            wanted = "Send JSON with the header `Content-Type: application/json`."
            return problem_response(415, wanted, [FieldError(field="Content-Type", message=wanted)])
        errors = [FieldError(field=_field(e), message=_sentence(e)) for e in found[:20]]
        return problem_response(422, f"{errors[0].field}: {errors[0].message}", errors)

    @app.exception_handler(BadField)
    async def _(request: Request, error: BadField) -> Response:
        return problem_response(422, str(error), [FieldError(field=error.field, message=str(error))])

    @app.exception_handler(NotFound)
    async def _(request: Request, error: NotFound) -> Response:
        return problem_response(404, str(error))

    @app.exception_handler(ArtifactMissing)
    @app.exception_handler(BadKey)
    async def _(request: Request, error: Exception) -> Response:
        return problem_response(404, "There is no such file.")

    @app.exception_handler(Conflict)
    async def _(request: Request, error: Conflict) -> Response:
        return problem_response(409, str(error), run_id=error.run_id)

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        if error.status_code == 400 and error.__cause__:  # FastAPI's word for a body that it could not parse.
            return problem_response(422, NO_JSON, [FieldError(field="body", message=NO_JSON)])
        answer = problem_response(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    async def unavailable(request: Request, error: Exception) -> Response:
        log.error("database_unavailable", path=request.url.path, error=str(error))
        return problem_response(503, "The database does not answer; nothing was changed. Try again in a moment.")

    for kind in Unavailable:
        app.add_exception_handler(kind, unavailable)

    @app.exception_handler(Exception)
    async def _(request: Request, error: Exception) -> Response:
        log.exception("request_failed", path=request.url.path, exc_info=error)
        return problem_response(500, f"Something went wrong here ({type(error).__name__}); the log says more.")


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
