"""From the end of one generation to the start of the next on the same worker.

Both times are written down by the generator itself. Between them lie: store the file, publish the
result and have it confirmed, acknowledge, receive the next job, claim it, be granted.
"""

from collections.abc import Iterator

from bench.browser import Browser
from bench.figures import Figure, quantile
from bench.servers import DatabaseKind, Servers
from tests.fixtures.stack import Stack

TAKE_S = 0.1
KEYS: dict[DatabaseKind, str] = {"sqlite": "handover_ms_p50", "postgresql": "handover_postgres_ms_p50"}


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    sentences = 20 if quick else 100
    for kind, key in KEYS.items():
        with servers.studio(kind, SCRIPTED_TAKE_S=str(TAKE_S)) as stack:
            project = stack.project([f"Sentence {number}" for number in range(sentences)])["project"]["id"]
            with Browser(stack, project) as browser:
                stack.press(project)
                browser.wait_for_end(60 + 2 * sentences * (TAKE_S + 0.1))
            by_stage = {stage: gaps_ms(stack, stage) for stage in ("image", "video")}
        samples = [gap for gaps in by_stage.values() for gap in gaps]
        detail = {f"{stage}_p50": round(quantile(gaps, 0.5), 3) for stage, gaps in by_stage.items()}
        yield Figure(key, quantile(samples, 0.5), "ms", samples, detail | {"p99": round(quantile(samples, 0.99), 3)})


def gaps_ms(stack: Stack, stage: str) -> list[float]:
    """Between the generations of one stage's worker, in their order."""
    lines = [line for line in stack.history() if line["stage"] == stage]
    ends = [line["at"] for line in lines if line["what"] == "end"]
    starts = [line["at"] for line in lines if line["what"] == "start"]
    return [(start - end) * 1000 for end, start in zip(ends, starts[1:], strict=False)]
