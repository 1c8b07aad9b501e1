"""Bodies that are wrong in one place each, and the field that is to blame."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.desk import Json

LONG = 2**70
NO_ID = "7c9f2a14-52e8-4c5b-9a0e-3d4f6b1c8e27"  # The same in every process: names of tests hold it.
PROJECT, SENTENCE, RUN = "/projects/{project}", "/projects/{project}/sentences/{sentence}", "/runs/{run}"
SENTENCES, PRESS = PROJECT + "/sentences", PROJECT + "/generate-scenes"

TEXTS = [("", "empty"), (" \n\t\u3000", "blank"), ("\u200b\u200d\ufeff", "invisible"), ("\x00\x07", "control")]
NO_TEXT = [(5, "number"), (True, "bool"), ([], "list"), ({}, "object"), ("\ud800", "surrogate")]
NO_INT = [("5", "text"), (1.5, "fraction"), (True, "bool"), ([], "list"), (LONG, "huge"), (float("nan"), "nan")]


def case(method: str, path: str, body: Any, field: str, why: str) -> Any:
    return pytest.param(method, path, body, field, id=f"{method} {path} {field} {why}")


def cases() -> list[Any]:
    """Every request that is wrong in one place, and the field that the answer must name."""
    return [*texts(), *numbers(), *sizes(), *sentences(), *choices(), *runs(), *bodies()]


NEW: Json = {"title": "x"}
POST = "POST"


def texts() -> Iterator[Any]:
    for path, body, field, limit, required in [
        ("/projects", {}, "title", 200, True),
        ("/projects", NEW, "style", 500, False),
        ("/projects", NEW, "script", 2_000_000, True),
        ("/split", {}, "script", 2_000_000, True),
        (SENTENCES, {}, "text", 2000, True),
        (SENTENCES, {"text": "x"}, "prompt", 4000, False),
    ]:
        for value, why in NO_TEXT + [("x" * (limit + 1), "too long")] + (TEXTS if required else []):
            yield case(POST, path, {**body, field: value}, field, why)
    for field, limit in [("text", 2000), ("prompt", 4000)]:
        for value, why in [*NO_TEXT, ("x" * (limit + 1), "too long"), ("x" * 100_000, "100 kB")]:
            yield case("PATCH", SENTENCE, {field: value}, field, why)
            yield case(
                POST,
                "/projects",
                {**NEW, "sentences": ["a", {"text": "b", field: value}]},
                f"sentences[1].{field}",
                why,
            )
    for field, limit in [("title", 200), ("style", 500)]:
        for value, why in [*NO_TEXT, ("x" * (limit + 1), "too long")]:
            yield case("PATCH", PROJECT, {field: value}, field, why)
    for value, why in TEXTS:
        yield case("PATCH", PROJECT, {"title": value}, "title", why)
        yield case("PATCH", SENTENCE, {"text": value}, "text", why)
        yield case(POST, "/projects", {**NEW, "sentences": ["a", value]}, "sentences[1].text", why)


def numbers() -> Iterator[Any]:
    for value, why in [*NO_INT, (-1, "negative"), (2**53, "more than a browser can hold")]:
        yield case("PATCH", SENTENCE, {"seed": value}, "seed", why)
        yield case(POST, "/projects", {**NEW, "sentences": [{"text": "a", "seed": value}]}, "sentences[0].seed", why)
    for value, why in [*NO_INT, (0, "zero"), (-1, "negative"), (3, "behind the end"), (2**63, "64 bits")]:
        yield case(POST, SENTENCES, {"text": "x", "position": value}, "position", why)


def sizes() -> Iterator[Any]:
    changes: list[tuple[str, str, Json]] = [(POST, "/projects", NEW), ("PATCH", PROJECT, {})]
    for method, path, body in changes:
        for field, least, most in [("width", 64, 4096), ("height", 64, 4096), ("fps", 1, 60)]:
            for value, why in [*NO_INT, (least - 2, "too small"), (most + 2, "too large"), (None, "null")]:
                yield case(method, path, {**body, "size": {field: value}}, f"size.{field}", why)
        for seconds, why in [
            (0.49, "short"),
            (61, "long"),
            ("4", "text"),
            (float("inf"), "inf"),
            (float("nan"), "nan"),
        ]:
            yield case(method, path, {**body, "size": {"seconds": seconds}}, "size.seconds", why)
        yield case(method, path, {**body, "size": {"width": 65}}, "size.width", "odd")
        yield case(method, path, {**body, "size": {"depth": 1}}, "size.depth", "unknown")
        yield case(method, path, {**body, "size": "640x360"}, "size", "text")


def sentences() -> Iterator[Any]:
    value: Any
    for value, field in [("text", "sentences"), ({}, "sentences"), ([5], "sentences[0]"), ([None], "sentences[0]")]:
        yield case(POST, "/projects", {**NEW, "sentences": value}, field, "wrong kind")
    yield case(POST, "/projects", {**NEW, "sentences": ["x"] * 41}, "sentences", "too many")
    yield case(POST, "/projects", {**NEW, "script": "A dog. " * 41}, "script", "too many")
    yield case(POST, "/projects", {**NEW, "script": "word " * 500}, "script", "a sentence too long")
    yield case(POST, "/split", {"script": "word " * 500}, "script", "a sentence too long")
    yield case(POST, "/projects", {**NEW, "sentences": ["x"], "script": "x"}, "body", "both sources")
    yield case(POST, "/projects", {**NEW, "sentences": [{"prompt": "x"}]}, "sentences[0].text", "missing")
    yield case(POST, "/projects", {**NEW, "sentences": [{"text": "x", "txt": 1}]}, "sentences[0].txt", "unknown")


def choices() -> Iterator[Any]:
    body: Any
    ids: Any
    for body, field in [
        ({"order": "random"}, "order"),
        ({"order": None}, "order"),
        ({"stages": []}, "stages"),
        ({"stages": ["sound"]}, "stages[0]"),
        ({"stages": "image"}, "stages"),
        ({"stages": ["image"] * 9}, "stages"),
        ({"replace": ["image", 1]}, "replace[1]"),
        ({"replace": ["video"], "stages": ["image"]}, "replace"),
        ({"replace": ["image", "video"], "stages": ["video"]}, "replace"),
        ({"replace": ["image"], "stages": ["video"], "dry_run": True}, "replace"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"dry_run": 1}, "dry_run"),
        ({"vary": "yes"}, "vary"),
        ({"vary": 1}, "vary"),
        ({"sentence_ids": []}, "sentence_ids"),
        ({"sentence_ids": ["x"]}, "sentence_ids[0]"),
        ({"sentence_ids": [NO_ID]}, "sentence_ids"),
        ({"sentence_ids": "all"}, "sentence_ids"),
        ({"sentence_ids": [5]}, "sentence_ids[0]"),
    ]:
        yield case(POST, PRESS, body, field, repr(body))
    for ids, field in [
        (["x"], "sentence_ids[0]"),
        ([], "sentence_ids"),
        (None, "sentence_ids"),
        ([NO_ID], "sentence_ids"),
    ]:
        yield case(POST, SENTENCES + "/reorder", {"sentence_ids": ids}, field, repr(ids))


def runs() -> Iterator[Any]:
    yield case(POST, RUN + "/pause", {"stop_running": "no"}, "stop_running", "text")
    yield case(POST, RUN + "/retry-failed", {"cause": "x" * 65}, "cause", "too long")
    yield case(POST, RUN + "/retry-failed", {"cause": 5}, "cause", "number")
    yield case(POST, RUN + "/retry-failed", {"sentence_ids": []}, "sentence_ids", "empty")
    for field, other in [("width", "height"), ("height", "width")]:
        for value, why in [*NO_INT, (62, "too small"), (4098, "too large"), (65, "odd")]:
            yield case(POST, RUN + "/retry-failed", {field: value, other: 480}, field, why)
        yield case(POST, RUN + "/retry-failed", {field: 480}, "body", f"{field} alone")
    yield case(POST, "/login", {"token": 5}, "token", "number")
    yield case(POST, "/login", {}, "token", "missing")
    yield case(POST, "/login", {"token": "x" * 1001}, "token", "too long")


def bodies() -> Iterator[Any]:
    """Everything that takes a body: unknown fields, missing ones, no object at all."""
    given: Any
    for method, path, good, needed in BODIES:
        yield case(method, path, {**good, "unknown": 1}, "unknown", "unknown")
        for given in ([], "text", 5, True):
            yield case(method, path, given, "body", type(given).__name__)
        if needed:
            yield case(method, path, {}, needed, "missing")


BODIES: list[tuple[str, str, Json, str | None]] = [
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
