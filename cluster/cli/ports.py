"""Ports for servers on this machine."""

from __future__ import annotations

import random
import socket

PORTS = range(20_000, 32_768)
"""Above those of Ray's workers, and below those that the system hands out: until a server listens
at its port, nobody else is given it."""


def free_port() -> int:
    """A port of the loopback that nobody listens at.

    Raises:
        OSError: there is none.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port of {PORTS.start} to {PORTS.stop - 1} is free")
