"""TCP ports of this machine."""

import random
import socket
from contextlib import closing, suppress

from local import LocalError


def free_port(preferred: int | None = None) -> int:
    """A TCP port of 127.0.0.1 that nobody listens on: the preferred one if it is free.

    Picked below the range that the kernel hands out to outgoing connections, so that it is likely to be free tomorrow.
    """
    candidates = random.sample(range(20_000, 32_000), 200)
    for port in [preferred, *candidates] if preferred else candidates:
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise LocalError("No free TCP port found on 127.0.0.1 between 20000 and 32000. Nothing was started.")
