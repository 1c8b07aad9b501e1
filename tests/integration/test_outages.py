"""The broker, the network or the database goes away and comes back; nothing is lost but time."""

import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa

from scripts.broker import Broker
from scripts.ports import free_block
from scripts.postgres import Postgres
from tests.fixtures.checker import check
from tests.fixtures.proxy import proxy_to
from tests.fixtures.stack import SHORT_LEASE, Stack, eventually, free_port, running_stack

pytestmark = pytest.mark.timeout(240)

SENTENCES = [f"outlives {n} take:0.1" for n in range(10)]


def own(stack: Stack) -> Broker:
    assert stack.broker
    return stack.broker


def begun(stack: Stack, sentences: list[str] = SENTENCES) -> dict[str, Any]:
    """A run in the middle of its work."""
    run = stack.press(stack.project(sentences)["project"]["id"])
    eventually(lambda: len(stack.history()) >= 3, what="some work")
    return run


def all_made(stack: Stack, run: dict[str, Any], sentences: int = len(SENTENCES)) -> None:
    ended = stack.ended(run["id"], within_s=120)["run"]
    assert (ended["images"]["done"], ended["videos"]["done"], ended["failed"]) == (sentences, sentences, 0)
    assert check(stack, within_s=60) == []


def moved(stack: Stack, run: dict[str, Any], beyond: int) -> bool:
    return len(stack.history()) > beyond or bool(stack.run(run["id"])["run"]["ended_at"])


def made_once(stack: Stack) -> None:
    made = [(line["scene_id"], line["stage"]) for line in stack.history() if line["what"] == "start"]
    assert len(made) == len(set(made)), "a job was started again although nobody died"


def test_the_broker_is_killed_twice_in_the_middle_of_a_run(frail_stack: Stack) -> None:
    stack, broker = frail_stack.start(), own(frail_stack)
    run = begun(stack)
    for _ in range(2):
        broker.kill()
        broker.start()
    all_made(stack, run)
    made_once(stack)


def test_a_press_while_the_broker_is_down_is_accepted_and_done_later(frail_stack: Stack) -> None:
    stack, broker = frail_stack.start(), own(frail_stack)
    broker.stop()
    run = stack.press(stack.project(SENTENCES)["project"]["id"])
    assert run["status"] == "running"
    broker.start()
    all_made(stack, run)


def test_a_job_that_runs_while_the_broker_is_restarted_is_not_started_again(frail_stack: Stack) -> None:
    stack, broker = frail_stack.start(), own(frail_stack)
    run = stack.press(stack.project(["long enough take:12"])["project"]["id"], stages=["image"])
    eventually(stack.history, what="the job")
    broker.kill()
    broker.start()
    ended = stack.ended(run["id"], within_s=60)["run"]
    assert ended["images"]["done"] == 1
    assert [line["what"] for line in stack.history()] == ["start", "end"]


def test_a_broker_that_lost_everything_it_knew(frail_stack: Stack) -> None:
    stack, broker = frail_stack.start(), own(frail_stack)
    run = begun(stack)
    broker.stop()
    broker.wipe()
    broker.start()
    all_made(stack, run)


def test_a_frozen_broker_thaws(frail_stack: Stack) -> None:
    stack, broker = frail_stack.start(), own(frail_stack)
    run = begun(stack)
    before = stack.metrics().count("videogen_outbox_age_seconds")
    assert before
    broker.pause()
    thaw = threading.Timer(8, broker.resume)
    thaw.start()
    thaw.join()
    all_made(stack, run)
    made_once(stack)


@pytest.mark.parametrize(
    ("limit", "alarming", "usual"),
    [("set_vm_memory_high_watermark", "0.00001", "0.4"), ("set_disk_free_limit", "900000GB", "50MB")],
    ids=["memory", "disk"],
)
def test_an_alarm_holds_publishers_and_loses_nothing(frail_stack: Stack, limit: str, alarming: str, usual: str) -> None:
    stack, broker = frail_stack.start(), own(frail_stack)
    run = begun(stack)
    broker.ctl(limit, alarming)
    late = stack.press(stack.project(["pressed under alarm"])["project"]["id"])
    broker.ctl(limit, usual)
    stack.ended(late["id"])
    all_made(stack, run)


