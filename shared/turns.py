"""Taking turns on a device: of the workers of one host that name the same lock file, one at a time uses it.

The kernel frees the lock when its holder dies, however it dies.
"""

import fcntl
import os

from shared.settings import SettingsError

LONGEST_NAME = 200  #: bytes


class Turns:
    """This worker's place at the lock file."""

    def __init__(self, path: str, name: str) -> None:
        """Raises `SettingsError` where the file cannot be opened."""
        self._name = name
        self.held = False
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(f"GPU_LOCK={path} cannot be opened: {error.strerror}") from error

    def take(self) -> str | None:
        """Take the device if it is free. Returns the name of who has it, or None: it is ours."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(self._file, LONGEST_NAME, 0).decode(errors="replace") or "another worker"
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, self._name.encode()[:LONGEST_NAME], 0)
        self.held = True
        return None

    def leave(self) -> None:
        os.ftruncate(self._file, 0)
        self.held = False
        fcntl.flock(self._file, fcntl.LOCK_UN)
