"""Random presses, cancels and faults, then the promises. The same seed does the same things.

python -m tests.chaos --minutes 5 --seed 1
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx

from scripts.broker import PORTS, Broker
from scripts.ports import free_block
from scripts.postgres import Postgres
from tests.fixtures.checker import INVARIANTS, Evidence
from tests.fixtures.stack import SHORT_LEASE, Stack, eventually, running_stack

Say = Callable[[str], None]


class Chaos:
    """One studio, and somebody who means it no good."""

    def __init__(self, stack: Stack, seed: int, say: Say) -> None:
        self._stack = stack
        self._chance = random.Random(seed)
        self._say = say
        self._runs: list[str] = []
        self._stories = 0
        stack.crashed = True

    def act(self) -> None:
        """One random deed."""
        deeds: list[tuple[int, Callable[[], None]]] = [
            (10, self.press),
            (4, self.cancel),
            (2, self.pause),
            (3, self.resume),
            (4, self.kill_worker),
            (2, self.kill_coordinator),
            (2, self.end_in_order),
            (2, self.freeze_briefly),
            (2, self.close_connections),
            (1, self.delete_queue),
            (1, self.purge_queue),
            (2, self.deliver_again),
        ]
        if self._stack.broker:
            deeds.append((1, self.kill_broker))
        deed = self._chance.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]
        try:
            deed()
        except (httpx.HTTPStatusError, httpx.TransportError) as error:
            self._say(f"{deed.__name__}: {error}")

    def press(self) -> None:
        self._stories += 1
        words = [f"story {self._stories} sentence {n}" for n in range(self._chance.randint(1, 6))]
        spice = ["take:0.05", "take:0.2", "image/flaky:1", "video/fail:planted", "take:0"]
        project = self._stack.project([f"{text} {self._chance.choice(spice)}" for text in words])
        order = self._chance.choice(["images_first", "per_scene"])
        run = self._stack.press(project["project"]["id"], order=order)
        self._runs.append(run["id"])
        self._say(f"press: {len(words)} sentences, {order}")

    def _some_run(self) -> str | None:
        return self._chance.choice(self._runs[-5:]) if self._runs else None

    def _tell(self, what: str) -> None:
        if run := self._some_run():
            status = self._stack.api.post(f"/runs/{run}/{what}").status_code
            self._say(f"{what}: {status}")

    def cancel(self) -> None:
        self._tell("cancel")

    def pause(self) -> None:
        self._tell("pause")

    def resume(self) -> None:
        self._tell("resume")

    def _kill(self, prefix: str) -> None:
        name = self._chance.choice(sorted(name for name in self._stack.services if prefix in name))
        self._say(f"kill -9: {name}")
        self._stack.services[name].kill()
        self._stack.restart(name)

    def kill_worker(self) -> None:
        self._kill("worker")

    def kill_coordinator(self) -> None:
        self._kill("coordinator")

    def end_in_order(self) -> None:
        name = self._chance.choice(sorted(self._stack.services))
        self._say(f"SIGTERM: {name}")
        self._stack.services[name].stop()
        self._stack.restart(name)

    def freeze_briefly(self) -> None:
        name = self._chance.choice(sorted(self._stack.services))
        service = self._stack.services[name]
        seconds = self._chance.uniform(0.2, 3)
        self._say(f"SIGSTOP for {seconds:.1f} s: {name}")
        service.signal(signal.SIGSTOP)
        if service.process:
            self._stack.frozen_pids.add(service.process.pid)
        time.sleep(seconds)
        service.signal(signal.SIGCONT)

    def close_connections(self) -> None:
        self._say(f"close {self._stack.close_connections()} connections")

    def delete_queue(self) -> None:
        queue = self._chance.choice(["jobs.image", "jobs.video"])
        self._say(f"delete queue: {queue}")
        self._stack.delete_queue(queue)

    def purge_queue(self) -> None:
        queue = self._chance.choice(["jobs.image", "jobs.video"])
        self._say(f"purge queue: {queue}")
        self._stack.purge_queue(queue)

    def deliver_again(self) -> None:
        if run := self._some_run():
            self._say("deliver every job of a run once more")
            self._stack.republish(run)

    def kill_broker(self) -> None:
        assert self._stack.broker
        self._say("kill -9: the broker")
        self._stack.broker.kill()
        self._stack.broker.start()

    def _resumed(self, run: str) -> bool:
        return self._stack.api.post(f"/runs/{run}/resume").status_code < 500

    def settle(self) -> list[str]:
        """Let everything come to its end; the broken promises, each told in one line."""
        for name, service in self._stack.services.items():
            if not service.running:
                self._stack.restart(name)
        for run in self._runs:
            eventually(partial(self._resumed, run), within_s=30, what="an answer")
        for run in self._runs:
            self._stack.ended(run, within_s=120)
        seen = Evidence(self._stack, within_s=60)
        broken = []
        for invariant in INVARIANTS:
            found = invariant(seen)
            broken += found
            name = invariant.__name__.replace("_", " ")
            self._say(f"{'ok    ' if not found else 'BROKEN'}  {name}" + "".join(f"\n        {line}" for line in found))
        return broken


def torment(stack: Stack, *, seconds: float, seed: int, say: Say) -> list[str]:
    """Start a studio, torment it for a while, let it settle. Returns the broken promises."""
    say(f"seed {seed}, {seconds:g} s")
    stack.settings |= SHORT_LEASE
    stack.start()
    stack.worker("image", "image-worker-b")
    chaos = Chaos(stack, seed, say)
    chance = random.Random(seed + 1)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        chaos.act()
        time.sleep(chance.uniform(0.05, 1.0))
    return chaos.settle()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--coordinators", type=int, default=1, help="more than one needs postgresql")
    options = parser.parse_args()
    with ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="videogen-chaos-")))
        broker = resources.enter_context(Broker(folder / "broker", free_block(PORTS)))
        url = f"sqlite:///{folder}/studio.db"
        if options.database == "postgresql":
            data = resources.enter_context(tempfile.TemporaryDirectory(prefix="videogen-chaos-postgres-"))
            url = resources.enter_context(Postgres(Path(data), free_block(1))).create_database("chaos")
        stack = resources.enter_context(running_stack(broker.url, broker.management_url, url, folder))
        stack.broker, stack.coordinators = broker, options.coordinators
        started = time.monotonic()

        def say(line: str) -> None:
            print(f"{time.monotonic() - started:7.1f}  {line}", flush=True)

        broken = torment(stack, seconds=options.minutes * 60, seed=options.seed, say=say)
    print(f"seed {options.seed}: {'every promise held' if not broken else f'{len(broken)} promises broken'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
