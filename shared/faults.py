"""Places where a test may kill this process: every gap between a database, a broker and a file."""

import os
import signal

_visits: dict[str, int] = {}


def crash_point(name: str) -> None:
    """Die here, as by `kill -9`, if the environment says CRASH_AT=name, or name:n for the n-th visit.

    Does nothing in production, where nobody sets it.
    """
    wanted, _, visit = os.environ.get("CRASH_AT", "").partition(":")
    if wanted != name:
        return
    _visits[name] = _visits.get(name, 0) + 1
    if _visits[name] == int(visit or 1):
        os.kill(os.getpid(), signal.SIGKILL)
