"""What a hand-over is made of: the same measurement as `handover`, with every place on the way noted.

Noting costs a little, so the sum is more than `handover` measures.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from bench.browser import Browser
from bench.figures import Figure, quantile
from bench.handover import TAKE_S
from bench.servers import DatabaseKind, Servers
from tests.fixtures.stack import Stack

#: Places in the order in which a hand-over passes them, each with what was done to get there.
OF_THE_OLD = {
    "stored": "store the file",
    "heard of the end": "from the generator's thread to the loop",
    "reporting": "put the result together",
    "reported": "publish the result, until it is confirmed",
}
OF_THE_NEW = {
    "received": "acknowledge, and receive the next job",
    "asked": "ask, until the coordinator has the claim",
    "deciding": "to a thread of the database",
    "locked": "wait for the project's lock",
    "decided": "decide, and commit",
    "granted": "answer, until the worker has it",
    "start": "to the generator's thread",
}
KEYS: dict[DatabaseKind, str] = {"sqlite": "handover_parts_ms", "postgresql": "handover_parts_postgres_ms"}


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    sentences = 20 if quick else 100
    for kind, key in KEYS.items():
        log = servers.folder / f"trace-{kind}.jsonl"
        settings = {"PYTHONPATH": str(Path(__file__).parent / "tracing"), "TRACE_LOG": str(log)}
        with servers.studio(kind, SCRIPTED_TAKE_S=str(TAKE_S), **settings) as stack:
            project = stack.project([f"Sentence {number}" for number in range(sentences)])["project"]["id"]
            with Browser(stack, project) as browser:
                stack.press(project)
                browser.wait_for_end(60 + 2 * sentences * (TAKE_S + 0.1))
            handovers = list(_handovers(stack, log))
        parts = {
            text: round(quantile([handover[place] for handover in handovers], 0.5), 3)
            for place, text in {**OF_THE_OLD, **OF_THE_NEW}.items()
        }
        totals = [sum(handover.values()) for handover in handovers]
        yield Figure(key, quantile(totals, 0.5), "ms", totals, {"parts_p50": parts})


def _handovers(stack: Stack, log: Path) -> Iterator[dict[str, float]]:
    """Milliseconds to each place, for every two generations that followed each other in the image worker."""
    lines = [line for line in stack.history() if line["stage"] == "image"]
    ids = [line["scene_id"] for line in lines if line["what"] == "start"]
    passed = {(line["what"], line["scene_id"]): line["at"] for line in lines}
    for line in log.read_text().splitlines():
        at, place, scene_id = json.loads(line)
        # Its image comes before its video, and the first time counts.
        passed.setdefault((place, scene_id), at)
    for old, new in pairwise(ids):
        here, parts = passed["end", old], {}
        for place in (*OF_THE_OLD, *OF_THE_NEW):
            there = passed[place, old if place in OF_THE_OLD else new]
            parts[place], here = (there - here) * 1000, there
        yield parts
