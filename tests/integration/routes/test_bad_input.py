"""Whatever is wrong with a request: a 4xx that names the field, and a database that has not changed."""

import json
from typing import Any

import httpx
import pytest

from tests.fixtures.desk import Desk, Json
from tests.integration.routes.bad_bodies import BODIES, PRESS, PROJECT, RUN, SENTENCE, SENTENCES, cases


@pytest.fixture(scope="module")
def ids(desk: Desk) -> dict[str, str]:
    """A project with one sentence and an active run."""
    board = desk.project("One.")
    run = desk.press(board["project"]["id"])
    return {"project": board["project"]["id"], "sentence": board["sentences"][0]["id"], "run": run["id"]}


def refused(desk: Desk, request: httpx.Request, status: int) -> Json:
    """The problem document, after a check that nothing was changed."""
    before = desk.dump()
    answer = desk.api.send(request)
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    problem: Json = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert len(answer.content) < 10_000, "what was sent is not sent back"
    assert desk.dump() == before
    return problem


def as_json(value: Any) -> bytes:
    """With NaN, Infinity and lone surrogates, as some writers make it."""
    return json.dumps(value).encode()


@pytest.mark.parametrize(("method", "path", "body", "field"), cases())
def test_a_wrong_field_is_named_and_nothing_is_changed(
    desk: Desk, ids: dict[str, str], method: str, path: str, body: Any, field: str
) -> None:
    request = desk.api.build_request(
        method, path.format(**ids), content=as_json(body), headers={"Content-Type": "application/json"}
    )
    problem = refused(desk, request, 422)
    assert field in [error["field"] for error in problem["errors"]]
    assert all(error["message"] for error in problem["errors"])
    assert problem["detail"]


RAW = {
    "half": b'{"title": ',
    "nothing but a brace": b"}",
    "single quotes": b"{'title': 'x'}",
    "two documents": b'{"title": "x"}{"title": "x"}',
    "an odd byte": b'{"title": "\xff"}',
    "half a character": b'{"title": "\xe2\x82"}',
    "a number of 5000 digits": b'{"title": "x", "size": {"width": ' + b"9" * 5000 + b"}}",
    "a hundred thousand brackets": b"[" * 100_000,
    "nested too deep": b'{"title":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "NUL": b"\x00",
}


@pytest.mark.parametrize(("method", "path", "good", "_"), BODIES)
@pytest.mark.parametrize("raw", RAW.values(), ids=RAW.keys())
def test_what_is_no_json_is_refused(
    desk: Desk, ids: dict[str, str], method: str, path: str, good: Json, _: str | None, raw: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    request = desk.api.build_request(method, path.format(**ids), content=raw, headers=headers)
    problem = refused(desk, request, 422)
    assert [error["field"] for error in problem["errors"]] == ["body"]


@pytest.mark.parametrize(("method", "path", "good", "_"), BODIES)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", None])
def test_json_that_is_not_called_json_is_refused(
    desk: Desk, ids: dict[str, str], method: str, path: str, good: Json, _: str | None, kind: str | None
) -> None:
    """Otherwise a form on any web page could press the button."""
    headers = {} if kind is None else {"Content-Type": kind}
    request = desk.api.build_request(method, path.format(**ids), content=as_json(good), headers=headers)
    problem = refused(desk, request, 415)
    assert problem["errors"][0]["field"] == "Content-Type"


@pytest.mark.parametrize(("method", "path", "good", "needed"), BODIES)
def test_a_body_that_is_needed_is_missed(
    desk: Desk, ids: dict[str, str], method: str, path: str, good: Json, needed: str | None
) -> None:
    if needed:
        problem = refused(desk, desk.api.build_request(method, path.format(**ids)), 422)
        assert problem["errors"][0]["field"] == "body"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/projects?limit=0", "limit"),
        ("/projects?limit=201", "limit"),
        ("/projects?limit=x", "limit"),
        ("/projects?limit=", "limit"),
        ("/projects?limit=1.5", "limit"),
        ("/projects?limit=" + "9" * 30, "limit"),
        ("/projects?offset=-1", "offset"),
        ("/projects?offset=10000001", "offset"),
        ("/projects?offset=NaN", "offset"),
        (PROJECT + "/runs?limit=0", "limit"),
        (PROJECT + "/runs?limit=201", "limit"),
        ("/projects/x", "project_id"),
        ("/projects/" + "f" * 31, "project_id"),
        ("/runs/1", "run_id"),
        (SENTENCES + "/x/takes", "sentence_id"),
    ],
)
def test_a_wrong_address_names_its_part(desk: Desk, ids: dict[str, str], path: str, field: str) -> None:
    problem = refused(desk, desk.api.build_request("GET", path.format(**ids)), 422)
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/projects/x"),
        ("DELETE", "/projects/x"),
        ("POST", "/projects/x/restore"),
        ("POST", "/projects/x/generate-scenes"),
        ("DELETE", SENTENCES + "/x"),
        ("POST", SENTENCES + "/x/restore"),
        ("POST", SENTENCE + "/takes/x/select"),
        ("POST", "/runs/x/cancel"),
        ("POST", "/runs/x/pause"),
        ("POST", "/runs/x/resume"),
        ("POST", "/runs/x/seen"),
        ("POST", "/runs/x/retry-failed"),
        ("POST", RUN + "/scenes/x/cancel"),
    ],
)
def test_what_is_no_id_is_refused_by_every_route(desk: Desk, ids: dict[str, str], method: str, path: str) -> None:
    body: Json | None = {} if method == "PATCH" else None
    problem = refused(desk, desk.api.build_request(method, path.format(**ids), json=body), 422)
    assert problem["errors"][0]["field"].endswith("_id")


