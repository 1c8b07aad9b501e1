"""Two runs of 2,000 scenes share the queues; the one that a worker is busy with is cancelled.

- answer: from the request to its answer
- queue: from the request until a pass over the shared queue has taken every message of the run off it
- stop: from the answer until the generator itself notes that it stopped
"""

import time
from collections.abc import Iterator

import sqlalchemy as sa

from bench.figures import Figure, quantile
from bench.servers import Servers
from tests.fixtures.stack import Stack, eventually


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    count, rounds = (200, 3) if quick else (2000, 10)
    answers, queues, stops = [], [], []
    with servers.studio(SCRIPTED_TAKE_S="3600") as stack:
        stories = [f"Sentence {number}" for number in range(count)]
        first, second = (stack.project(stories)["project"]["id"] for _ in range(2))
        for _ in range(rounds):
            run_id = stack.press(first)["id"]
            eventually(lambda: _running(stack) == 1, what="a running job")
            other_id = stack.press(second)["id"]
            eventually(lambda: stack.ready("image") >= 60, what="both runs on the queue")
            answer, queue, answered_at = _cancel(stack, run_id)
            answers.append(answer)
            queues.append(queue)
            eventually(lambda: stack.ready("image") in (31, 32), what="the other run on the queue, all of it")
            stopped = [line["at"] for line in stack.history() if line["what"] == "stopped"]
            stops.append((stopped[-1] - answered_at) * 1000)
            _cancel(stack, other_id)
            eventually(lambda: _running(stack) == 0, what="the end of both runs")
    yield Figure("cancel_answer_ms", quantile(answers, 0.5), "ms", answers)
    yield Figure("cancel_queue_ms", quantile(queues, 0.5), "ms", queues)
    yield Figure("cancel_stop_ms", quantile(stops, 0.5), "ms", stops)


def _cancel(stack: Stack, run_id: str) -> tuple[float, float, float]:
    """Milliseconds to the answer and to the clean queue, and when the answer came."""
    engine = sa.create_engine(stack.database_url)
    pending = sa.text("SELECT count(*) FROM run WHERE purge_pending")
    api = stack.api
    with engine.connect() as connection:
        api.get("/config")  # The connection is made before the clock runs.
        started = time.monotonic()
        answer = api.post(f"/runs/{run_id}/cancel")
        answered_at = time.monotonic()
        answer.raise_for_status()
        while connection.execute(pending).scalar_one():
            connection.rollback()
            time.sleep(0.002)
        cleaned_at = time.monotonic()
    engine.dispose()
    return (answered_at - started) * 1000, (cleaned_at - started) * 1000, answered_at


def _running(stack: Stack) -> int:
    """Generations that were begun and have not ended."""
    lines = stack.history()
    return sum(1 if line["what"] == "start" else -1 for line in lines)
