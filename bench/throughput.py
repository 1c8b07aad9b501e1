"""2,000 scenes from the press to the end that a browser is told, with generators that take no time.

The order is `per_scene`, since that is what a chain in Celery does. The memory of every process is
read after the first and after the second 2,000.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from bench.browser import Browser
from bench.figures import Figure
from bench.servers import DatabaseKind, Servers
from tests.fixtures.stack import Stack

KEYS: dict[DatabaseKind, str] = {"sqlite": "scenes_per_s", "postgresql": "scenes_postgres_per_s"}


def scenes(quick: bool) -> int:
    return 200 if quick else 2000


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    count = scenes(quick)
    for kind, key in KEYS.items():
        with servers.studio(kind) as stack:
            _press(stack, 20)  # Everything is loaded and connected now.
            first = _press(stack, count)
            before = _rss_mb(stack)
            second = _press(stack, count)
            after = _rss_mb(stack)
        # The first and the second alike; the mean is all scenes over all time.
        yield Figure(key, 2 * count / (first + second), "/s", [count / first, count / second], {"scenes": 2 * count})
        if kind == "sqlite":
            growth = {name: after[name] / before[name] - 1 for name in before}
            yield Figure("rss_mb", sum(after.values()), "MB", (), {"after_first": before, "after_second": after})
            yield Figure("rss_growth", max(growth.values()), "", list(growth.values()), {"by_process": growth})


def _press(stack: Stack, count: int) -> float:
    """Seconds from the press to its end."""
    project = stack.project([f"Sentence {number}" for number in range(count)])["project"]["id"]
    with Browser(stack, project) as browser:
        started = time.monotonic()
        stack.press(project, order="per_scene")
        return browser.wait_for_end(60 + count / 5) - started


def _rss_mb(stack: Stack) -> dict[str, float]:
    found = {}
    for service in stack.services.values():
        assert service.process
        status = Path(f"/proc/{service.process.pid}/status").read_text()
        kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        found[service.name] = round(kib / 1024, 1)
    return found
