"""The private PostgreSQL that tests use where neither a URL nor a Docker engine is given."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from scripts.ports import free_block
from scripts.postgres import Postgres, PostgresError


def plain(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:", 1)


@pytest.fixture
def server() -> Iterator[Postgres]:
    # pytest's own folder is closed to the account that root lends PostgreSQL.
    with tempfile.TemporaryDirectory() as folder, Postgres(Path(folder), free_block(1)) as server:
        yield server


def test_what_was_committed_survives_a_kill(server: Postgres) -> None:
    url = server.create_database("story")
    with psycopg.connect(plain(url)) as connection:
        connection.execute("CREATE TABLE line (text TEXT)")
        connection.execute("INSERT INTO line VALUES ('ein Wörtchen, 一句话')")
    server.kill()
    server.start()
    with psycopg.connect(plain(url)) as connection:
        assert connection.execute("SELECT text FROM line").fetchone() == ("ein Wörtchen, 一句话",)


def test_it_restarts_although_clients_are_connected(server: Postgres) -> None:
    with psycopg.connect(plain(server.url())) as connection:
        server.restart()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    psycopg.connect(plain(server.url())).close()


def test_a_database_is_dropped_although_clients_are_connected(server: Postgres) -> None:
    url = server.create_database("story")
    with psycopg.connect(plain(url)):
        server.drop_database("story")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(plain(url))


def test_nobody_comes_in_without_the_password(server: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(plain(server.url()).replace(server.password, "guess"))


def test_a_taken_port_is_named(server: Postgres) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises(PostgresError, match=f"Port {server.port} .* taken"):
        Postgres(Path(folder), server.port).start()
