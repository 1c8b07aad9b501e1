"""A browser that watches one project: what it receives, and when."""

import threading
import time
from types import TracebackType
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.fixtures.stack import Stack


class Browser:
    """Reads in a thread of its own; parses nothing while it reads, so that it costs little."""

    def __init__(self, stack: Stack, project_id: str) -> None:
        self.received: list[tuple[float, str]] = []  #: when, on this machine's steady clock, and what
        self._socket = connect(f"{stack.socket_url}/api/v1/projects/{project_id}/events", max_size=None)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="browser")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._thread.join()

    def wait_for_end(self, within_s: float) -> float:
        """Until the run's end is told; when that was."""
        if not self._ended.wait(within_s):
            raise TimeoutError(f"the run did not end within {within_s:g} s")
        self._ended.clear()
        return self.received[-1][0]

    def _read(self) -> None:
        try:
            for message in self._socket:
                text = message if isinstance(message, str) else message.decode()
                self.received.append((time.monotonic(), text))
                # Only a run is ever `completed`; a scene is `done`.
                if '"status":"completed"' in text:
                    self._ended.set()
        except ConnectionClosed:
            return
