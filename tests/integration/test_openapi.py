"""What the OpenAPI document promises, asked of every route with data made up to the letter of it and against it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, CheckFunction
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    positive_data_acceptance,
    unsupported_method,
)

from services.coordinator.__main__ import make_app
from services.coordinator.settings import CoordinatorSettings
from services.coordinator.store.database import Database
from tests.fixtures.desk import Desk, open_desk, serving

DESCRIBED = make_app(CoordinatorSettings(page_folder="none"), Database("sqlite:///:memory:")).openapi()
CONFIG = SchemathesisConfig.from_dict({"generation": {"deterministic": True}, "seed": 1})
schema = schemathesis.openapi.from_dict(DESCRIBED, config=CONFIG)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    with serving() as front, open_desk(front, f"sqlite:///{folder}/studio.db", folder) as desk:
        desk.generated("One.", "Two. fail:nsfw")
        yield desk


#: Rules between fields, or with what is stored, that a schema cannot tell.
UNTOLD = (
    "at least one visible character",
    "not both",
    "so the place is at most",
    "break it with a full stop",
    "There is no sentence",
    "cannot be made anew",
    "Name each of the",
)


def keeps_its_promises(case: Case[Any], desk: Desk) -> None:
    answer = case.call(base_url=desk.base)
    excluded: list[CheckFunction] = []
    if answer.status_code == 422 and any(rule in answer.text for rule in UNTOLD):
        excluded.append(positive_data_acceptance)
    if case.path.endswith("/reorder"):  # To other methods it is a sentence, whose id is no id.
        excluded += [unsupported_method, allow_header_conformance]
    case.validate_response(answer, excluded_checks=excluded)


every_route = schema.parametrize()
examined = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@every_route
@settings(examined, max_examples=50)
def test_every_route_keeps_what_its_description_promises(case: Case[Any], desk: Desk) -> None:
    keeps_its_promises(case, desk)


@every_route
@settings(examined, max_examples=15)
def test_so_it_does_about_what_exists(case: Case[Any], desk: Desk, ids: dict[str, str]) -> None:
    """Ids that are made up are of nothing; here they are those of a story that was made."""
    if case.path_parameters:
        known = {name: ids[name] for name, made_up in case.path_parameters.items() if stands_for(name, made_up)}
        case.path_parameters.update(known)
    keeps_its_promises(case, desk)
    if case.method == "DELETE" and case.path_parameters:
        desk.api.post(case.formatted_path.removeprefix("/api/v1") + "/restore")


def stands_for(name: str, made_up: object) -> bool:
    """Not where the made-up value is wrong on purpose."""
    return isinstance(made_up, str) and (name == "key" or (len(made_up) == 36 and made_up.count("-") == 4))


@pytest.fixture
def ids(desk: Desk) -> dict[str, str]:
    board = desk.generated("One.", "Two. fail:nsfw", "Three.")
    sentence = board["sentences"][0]
    sentences = f"/projects/{board['project']['id']}/sentences/{sentence['id']}"
    return {
        "project_id": board["project"]["id"],
        "sentence_id": sentence["id"],
        "take_id": desk.get(f"{sentences}/takes")["takes"][0]["id"],
        "run_id": board["runs"][0]["id"],
        "scene_id": board["scenes"][0]["id"],
        "key": sentence["image"]["key"],
    }
