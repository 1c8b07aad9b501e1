"""A coordinator for the tests of a file; each test makes its own project."""

from collections.abc import Iterator

import pytest

from tests.fixtures.desk import Desk, Front, open_desk, serving


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    with serving() as front:
        yield front


@pytest.fixture(scope="module")
def desk(front: Front, module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(front, module_database_url, tmp_path_factory.mktemp("desk"), max_sentences=40) as desk:
        yield desk