def test_the_broker_takes_the_message_of_a_long_job_back(frail_stack: Stack) -> None:
    """`consumer_timeout`: the channel is closed in the middle of the job, which goes on and is made once."""
    broker = own(frail_stack)
    for setting, milliseconds in (("consumer_timeout", 2000), ("channel_tick_interval", 500)):
        broker.ctl("eval", f"application:set_env(rabbit, {setting}, {milliseconds}).")
    stack = frail_stack.start()  # Channels read both when they are opened.
    run = stack.press(stack.project(["longer than the broker waits take:8", "and another"])["project"]["id"])
    log = broker.data / "log" / "broker.log"
    eventually(lambda: "delivery acknowledgement" in log.read_text(), within_s=20, what="the channel closed")
    all_made(stack, run, 2)
    made_once(stack)


def test_the_coordinator_sleeps_longer_than_a_lease_and_takes_nothing_back(stack: Stack) -> None:
    stack.settings |= SHORT_LEASE
    stack.start()
    run = stack.press(stack.project(["through the night take:7"])["project"]["id"], stages=["image"])
    eventually(stack.history, what="the job")
    sleepers = [s for name, s in stack.services.items() if name.startswith("coordinator")]
    for service in sleepers:
        service.signal(signal.SIGSTOP)
    pause = threading.Event()
    pause.wait(5)
    for service in sleepers:
        service.signal(signal.SIGCONT)
    detail = stack.ended(run["id"])
    assert (detail["scenes"][0]["status"], detail["scenes"][0]["attempt"]) == ("done", 1)
    made_once(stack)


@pytest.mark.parametrize(("ending", "told"), [("", "end"), ("late:bad_end", "failed")])
def test_a_job_that_comes_again_before_its_result_was_read_is_not_made_again(
    amqp: tuple[str, str], postgres_url: str, tmp_path: Path, ending: str, told: str
) -> None:
    """As after a restart of the broker that lost the acknowledgement, but not the result: one coordinator has
    the result in hand while the other is asked whether the job may start."""
    with running_stack(*amqp, postgres_url, tmp_path) as stack:
        stack.coordinators = 2
        stack.start()
        run = stack.press(stack.project([f"once take:1.5 {ending}"])["project"]["id"], stages=["image"])
        eventually(stack.history, what="the job")
        stack.republish(run["id"])
        coordinators = [service for name, service in stack.services.items() if name.startswith("coordinator")]
        for coordinator in coordinators:
            coordinator.signal(signal.SIGSTOP)
        eventually(lambda: len(stack.history()) == 2, what="the end of the generation")
        eventually(lambda: not stack.ready("image"), what="the repeated message taken")
        for coordinator in coordinators:
            coordinator.signal(signal.SIGCONT)
        stack.ended(run["id"])
        assert [line["what"] for line in stack.history()] == ["start", told]
        assert check(stack) == []


@pytest.mark.timeout(480)
@pytest.mark.parametrize("how", ["resets", "stalls", "crawls"])
def test_a_network_that_misbehaves(amqp: tuple[str, str], sqlite_stack: Stack, how: str) -> None:
    stack, address = sqlite_stack, urlsplit(amqp[0])
    with proxy_to(address.port or 5672) as proxy:
        stack.amqp_url = address._replace(
            netloc=f"{address.username}:{address.password}@127.0.0.1:{proxy.port}"
        ).geturl()
        stack.start()
        run = begun(stack)
        if how == "resets":
            for _ in range(5):
                goes_on = partial(moved, stack, run, len(stack.history()))
                proxy.reset()
                eventually(goes_on, within_s=60, what="the work to go on")
        elif how == "stalls":
            proxy.stall()
            relief = threading.Timer(7, proxy.flow)
            relief.start()
            relief.join()
        else:
            proxy.piece, proxy.delay_s = 64, 0.001
        ended = stack.ended(run["id"], within_s=300)["run"]
        assert (ended["images"]["done"], ended["videos"]["done"], ended["failed"]) == (10, 10, 0)
        proxy.piece, proxy.delay_s = 65536, 0.0
        assert check(stack, within_s=60) == []
        stack.stop()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    # Not pytest's own temporary folder: PostgreSQL's account may not enter that.
    with (
        tempfile.TemporaryDirectory(prefix="videogen-test-postgres-") as folder,
        Postgres(Path(folder), free_block(1)) as postgres,
    ):
        yield postgres


