"""Shows a run until it ends, or until whoever looks on has had enough."""

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from uuid import UUID

from client.api import Studio
from client.board import Board
from client.live import Feed, in_thread
from client.terminal import Terminal
from client.view import LiveScreen, PlainScreen
from shared.contracts.run import ACTIVE, Run

TICK_S = 0.25  #: between two looks at the clock
FRAME_S = 0.08  #: between two pictures
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Followed:
    """How it was when the view ended."""

    board: Board
    run: Run
    left: signal.Signals | None  #: the run was left alone on this signal; None when it has ended


def follow(studio: Studio, terminal: Terminal, project_id: UUID, run: Run) -> Followed:
    """Show `run` to its end. Ctrl-C asks whether to leave it running or to cancel it."""
    socket_url = studio.config().socket_url
    return asyncio.run(_View(studio, terminal, Feed(studio, socket_url, project_id, run.id), run).follow())


class _View:
    def __init__(self, studio: Studio, terminal: Terminal, feed: Feed, run: Run) -> None:
        self._studio = studio
        self._terminal = terminal
        self._feed = feed
        self._run = run
        self._screen = LiveScreen(terminal) if terminal.is_drawn else PlainScreen(terminal)
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._cancelling = False

    async def follow(self) -> Followed:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._signalled, number)
        feeding = asyncio.create_task(self._feed.run())
        feeding.add_done_callback(lambda _: self._feed.changed.set())
        try:
            with self._screen:
                return await self._until_over(feeding)
        finally:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await feeding
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    async def _until_over(self, feeding: "asyncio.Task[None]") -> Followed:
        board = self._feed.board
        while True:
            if feeding.done():
                feeding.result()
            self._feed.changed.clear()
            if board.loaded:
                self._run = board.run(self._run.id) or self._run
                # The end may be told before what led to it.
                over = self._run.status not in ACTIVE and not board.behind and not board.gap
                self._screen.show(board, self._run, self._feed.trouble)
                if over:
                    return Followed(board, self._run, None)
            left = None if self._signals.empty() else await self._decide(self._signals.get_nowait())
            if left:
                return Followed(board, self._run, left)
            await asyncio.sleep(FRAME_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._feed.changed.wait(), TICK_S)

    def _signalled(self, number: signal.Signals) -> None:
        self._signals.put_nowait(number)
        self._feed.changed.set()

    async def _decide(self, number: signal.Signals) -> signal.Signals | None:
        """What a signal means: the signal to leave on, or None to go on looking."""
        # Whoever asked for the cancel and presses again does not want to wait for it.
        ask = number == signal.SIGINT and self._terminal.can_ask and not self._cancelling
        if not ask or not isinstance(self._screen, LiveScreen):
            return number
        self._screen.pause()
        again = await self._asked()
        if again is not None:
            return again
        await in_thread(lambda: self._studio.cancel(self._run.id))
        self._cancelling = True
        self._screen.go_on()
        return None

    async def _asked(self) -> signal.Signals | None:
        """The signal to leave on; None to cancel."""
        question = "Leave it running (press Enter), or cancel it (c, then Enter)? "
        self._terminal.out.print(question, end="", style="bold")
        answer = asyncio.create_task(_line())
        signalled = asyncio.create_task(self._signals.get())
        await asyncio.wait({answer, signalled}, return_when=asyncio.FIRST_COMPLETED)
        answer.cancel()
        signalled.cancel()
        if not answer.done() or not answer.result().strip().lower().startswith("c"):
            self._terminal.say("")
            return signalled.result() if signalled.done() else signal.SIGINT
        return None


async def _line() -> str:
    """A line that somebody types; empty at the end of input."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()
    descriptor = sys.stdin.fileno()

    def read() -> None:
        loop.remove_reader(descriptor)
        if not typed.done():
            typed.set_result(os.read(descriptor, 4096).decode(errors="replace"))

    loop.add_reader(descriptor, read)
    try:
        return await typed
    finally:
        loop.remove_reader(descriptor)
