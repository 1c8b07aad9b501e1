"""What the OpenAPI document promises, asked of every route with data made up to the letter of it and against it."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema

from tests.fixtures.desk import Desk, open_desk, serving


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("openapi")
    with serving() as front, open_desk(front, f"sqlite:///{folder}/studio.db", folder) as desk:
        desk.generated("One.", "Two. fail:nsfw")
        yield desk


@pytest.fixture
def described(desk: Desk) -> BaseSchema:
    config = SchemathesisConfig.from_dict({"generation": {"deterministic": True}, "seed": 1})
    schema = schemathesis.openapi.from_dict(desk.app.openapi(), config=config)
    schema.config.update(base_url=desk.base)
    return schema


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_route_keeps_what_its_description_promises(case: Case) -> None:
    case.call_and_validate()
