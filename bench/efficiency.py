"""How much of a run's time the generators work: the ideal makespan over the measured one."""

import time
from collections.abc import Iterator

from bench.browser import Browser
from bench.figures import Figure
from bench.servers import Servers

IMAGE_S, VIDEO_S = 0.5, 1.5


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    count = 4 if quick else 12
    ideal_s = {
        "images_first": count * (IMAGE_S + VIDEO_S),
        "per_scene": IMAGE_S + count * VIDEO_S,  # Videos take longer, so only the first image is waited for.
    }
    reached = {}
    with servers.studio() as stack:
        for order, ideal in ideal_s.items():
            body = [f"image/take:{IMAGE_S} video/take:{VIDEO_S} {number}" for number in range(count)]
            project = stack.project(body)["project"]["id"]
            with Browser(stack, project) as browser:
                started = time.monotonic()
                stack.press(project, order=order)
                reached[order] = ideal / (browser.wait_for_end(60 + 2 * ideal) - started)
    yield Figure("efficiency", min(reached.values()), "", list(reached.values()), reached)
