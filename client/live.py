"""Follows one project: events over the socket, and the storyboard whenever they do not suffice."""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from client.api import Studio, Unreachable
from client.board import Board
from shared.contracts.events import BrowserEvent, Resync

GAP_S = 0.5  #: an event that is only late comes within this time
SPACING_S = 0.2  #: between two fetches
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0  #: before another try to connect, at random up to this
POLL_S = 2.0  #: between fetches where the socket is closed to us
PATIENCE_S = 60.0  #: with a studio that answers nothing at all
FAILED_TRIES = 3  #: after which the user hears of it
MAX_EVENT_BYTES = 64 << 20

T = TypeVar("T")
_event: TypeAdapter[BrowserEvent] = TypeAdapter(BrowserEvent)


class Feed:
    """Keeps `board` up to date while `run` runs, and sets `changed` whenever there is something new."""

    def __init__(self, studio: Studio, socket_url: str, project_id: UUID, run_id: UUID) -> None:
        self.board = Board(keep=run_id)
        self.changed = asyncio.Event()
        self._studio = studio
        self._address = f"{socket_url.rstrip('/')}/api/v1/projects/{project_id}/events"
        self._project_id = project_id
        self._run_id = run_id
        self._needed = asyncio.Event()
        self._gap: asyncio.TimerHandle | None = None
        self._silent: str | None = None
        self._deaf: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why the board may be out of date, in words."""
        return self._silent or self._deaf

    async def run(self) -> None:
        """Until cancelled. Raises `StudioError` when the project is gone, or the studio for too long."""
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._fetch())]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            if self._gap:
                self._gap.cancel()

    async def _listen(self) -> None:
        tries = 0
        while True:
            code: int | None = None
            try:
                async with self._connect() as socket:
                    # Connected first, so that nothing happens unheard between the storyboard and the events.
                    self._needed.set()
                    async for text in socket:
                        tries, self._deaf = 0, None
                        self._take(text)
                    code = socket.close_code
            except ConnectionClosed as error:
                code = error.rcvd.code if error.rcvd else None
            except InvalidStatus as error:
                code = error.response.status_code
            except (OSError, WebSocketException):
                pass
            if _is_final(code):
                await self._poll(code)
            tries += 1
            if tries >= FAILED_TRIES:
                self._deaf = "No live updates at present: looking every few seconds."
            self._needed.set()
            await asyncio.sleep(_random(0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**tries)))

    def _connect(self) -> "connect":
        return connect(
            self._address,
            additional_headers=self._studio.headers,
            compression=None,
            max_size=MAX_EVENT_BYTES,
            open_timeout=5,
            close_timeout=1,
            proxy=True if self._studio.through_proxy else None,
            create_connection=ClientConnection,
        )

    async def _poll(self, code: int | None) -> None:
        """Without the socket, for good."""
        self._deaf = f"The studio refuses live updates ({code}): looking every {POLL_S:.0f} seconds."
        while True:
            self._needed.set()
            await asyncio.sleep(POLL_S)

    def _take(self, text: str | bytes) -> None:
        try:
            event = _event.validate_json(text)
        except ValidationError:
            # Of a newer studio; the storyboard says the same in words we may know.
            self._needed.set()
            return
        self.board.apply(event)
        if isinstance(event, Resync) or self.board.behind:
            self._needed.set()
        self._watch_gap()
        self.changed.set()

    def _watch_gap(self) -> None:
        if self.board.gap and self._gap is None:
            # Many clients see the same gap: they must not all fetch in the same moment.
            self._gap = asyncio.get_running_loop().call_later(GAP_S * _random(1, 1.5), self._give_up_gap)
        elif not self.board.gap and self._gap is not None:
            self._gap.cancel()
            self._gap = None

    def _give_up_gap(self) -> None:
        self._gap = None
        if self.board.gap:
            self._needed.set()

    async def _fetch(self) -> None:
        answered = time.monotonic()
        while True:
            await self._needed.wait()
            self._needed.clear()
            try:
                storyboard = await in_thread(lambda: self._studio.storyboard(self._project_id))
                if all(run.id != self._run_id for run in storyboard.runs):
                    detail = await in_thread(lambda: self._studio.run(self._run_id))
                    storyboard = storyboard.model_copy(update={"runs": [*storyboard.runs, detail.run]})
            except Unreachable:
                if time.monotonic() - answered > PATIENCE_S:
                    raise
                self._silent = "The studio does not answer: trying again."
                self._needed.set()
                self.changed.set()
                await asyncio.sleep(_random(SPACING_S, LONGEST_WAIT_S / 2))
                continue
            answered, self._silent = time.monotonic(), None
            self.board.load(storyboard)
            self._watch_gap()
            if self.board.behind:
                self._needed.set()
            self.changed.set()
            await asyncio.sleep(SPACING_S)


def _is_final(code: int | None) -> bool:
    """Whether a close code, or the HTTP status of a refused handshake, tells us to stay away."""
    return code is not None and (4400 <= code < 4500 or code in (400, 401, 403, 404))


def _random(shortest: float, longest: float) -> float:
    return random.uniform(shortest, longest)  # noqa: S311 - it spreads clients out and guards nothing


async def in_thread(call: Callable[[], T]) -> T:
    """The result of a call that blocks. Its thread holds nobody back who wants to leave."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)  # type: ignore[arg-type]

    def work() -> None:
        value, problem = None, None
        try:
            value = call()
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            problem = error
        # A closed loop: nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, value, problem)

    threading.Thread(target=work, daemon=True).start()
    return await future
