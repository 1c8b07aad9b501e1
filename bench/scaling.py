"""Images per second with 1, 2 and 4 image workers whose generator takes half a second, over that many times one.

A worker's busy share is its time in the generator over the time from the press to the end that a browser is told.
"""

import time
from collections import Counter
from collections.abc import Iterator

from bench.browser import Browser
from bench.figures import Figure
from bench.servers import Servers
from tests.fixtures.stack import Stack, eventually

TAKE_S = 0.5
WORKERS = (1, 2, 4)


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    each = 4 if quick else 40
    rates, shares = {}, {}
    with servers.studio() as stack:
        for workers in WORKERS:
            for number in range(len(stack.services) - 2, workers + 1):
                stack.worker("image", f"image-worker-{number}")
            eventually(lambda workers=workers: _alive(stack) == workers, what=f"{workers} image workers")  # type: ignore[misc]
            rates[workers], shares[workers] = _press(stack, workers, each)
    detail = {"images_per_s": rates, "busy_share_of_each": shares, "images_for_each": each, "take_s": TAKE_S}
    for workers in WORKERS[1:]:
        yield Figure(f"scaling_{workers}", rates[workers] / workers / rates[1], "of linear", (), detail)
    least = {workers: min(found) for workers, found in shares.items()}
    yield Figure("busy_share", min(least.values()), "", [share for found in shares.values() for share in found], detail)


def _alive(stack: Stack) -> int:
    return sum(seen["stage"] == "image" for seen in stack.api.get("/workers").json()["workers"])


def _press(stack: Stack, workers: int, each: int) -> tuple[float, list[float]]:
    """Images per second, and the busy share of each worker."""
    count = workers * each
    sentences = [f"take:{TAKE_S} {workers} workers {number}" for number in range(count)]
    project = stack.project(sentences)["project"]["id"]
    with Browser(stack, project) as browser:
        started = time.monotonic()
        stack.press(project, stages=["image"])
        took_s = browser.wait_for_end(60 + 2 * each * TAKE_S) - started
    busy: Counter[int] = Counter()
    for line in stack.history():
        if line["at"] >= started:
            busy[line["pid"]] += line["at"] if line["what"] == "end" else -line["at"]
    return count / took_s, sorted(share / took_s for share in busy.values())
