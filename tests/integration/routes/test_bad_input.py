"""Whatever is wrong with a request: a 4xx that names the field, and a database that has not changed."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.fixtures.desk import Desk, Json

LONG = 2**70
NO_ID = str(uuid4())
PROJECT, SENTENCE, RUN = "/projects/{project}", "/projects/{project}/sentences/{sentence}", "/runs/{run}"
SENTENCES, PRESS = PROJECT + "/sentences", PROJECT + "/generate-scenes"

TEXTS = [("", "empty"), (" \n\t\u3000", "blank"), ("\u200b\u200d\ufeff", "invisible"), ("\x00\x07", "control")]
NO_TEXT = [(5, "number"), (True, "bool"), ([], "list"), ({}, "object"), ("\ud800", "surrogate")]
NO_INT = [("5", "text"), (1.5, "fraction"), (True, "bool"), ([], "list"), (LONG, "huge"), (float("nan"), "nan")]


def case(method: str, path: str, body: Any, field: str, why: str) -> Any:
    return pytest.param(method, path, body, field, id=f"{method} {path} {field} {why}")


def cases() -> Iterator[Any]:
    new, post = {"title": "x"}, "POST"
    # Every field that is a text.
    for path, body, field, limit, required in [
        ("/projects", {}, "title", 200, True),
        ("/projects", new, "style", 500, False),
        ("/projects", new, "script", 2_000_000, True),
        ("/split", {}, "script", 2_000_000, True),
        (SENTENCES, {}, "text", 2000, True),
        (SENTENCES, {"text": "x"}, "prompt", 4000, False),
    ]:
        for value, why in NO_TEXT + [("x" * (limit + 1), "too long")] + (TEXTS if required else []):
            yield case(post, path, {**body, field: value}, field, why)
    for field, limit in [("text", 2000), ("prompt", 4000)]:
        for value, why in [*NO_TEXT, ("x" * (limit + 1), "too long"), ("x" * 100_000, "100 kB")]:
            yield case("PATCH", SENTENCE, {field: value}, field, why)
            yield case(post, "/projects", {**new, "sentences": ["a", {"text": "b", field: value}]}, f"sentences[1].{field}", why)
    for field, limit in [("title", 200), ("style", 500)]:
        for value, why in [*NO_TEXT, ("x" * (limit + 1), "too long")]:
            yield case("PATCH", PROJECT, {field: value}, field, why)
    for value, why in TEXTS:
        yield case("PATCH", PROJECT, {"title": value}, "title", why)
        yield case("PATCH", SENTENCE, {"text": value}, "text", why)
        yield case(post, "/projects", {**new, "sentences": ["a", value]}, "sentences[1].text", why)
    # Numbers.
    for value, why in [*NO_INT, (-1, "negative"), (2**53, "more than a browser can hold")]:
        yield case("PATCH", SENTENCE, {"seed": value}, "seed", why)
        yield case(post, "/projects", {**new, "sentences": [{"text": "a", "seed": value}]}, "sentences[0].seed", why)
    for value, why in [*NO_INT, (0, "zero"), (-1, "negative"), (3, "behind the end"), (2**63, "64 bits")]:
        yield case(post, SENTENCES, {"text": "x", "position": value}, "position", why)
    for method, path, body in [(post, "/projects", new), ("PATCH", PROJECT, {})]:
        for field, least, most in [("width", 64, 4096), ("height", 64, 4096), ("fps", 1, 60)]:
            for value, why in [*NO_INT, (least - 2, "too small"), (most + 2, "too large"), (None, "null")]:
                yield case(method, path, {**body, "size": {field: value}}, f"size.{field}", why)
        for seconds, why in [(0.49, "short"), (61, "long"), ("4", "text"), (float("inf"), "inf"), (float("nan"), "nan")]:
            yield case(method, path, {**body, "size": {"seconds": seconds}}, "size.seconds", why)
        yield case(method, path, {**body, "size": {"width": 65}}, "size.width", "odd")
        yield case(method, path, {**body, "size": {"depth": 1}}, "size.depth", "unknown")
        yield case(method, path, {**body, "size": "640x360"}, "size", "text")
    # Sentences of a new project.
    for value, field in [("text", "sentences"), ({}, "sentences"), ([5], "sentences[0]"), ([None], "sentences[0]")]:
        yield case(post, "/projects", {**new, "sentences": value}, field, "wrong kind")
    yield case(post, "/projects", {**new, "sentences": ["x"] * 41}, "sentences", "too many")
    yield case(post, "/projects", {**new, "script": "A dog. " * 41}, "script", "too many")
    yield case(post, "/projects", {**new, "script": "word " * 500}, "script", "a sentence too long")
    yield case(post, "/split", {"script": "word " * 500}, "script", "a sentence too long")
    yield case(post, "/projects", {**new, "sentences": ["x"], "script": "x"}, "body", "both sources")
    yield case(post, "/projects", {**new, "sentences": [{"prompt": "x"}]}, "sentences[0].text", "missing")
    yield case(post, "/projects", {**new, "sentences": [{"text": "x", "txt": 1}]}, "sentences[0].txt", "unknown")
    # Choices and ids.
    for body, field in [
        ({"order": "random"}, "order"),
        ({"order": None}, "order"),
        ({"stages": []}, "stages"),
        ({"stages": ["sound"]}, "stages[0]"),
        ({"stages": "image"}, "stages"),
        ({"stages": ["image"] * 9}, "stages"),
        ({"replace": ["image", 1]}, "replace[1]"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"dry_run": 1}, "dry_run"),
        ({"sentence_ids": []}, "sentence_ids"),
        ({"sentence_ids": ["x"]}, "sentence_ids[0]"),
        ({"sentence_ids": [NO_ID]}, "sentence_ids"),
        ({"sentence_ids": "all"}, "sentence_ids"),
        ({"sentence_ids": [5]}, "sentence_ids[0]"),
    ]:
        yield case(post, PRESS, body, field, repr(body))
    for ids, field in [(["x"], "sentence_ids[0]"), ([], "sentence_ids"), (None, "sentence_ids"), ([NO_ID], "sentence_ids")]:
        yield case(post, SENTENCES + "/reorder", {"sentence_ids": ids}, field, repr(ids))
    yield case(post, RUN + "/pause", {"stop_running": "no"}, "stop_running", "text")
    yield case(post, RUN + "/retry-failed", {"cause": "x" * 65}, "cause", "too long")
    yield case(post, RUN + "/retry-failed", {"cause": 5}, "cause", "number")
    yield case(post, RUN + "/retry-failed", {"sentence_ids": []}, "sentence_ids", "empty")
    yield case(post, "/login", {"token": 5}, "token", "number")
    yield case(post, "/login", {}, "token", "missing")
    yield case(post, "/login", {"token": "x" * 1001}, "token", "too long")
    # Everything that takes a body: unknown fields, missing ones, no object at all.
    for method, path, good, needed in BODIES:
        yield case(method, path, {**good, "unknown": 1}, "unknown", "unknown")
        for body in ([], "text", 5, True):
            yield case(method, path, body, "body", f"{type(body).__name__}")
        if needed:
            yield case(method, path, {}, needed, "missing")


BODIES = [
    ("POST", "/projects", {"title": "x"}, "title"),
    ("POST", "/split", {"script": "x"}, "script"),
    ("PATCH", PROJECT, {}, None),
    ("POST", SENTENCES, {"text": "x"}, "text"),
    ("PATCH", SENTENCE, {}, None),
    ("POST", SENTENCES + "/reorder", {"sentence_ids": []}, "sentence_ids"),
    ("POST", PRESS, {}, None),
    ("POST", RUN + "/pause", {}, None),
    ("POST", RUN + "/retry-failed", {}, None),
    ("POST", "/login", {"token": "x"}, "token"),
]


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


@pytest.mark.parametrize(("method", "path", "body", "field"), list(cases()))
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
    body = {} if method == "PATCH" else None
    problem = refused(desk, desk.api.build_request(method, path.format(**ids), json=body), 422)
    assert problem["errors"][0]["field"].endswith("_id")


def test_many_errors_are_told_as_a_few(desk: Desk) -> None:
    body = {"title": "x", "sentences": [""] * 50_000}
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
    [("a\x00b\x07c", "abc"), ("a\r\nb\rc", "a\nb\nc"), ("\x1b[31mred\x1b[0m", "[31mred[0m"), ("  a \n", "a"), ("\x85a\x9f", "a")],
)
def test_control_characters_are_taken_out(desk: Desk, sent: str, kept: str) -> None:
    assert desk.project(sent)["sentences"][0]["text"] == kept


def test_a_title_is_one_line(desk: Desk) -> None:
    board = desk.project(title=" A\r\nSet-Cookie: x\n\tstory ")
    assert board["project"]["title"] == "A Set-Cookie: x story"


def test_a_sentence_of_the_largest_length_is_accepted(desk: Desk) -> None:
    assert len(desk.project("x" * 2000)["sentences"][0]["text"]) == 2000
    assert len(desk.project(*["x"] * 40)["sentences"]) == 40
