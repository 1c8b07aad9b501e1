"""Which TCP ports of this machine are free.

All servers of this project listen below 32768. Above it the kernel hands out ports to outgoing connections, and
a client that keeps reconnecting can end up on its own server's port and block it.
"""

import random
import socket

LOOPBACK = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    with socket.socket() as probe:
        # A port whose last connections still linger in TIME_WAIT is free for a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def is_open(port: int, host: str = LOOPBACK) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_block(count: int, preferred: int | None = None) -> int:
    """The first of `count` free neighbouring ports: from `preferred` upwards, else at a random place.

    The random place keeps test runs that start at the same moment apart.
    """
    start = preferred if preferred is not None else random.randrange(20000, 31000)  # noqa: S311 - no secret
    for base in range(start, 32768 - count, 10):
        if all(is_free(port) for port in range(base, base + count)):
            return base
    raise RuntimeError(f"No {count} free neighbouring ports between {start} and 32767 on {LOOPBACK}.")