def test_many_errors_are_told_as_a_few(desk: Desk) -> None:
    body: Json = {"title": "x", "sentences": [""] * 50_000}
    problem = refused(desk, desk.api.build_request("POST", "/projects", json=body), 422)
    assert 1 <= len(problem["errors"]) <= 20


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/projects/", 404)])
def test_an_unknown_address_is_a_problem_document(desk: Desk, method: str, path: str, status: int) -> None:
    refused(desk, desk.api.build_request(method, path), status)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PUT", "/projects", "POST"), ("POST", PROJECT, "GET"), ("GET", PRESS, "POST"), ("DELETE", "/config", "GET")]
    + [("PATCH", RUN + "/cancel", "POST"), ("TRACE", "/workers", "GET")],
)
def test_a_method_that_is_not_allowed_is_told_which_are(
    desk: Desk, ids: dict[str, str], method: str, path: str, allowed: str
) -> None:
    request = desk.api.build_request(method, path.format(**ids))
    refused(desk, request, 405)
    assert allowed in desk.api.send(request).headers["allow"]


# What is odd, and allowed.

HOSTILE = {
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "bidi marks": "\u202eevil\u202c \u2066x\u2069 \u200f",
    "combining": "Z\u0351\u036b\u0343a\u0308" * 20,
    "html": "<script>alert('x')</script><img src=x onerror=alert(1)>",
    "sql": "'); DROP TABLE sentence; --",
    "path": "../../etc/passwd",
    "template": "{{7*7}} ${HOME} %s %(x)s {0}",
    "json": '{"a": [1, "\\u0000"]}',
    "two lines": "One\nTwo",
    "beyond the plane": "\U0010fffd\ufffe\uffff",
    "longest": "\U0001f600" * 2000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_odd_text_comes_back_as_it_was_sent(desk: Desk, text: str) -> None:
    board = desk.project({"text": text, "prompt": text})
    kept = desk.board(board["project"]["id"])["sentences"][0]
    assert (kept["text"], kept["prompt"]) == (text.strip(), text.strip())


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a\x00b\x07c", "abc"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("  a \n", "a"),
        ("\x85a\x9f", "a"),
    ],
)
def test_control_characters_are_taken_out(desk: Desk, sent: str, kept: str) -> None:
    assert desk.project(sent)["sentences"][0]["text"] == kept


def test_a_title_is_one_line(desk: Desk) -> None:
    board = desk.project(title=" A\r\nSet-Cookie: x\n\tstory ")
    assert board["project"]["title"] == "A Set-Cookie: x story"


def test_a_sentence_of_the_largest_length_is_accepted(desk: Desk) -> None:
    assert len(desk.project("x" * 2000)["sentences"][0]["text"]) == 2000
    assert len(desk.project(*["x"] * 40)["sentences"]) == 40
