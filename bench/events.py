"""From a worker's end of work to a browser that knows, while a run goes on.

The clock starts where the generator notes its end, so storing the file and publishing the result are
part of it, and stops where the WebSocket client has the event with the new state in its hands.
"""

import json
from collections.abc import Iterator

from bench.browser import Browser
from bench.figures import Figure, quantile
from bench.servers import Servers

TAKE_S = 0.05


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    sentences = 30 if quick else 300
    with servers.studio(SCRIPTED_TAKE_S=str(TAKE_S)) as stack:
        project = stack.project([f"Sentence {number}" for number in range(sentences)])["project"]["id"]
        with Browser(stack, project) as browser:
            stack.press(project, order="per_scene")
            browser.wait_for_end(60 + 2 * sentences * (TAKE_S + 0.1))
        told: dict[tuple[str, str], float] = {}
        for at, text in browser.received:
            for scene in json.loads(text).get("scenes", ()):
                for stage in ("image", "video"):
                    if scene[stage]:
                        told.setdefault((scene["id"], stage), at)
        ends = [line for line in stack.history() if line["what"] == "end"]
    samples = [(told[line["scene_id"], line["stage"]] - line["at"]) * 1000 for line in ends]
    yield Figure("event_ms_p50", quantile(samples, 0.5), "ms", samples)
    yield Figure("event_ms_p99", quantile(samples, 0.99), "ms")
