"""The two requests that grow with the storyboard, at the largest one that is allowed."""

import time
from collections.abc import Iterator

from bench.figures import Figure, quantile
from bench.servers import DatabaseKind, Servers

SUFFIX: dict[DatabaseKind, str] = {"sqlite": "", "postgresql": "_postgres"}


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    sentences, rounds = (1000, 2) if quick else (10_000, 5)
    for kind, suffix in SUFFIX.items():
        accepts, snapshots, size = [], [], 0
        with servers.studio(kind, SCRIPTED_TAKE_S="3600") as stack:
            api = stack.api
            for number in range(rounds):
                body = {"title": f"Story {number}", "sentences": [f"Sentence {n} of a story" for n in range(sentences)]}
                made = api.post("/projects", json=body)
                made.raise_for_status()
                path = f"/projects/{made.json()['project']['id']}"
                started = time.monotonic()
                pressed = api.post(f"{path}/generate-scenes")
                accepts.append((time.monotonic() - started) * 1000)
                pressed.raise_for_status()
                for _ in range(3):
                    started = time.monotonic()
                    board = api.get(path)
                    snapshots.append((time.monotonic() - started) * 1000)
                    board.raise_for_status()
                    size = len(board.content)
                api.post(f"/runs/{pressed.json()['id']}/cancel").raise_for_status()
        detail = {"sentences": sentences}
        yield Figure(f"accept{suffix}_ms", quantile(accepts, 0.5), "ms", accepts, detail)
        yield Figure(f"snapshot{suffix}_ms", quantile(snapshots, 0.5), "ms", snapshots, detail | {"bytes": size})