def test_postgresql_is_killed_and_restarted_in_the_middle_of_a_run(
    amqp: tuple[str, str], own_postgres: Postgres, tmp_path: Any
) -> None:
    with running_stack(*amqp, own_postgres.create_database("studio"), tmp_path) as stack:
        stack.start()
        run = begun(stack)
        own_postgres.restart()
        all_made(stack, run)
        made_once(stack)


def test_of_two_coordinators_the_leader_is_killed_and_the_other_goes_on(
    amqp: tuple[str, str], postgres_url: str, tmp_path: Any
) -> None:
    with running_stack(*amqp, postgres_url, tmp_path) as stack:
        stack.start()
        second_port = stack.environment["COORDINATOR_PORT"]
        stack.services["coordinator"].stop()
        other = Stack(stack.amqp_url, stack.management_url, stack.database_url, stack.folder)
        try:
            leader = other.coordinator("leader")
            stack.coordinator("follower", COORDINATOR_PORT=second_port)
            run = begun(stack)
            leader.kill()
            all_made(stack, run)
            made_once(stack)
        finally:
            other.stop()


def test_of_two_coordinators_the_leader_is_frozen_and_the_other_goes_on(
    amqp: tuple[str, str], postgres_url: str, tmp_path: Path
) -> None:
    """A frozen process keeps its connections: duties and messages that it holds must be taken from it."""
    with running_stack(*amqp, postgres_url, tmp_path) as stack:
        follower_port = stack.coordinator_port
        stack.coordinator_port = free_port()
        leader = stack.coordinator("leader")
        stack.coordinator_port = follower_port
        stack.coordinator("follower")
        for stage in ("image", "video"):
            stack.worker(stage)
        leader.signal(signal.SIGSTOP)
        run = stack.press(stack.project(SENTENCES)["project"]["id"])
        ended = stack.ended(run["id"], within_s=150)["run"]
        assert (ended["images"]["done"], ended["videos"]["done"]) == (len(SENTENCES), len(SENTENCES))
        leader.signal(signal.SIGCONT)
        made_once(stack)


def test_a_database_that_only_reads_is_waited_for(
    amqp: tuple[str, str], own_postgres: Postgres, tmp_path: Path
) -> None:
    """As the one that was the first does after another has taken over."""
    url = own_postgres.create_database("studio")
    with running_stack(*amqp, url, tmp_path) as stack:
        stack.start()
        run = begun(stack)
        only_reads(url, "on")
        eventually(
            lambda: "waiting_for_database" in stack.services["coordinator"].text(), what="the coordinator to wait"
        )
        only_reads(url, "off")
        all_made(stack, run)


def only_reads(url: str, on_or_off: str) -> None:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {on_or_off}')
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
    engine.dispose()


def test_a_coordinator_says_that_it_lives_while_all_requests_wait_for_the_database(
    amqp: tuple[str, str], own_postgres: Postgres, tmp_path: Path
) -> None:
    url = urlsplit(own_postgres.create_database("studio"))
    with (
        proxy_to(own_postgres.port) as proxy,
        running_stack(
            *amqp, url._replace(netloc=url.netloc.replace(str(own_postgres.port), str(proxy.port))).geturl(), tmp_path
        ) as stack,
        ThreadPoolExecutor(45) as creators,
    ):
        stack.coordinator()
        proxy.stall()
        try:
            waiting = [creators.submit(httpx.get, f"{stack.url}/api/v1/projects", timeout=60) for _ in range(45)]
            for _ in range(10):
                assert httpx.get(f"{stack.url}/healthz", timeout=10).status_code == 200
            assert not any(one.done() for one in waiting)
        finally:
            proxy.flow()
        assert {one.result().status_code for one in waiting} <= {200, 503}
