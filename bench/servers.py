"""The broker and the databases that all measurements of one run share, and the studio on top of them.

Nothing is shared between two measurements: each gets its own virtual host and its own database.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Literal

import httpx

from scripts.broker import USER, Broker
from scripts.ports import free_block
from scripts.postgres import Postgres
from tests.fixtures.stack import Stack, running_stack

DatabaseKind = Literal["sqlite", "postgresql"]

#: The services' own defaults, where the test stack prefers short periods.
AS_SHIPPED = {"PRESENCE_S": "2", "TICK_S": "1", "LEASE_TICK_S": "5", "RENEW_S": "5"}


class Servers:
    """Start it in the main thread: broker and database end with the thread that started them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The account that PostgreSQL runs under must be able to pass.
        folder.chmod(0o711)
        self.broker = Broker(folder / "broker", free_block(3))
        # Every commit reaches the disk, as it must where nobody wants to lose work.
        self.postgres = Postgres(folder / "postgres", free_block(1), fsync="on", full_page_writes="on")
        self._numbers = count(1)

    def start(self) -> None:
        self.broker.start()
        self.postgres.start()

    def stop(self) -> None:
        self.broker.stop()
        self.postgres.kill()

    @property
    def broker_login(self) -> tuple[str, str]:
        return USER, self.broker.password

    @property
    def postgres_url(self) -> str:
        return self.postgres.url()

    @contextmanager
    def virtual_host(self) -> Iterator[str]:
        """The URL of an empty corner of the broker, gone afterwards."""
        name = f"bench{next(self._numbers)}"
        with httpx.Client(base_url=f"{self.broker.management_url}/api", auth=self.broker_login, timeout=30) as console:
            console.put(f"/vhosts/{name}").raise_for_status()
            rights = {"configure": ".*", "write": ".*", "read": ".*"}
            console.put(f"/permissions/{name}/{USER}", json=rights).raise_for_status()
            try:
                yield self.broker.url.rstrip("/") + f"/{name}"
            finally:
                console.delete(f"/vhosts/{name}").raise_for_status()

    @contextmanager
    def database(self, kind: DatabaseKind) -> Iterator[str]:
        name = f"bench{next(self._numbers)}"
        if kind == "sqlite":
            yield f"sqlite:///{self.folder}/{name}.db"
            return
        url = self.postgres.create_database(name)
        try:
            yield url
        finally:
            self.postgres.drop_database(name)

    @contextmanager
    def studio(self, kind: DatabaseKind = "sqlite", **settings: str) -> Iterator[Stack]:
        """Coordinator, notifier and one worker of each stage, with the settings they ship with."""
        folder = self.folder / f"studio{next(self._numbers)}"
        folder.mkdir()
        with (
            self.virtual_host() as amqp_url,
            self.database(kind) as database_url,
            running_stack(
                amqp_url, self.broker.management_url, database_url, folder, **AS_SHIPPED, **settings
            ) as stack,
        ):
            stack.start()
            stack.notifier()
            yield stack
