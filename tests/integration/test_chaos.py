"""A short torment with a fixed seed; `make chaos MINUTES=5 SEED=1` runs a longer one."""

import pytest

from tests.chaos import torment
from tests.fixtures.stack import Stack


@pytest.mark.timeout(300)
def test_every_promise_holds_after_twenty_seconds_of_torment(stack: Stack) -> None:
    assert torment(stack, seconds=20, seed=7, say=print) == []
