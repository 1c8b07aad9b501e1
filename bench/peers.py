"""The same 2,000 scenes without us: in Celery, and in bare aio-pika, on the same broker."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import aio_pika
import sqlalchemy as sa

from bench.figures import Figure, quantile
from bench.servers import Servers
from bench.throughput import scenes
from tests.fixtures.stack import ROOT, eventually

STALLED_S = 30  #: without a single finished scene


class Stalled(Exception):
    """The peer stopped making progress; what it did until then is no figure."""


def measure(servers: Servers, *, quick: bool) -> Iterator[Figure]:
    count = scenes(quick)
    rounds = 1 if quick else 3
    raw = [_raw(servers, count) for _ in range(rounds)]
    yield Figure("raw_scenes_per_s", quantile(raw, 0.5), "/s", raw, {"scenes": count})
    celery = []
    for _ in range(rounds):
        try:
            celery.append(_celery(servers, count))
        except Stalled as error:
            print(f"    celery stalled, which does not count: {error}", flush=True)
    if celery:
        yield Figure("celery_scenes_per_s", quantile(celery, 0.5), "/s", celery, {"scenes": count})


def _raw(servers: Servers, count: int) -> float:
    with servers.virtual_host() as url:
        asyncio.run(_declare(url))
        pairs = (("image", "video"), ("video", "done"))
        commands = [[sys.executable, "-m", "bench.raw_peer", url, *pair] for pair in pairs]
        with _processes(commands, servers.folder / "raw.log"):
            time.sleep(1)
            return count / asyncio.run(_feed_raw(url, count))


async def _declare(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for name in ("image", "video", "done"):
            await channel.declare_queue(name, durable=True)


async def _feed_raw(url: str, count: int) -> float:
    """Seconds from the first message to the last one that arrives at the end."""
    async with await aio_pika.connect(url) as giving, await aio_pika.connect(url) as taking:
        done = await (await taking.channel(publisher_confirms=False)).get_queue("done")
        exchange = (await giving.channel(publisher_confirms=True, on_return_raises=True)).default_exchange
        started = time.monotonic()

        async def feed() -> None:
            for first in range(0, count, 100):
                await asyncio.gather(*(_publish(exchange, number) for number in range(first, min(first + 100, count))))

        feeding = asyncio.create_task(feed())
        arrived = 0
        async with done.iterator(no_ack=True) as deliveries:
            async for _ in deliveries:
                arrived += 1
                if arrived == count:
                    break
        took_s = time.monotonic() - started
        await feeding
        return took_s


async def _publish(exchange: aio_pika.abc.AbstractExchange, number: int) -> None:
    # About as long as a job of ours.
    body = f'{{"number":{number},"padding":"{"x" * 200}"}}'.encode()
    message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await exchange.publish(message, "image", mandatory=True, timeout=5)


def _celery(servers: Servers, count: int) -> float:
    with servers.virtual_host() as url, servers.database("postgresql") as results:
        environment = {"PEER_AMQP_URL": url, "PEER_RESULTS_URL": f"db+{results}"}
        worker = [sys.executable, "-m", "celery", "-A", "bench.celery_peer", "worker", "--pool", "prefork", "-c", "1"]
        commands = [[*worker, "-Q", queue, "-n", f"{queue}@peer", "-l", "warning"] for queue in ("image", "video")]
        engine = sa.create_engine(results)
        try:
            with _processes(commands, servers.folder / "celery.log", environment):
                _feed_celery(1, environment)
                eventually(lambda: _finished(engine) == 1, within_s=60, what="Celery being ready")
                started = time.monotonic()
                feeding = subprocess.Popen(*_feeder(count), env={**os.environ, **environment}, cwd=ROOT)
                ended = _wait(engine, count + 1)
                feeding.wait()
                return count / (ended - started)
        finally:
            engine.dispose()


def _feeder(count: int) -> tuple[list[str]]:
    program = (
        "from celery import chain; from bench.celery_peer import image, video\n"
        f"for number in range({count}): chain(image.s(number), video.s()).apply_async()"
    )
    return ([sys.executable, "-c", program],)


def _feed_celery(count: int, environment: dict[str, str]) -> None:
    subprocess.run(*_feeder(count), env={**os.environ, **environment}, cwd=ROOT, check=True)


def _finished(engine: sa.Engine) -> int:
    """Chains of which both tasks have ended well."""
    query = sa.text("SELECT count(*) FROM celery_taskmeta WHERE status = 'SUCCESS'")
    with engine.connect() as connection:
        try:
            return int(connection.execute(query).scalar_one()) // 2
        except sa.exc.ProgrammingError:
            return 0  # The table is made with the first result.


def _wait(engine: sa.Engine, wanted: int) -> float:
    before, moved_at = 0, time.monotonic()
    while (finished := _finished(engine)) < wanted:
        now = time.monotonic()
        if finished != before:
            before, moved_at = finished, now
        elif now - moved_at > STALLED_S:
            raise Stalled(f"{finished} of {wanted} scenes, then nothing for {STALLED_S} s")
        time.sleep(0.2)
    return time.monotonic()


@contextmanager
def _processes(
    commands: Sequence[Sequence[str]], log: Path, environment: dict[str, str] | None = None
) -> Iterator[None]:
    with log.open("ab") as file:
        started = [
            subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=file, stderr=file)
            for command in commands
        ]
        try:
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
