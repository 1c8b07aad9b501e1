"""What is told about an error that a generator raised."""

import pytest

from shared.generator import GenerationFailed
from shared.making import DETAIL, describe


@pytest.mark.parametrize(
    ("called", "cause"),
    [
        ("out_of_memory", "out_of_memory"),
        ("OutOfMemory", "out_of_memory"),
        ("CUDA error: 719", "cuda_error_719"),
        ("  7 dwarfs!", "dwarfs"),
        ("Fehler ß", "fehler"),
        ("内存", "generator_error"),
        ("", "generator_error"),
        ("x" * 200, "x" * 64),
        ("x" * 63 + "_y", "x" * 63),
    ],
)
def test_a_cause_of_any_name_is_told_with_its_reason(called: str, cause: str) -> None:
    failure, retryable = describe(GenerationFailed(called, "It does not fit.", retryable=True, detail="why"))
    assert (failure.cause, failure.message, failure.detail, retryable) == (cause, "It does not fit.", "why", True)


def test_an_unexpected_error_is_told_with_the_end_of_its_trace() -> None:
    failure, retryable = describe(ZeroDivisionError("x" * 10_000))
    assert (failure.cause, retryable) == ("generator_error", True)
    assert failure.message.startswith("The generator stopped with an unexpected error: ZeroDivisionError: xxx")
    assert len(failure.detail) == DETAIL
