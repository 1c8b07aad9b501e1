"""Transactions on SQLite or PostgreSQL, and the right to be the only one that does a duty."""

import fcntl
import select
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection as Connection

from services.coordinator.store.schema import project

MIGRATIONS = Path(__file__).parent.parent / "migrations"
MIGRATION_LOCK = 7_330_001

#: The last but one is what a server says that only reads, as one does that another has just taken over from.
Unavailable = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError)

DUTY_SILENT_S = (
    20  #: after which a holder of a duty that says nothing has lost it; the duties are looked after far more often
)
SINCE_IDLE_TIMEOUT = (14,)  #: of PostgreSQL
TRANSACTION_SILENT_S = 60  #: after which one that stands still is ended: a process that is frozen must not keep a lock
#: A server that vanished without a word is noticed, and whoever waits for it is told.
PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class DatabaseInUse(Exception):
    """Another coordinator works on this SQLite file; only PostgreSQL can be shared."""


class Database:
    """Where the truth lies. Calls block: run them in a thread."""

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError) as error:
            raise ValueError("DATABASE_URL is no URL: use sqlite:///path/to/file.db or postgresql://...") from error
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ValueError(f"DATABASE_URL names {parsed.get_backend_name()}: only sqlite and postgresql will do")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._writer = threading.Lock()
        self._lock_file: TextIO | None = None
        if self.is_sqlite:
            if not parsed.database:
                raise ValueError("DATABASE_URL names no file: use sqlite:///path/to/file.db")
            self._path = Path(parsed.database)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self.engine = sa.create_engine(parsed, connect_args={"timeout": 10, "check_same_thread": False})
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            driver = parsed.set(drivername="postgresql+psycopg")
            patience = {name: value for name, value in PATIENCE.items() if name not in parsed.query}
            self.engine = sa.create_engine(
                driver, pool_size=10, max_overflow=10, pool_timeout=10, connect_args=patience
            )
            sa.event.listen(self.engine, "connect", _prepare_postgresql)
            sa.event.listen(self.engine, "checkout", _refuse_ended)

    def open(self) -> None:
        """Take the file for this process and bring the schema up to date. Raises `DatabaseInUse`."""
        if self.is_sqlite:
            self._lock_file = self._path.with_name(self._path.name + ".lock").open("a")
            try:
                fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DatabaseInUse(
                    f"another coordinator already works on {self._path}; "
                    "use PostgreSQL (DATABASE_URL=postgresql://...) to run more than one"
                ) from error
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_lock(MIGRATION_LOCK)))
                connection.commit()
            try:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
            finally:
                if not self.is_sqlite:
                    connection.rollback()
                    connection.execute(sa.select(sa.func.pg_advisory_unlock(MIGRATION_LOCK)))
                    connection.commit()

    def close(self) -> None:
        self.engine.dispose()
        if self._lock_file:
            self._lock_file.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent picture, whatever is committed meanwhile."""
        engine = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """All or nothing. On SQLite writers queue up here and not in its polling busy handler."""
        if self.is_sqlite:
            with (
                self._writer,
                self.engine.connect().execution_options(immediate=True) as connection,
                connection.begin(),
            ):
                yield connection
        else:
            with self.engine.begin() as connection:
                yield connection

    def take_duty(self, name: str) -> "Duty | None":
        """The exclusive right to `name` among all coordinators, or None where another one has it.

        On PostgreSQL it is bound to one session: who loses the session loses the right in the same
        moment, and cannot go on writing with it. A process that is frozen loses it after `DUTY_SILENT_S`.
        `release` it in the end.
        """
        if self.is_sqlite:
            return Duty(self, None, 0)  # `open` has shut every other coordinator out.
        key = zlib.crc32(f"videogen {name}".encode())
        connection = self.engine.connect()
        try:
            held = connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one()
            if held and (connection.dialect.server_version_info or ()) >= SINCE_IDLE_TIMEOUT:
                connection.exec_driver_sql(f"SET idle_session_timeout = '{DUTY_SILENT_S}s'")
            connection.commit()
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        if held:
            return Duty(self, connection, key)
        connection.close()
        return None


class Duty:
    """A held right; write with it as long as it lasts."""

    def __init__(self, database: Database, connection: Connection | None, key: int) -> None:
        self._database = database
        self._connection = connection
        self._key = key

    @contextmanager
    def write(self) -> Iterator[Connection]:
        if self._connection is None:
            with self._database.write() as connection:
                yield connection
        else:
            with self._connection.begin():
                yield self._connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        if self._connection is None:
            with self._database.read() as connection:
                yield connection
        else:
            with self._connection.begin():
                yield self._connection

    def check(self) -> None:
        """Raises one of `Unavailable` when the session, and the right with it, is gone."""
        with self.write() as connection:
            connection.execute(sa.select(1))

    def release(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.rollback()
            self._connection.execute(sa.select(sa.func.pg_advisory_unlock(self._key)))
            self._connection.commit()
            # Its session has limits of its own, which are nothing for the pool.
            self._connection.invalidate()
        except Unavailable:
            self._connection.invalidate()  # The server has released it with the session.
        finally:
            self._connection.close()


_LOCK_PROJECT = (
    sa.update(project)
    .where(project.c.id == sa.bindparam("project_id"), project.c.collected_at.is_(None))
    .values(seq=project.c.seq + 1)
    .returning(*(column for column in project.c if column.name != "seq"), (project.c.seq - 1).label("seq"))
)


def lock_project(connection: Connection, project_id: UUID) -> sa.Row[Any] | None:
    """Take the project for this transaction: whatever changes in it happens one after the other.

    Its `seq` rises in the same statement; the row has the one before.
    """
    return connection.execute(_LOCK_PROJECT, {"project_id": project_id}).one_or_none()


def _refuse_ended(connection: Any, _record: Any, _proxy: Any) -> None:
    """A server that went away has said so, and the pool takes another connection. A ping would cost a round trip."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        raise sa.exc.DisconnectionError


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    connection.execute(f"SET idle_in_transaction_session_timeout = '{TRANSACTION_SILENT_S}s'")
    connection.commit()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # The driver must not begin transactions of its own.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
