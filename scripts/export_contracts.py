"""The contracts as one OpenAPI document: every route, and the events of the socket as `BrowserEvent`.

The page's types are generated from it. The same code always gives the same bytes, so that a stale file
can be told by comparing.

    python -m scripts.export_contracts frontend/src/api/openapi.gen.json
    python -m scripts.export_contracts --check frontend/src/api/openapi.gen.json
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI

from services.coordinator.problems import Problem
from services.coordinator.routes import api
from shared.contracts.events import BrowserEvent

EVENTS = "/api/v1/projects/{project_id}/events"
COMPONENTS = "#/components/schemas/"


def contracts() -> dict[str, Any]:
    """The OpenAPI document of the coordinator with the notifier's events among its components."""
    # The routes are only described here and never called, so nothing has to stand behind them.
    nothing = cast(Any, None)
    app = FastAPI(title="VideoGen Studio", version="1")
    app.include_router(api(nothing, nothing, nothing, nothing, lambda: None))

    # OpenAPI knows no sockets. As a route the union gets its components the way all others get theirs.
    @app.get(EVENTS, response_model=BrowserEvent)
    def events() -> None: ...

    document = app.openapi()
    schemas: dict[str, Any] = document["components"]["schemas"]
    route = document["paths"].pop(EVENTS)
    schemas["BrowserEvent"] = route["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    _require_what_is_always_sent(document)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def _require_what_is_always_sent(document: dict[str, Any]) -> None:
    """Answers and events carry every field, those with a default too. Only a problem leaves some out."""
    schemas = document["components"]["schemas"]
    answers = [operation["responses"] for path in document["paths"].values() for operation in path.values()]
    wanted = [*_references(answers), "BrowserEvent"]
    seen = {Problem.__name__}
    while wanted:
        name = wanted.pop()
        if name not in seen:
            seen.add(name)
            wanted.extend(_references(schemas[name]))
            if "properties" in schemas[name]:
                schemas[name]["required"] = list(schemas[name]["properties"])


def _references(node: Any) -> Iterator[str]:
    """Names of the components that are mentioned anywhere in it."""
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference.removeprefix(COMPONENTS)
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _references(part)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the file is stale")
    asked = parser.parse_args()
    text = json.dumps(contracts(), indent=1, ensure_ascii=False) + "\n"
    if not asked.check:
        asked.file.write_text(text, encoding="utf-8")
        return 0
    if asked.file.exists() and asked.file.read_text(encoding="utf-8") == text:
        return 0
    print(f"{asked.file} does not match the contracts: run `make contracts`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
