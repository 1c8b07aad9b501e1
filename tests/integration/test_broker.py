"""The private RabbitMQ: alone on loopback, beside others, durable, and gone when it is told to go."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import aio_pika
import httpx
import pytest

from scripts.broker import PORTS, Broker, BrokerError
from scripts.ports import free_block
from tests.fixtures.stack import ROOT, eventually


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One that is only looked at; it was started from an environment that is set for another RabbitMQ."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RABBITMQ_NODE_PORT", "5672")
        patch.setenv("RABBITMQ_NODENAME", "somebody@else")
        with Broker(tmp_path_factory.mktemp("broker"), free_block(PORTS)) as broker:
            yield broker


def listeners() -> dict[int, set[str]]:
    """Port -> addresses that listen there, from the kernel's own tables."""
    found: dict[int, set[str]] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A":
                address, port = local.split(":")
                found.setdefault(int(port, 16), set()).add(address)
    return found


def processes_of(broker: Broker) -> list[str]:
    """Every process that works for this broker: all of them inherit its HOME."""
    marker = f"\0HOME={broker.data}\0".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker in b"\0" + (process / "environ").read_bytes():
                found.append((process / "comm").read_text().strip())
        except OSError:
            continue
    return found


async def publish(url: str, body: bytes) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.declare_queue("jobs", durable=True)
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "jobs", timeout=10)


async def get(url: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("jobs", durable=True, passive=True)
        message = await queue.get(timeout=10)
        await message.ack()
        return message.body


def test_it_starts_beside_another_broker_and_listens_on_loopback_only(running: Broker, own_broker: Broker) -> None:
    own_broker.start()
    asyncio.run(publish(own_broker.url, b"mine"))
    assert "jobs" in own_broker.ctl("list_queues")
    assert "jobs" not in running.ctl("list_queues")
    open_ports = listeners()
    for broker in (running, own_broker):
        for port in range(broker.port, broker.port + PORTS):
            assert open_ports[port] == {"0100007F"}
            assert port < 32768


def test_it_runs_without_the_name_server_that_would_outlive_it(running: Broker) -> None:
    assert "studio@localhost" in running.ctl("eval", "node().")
    # What the node does once a minute; the second expression waits for its end.
    running.ctl("eval", "rabbit_epmd_monitor ! check, sys:get_state(rabbit_epmd_monitor, 30000).")
    assert "beam.smp" in processes_of(running)
    assert "epmd" not in processes_of(running)


@pytest.mark.parametrize("end", [Broker.stop, Broker.kill])
def test_a_persistent_message_survives_every_end_and_no_process_does(
    own_broker: Broker, end: Callable[[Broker], None]
) -> None:
    own_broker.start()
    asyncio.run(publish(own_broker.url, b"survivor"))
    # The broker confirms a message once it is on disk, but a new queue a moment before.
    own_broker.ctl("eval", "mnesia:sync_log().")
    end(own_broker)
    eventually(lambda: processes_of(own_broker) == [], what="no process left")
    own_broker.start()
    assert asyncio.run(get(own_broker.url)) == b"survivor"


def test_a_wiped_broker_has_forgotten_its_queues_and_keeps_its_password(own_broker: Broker) -> None:
    own_broker.start()
    before = own_broker.url
    asyncio.run(publish(own_broker.url, b"lost"))
    own_broker.wipe()
    own_broker.start()
    assert own_broker.url == before
    assert "jobs" not in own_broker.ctl("list_queues")


def test_the_password_is_for_its_owner_only_and_the_console_asks_for_it(running: Broker) -> None:
    for secret in (running.password_file, running.data / "rabbitmq.conf", running.data / ".erlang.cookie"):
        assert stat.S_IMODE(secret.stat().st_mode) & 0o077 == 0
    url = f"{running.management_url}/api/overview"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, auth=("guest", "guest")).status_code == 401
    assert httpx.get(url, auth=("studio", running.password)).status_code == 200


def test_a_job_may_take_hours_before_the_broker_takes_it_back(running: Broker) -> None:
    assert "14400000" in running.ctl("eval", "application:get_env(rabbit, consumer_timeout).")


def test_a_paused_broker_says_nothing_until_it_goes_on(own_broker: Broker) -> None:
    own_broker.start()
    own_broker.pause()
    with pytest.raises(httpx.TimeoutException):
        httpx.get(own_broker.management_url, timeout=0.5)
    own_broker.resume()
    assert httpx.get(own_broker.management_url, timeout=10).status_code == 200


def test_a_taken_port_and_a_used_folder_are_named(running: Broker, tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=f"Port {running.port} .* taken"):
        Broker(tmp_path / "another", running.port).launch()
    with pytest.raises(BrokerError, match="Another RabbitMQ uses"):
        Broker(running.data, free_block(PORTS)).launch(lock_timeout_s=0.1)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_in_the_foreground_it_ends_with_its_process(own_broker: Broker, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "scripts.broker", "run"]
    where = ["--data", str(own_broker.data), "--port", str(own_broker.port)]
    with subprocess.Popen([*command, *where], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "is ready" in process.stdout.readline()
        os.kill(process.pid, how)
        assert process.wait(30) == (-signal.SIGKILL if how == signal.SIGKILL else 0)
    eventually(lambda: processes_of(own_broker) == [], what="no process left")
    own_broker.start()
