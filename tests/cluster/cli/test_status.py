"""`dynasor status` against a server that says how it is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from cluster.cli import main
from cluster.ingress.catalog import cluster
from cluster.protocol import Status
from dynasor.stats import ContractStats, Stats, TenantStats

STATS = Stats(
    price=1.25e-5,
    token_rate=5120.4,
    wait_s=0.25,
    programs=12,
    waiting=40,
    running=96,
    explored=7,
    granted=1_000_000,
    used=900_000,
    returned=90_000,
    placements=4000,
    prefix_best=1000,
    prefix_achieved=875,
    moves=3,
    preempted=2,
    tenants={"default": TenantStats(10, 1234), "\x1b[31mred[/]": TenantStats(2, 5)},
    contracts={"abacus/self_consistency/@0.01": ContractStats(0.0081234, 410, False)},
)


@pytest.fixture
def healthy(server: Any) -> Any:
    server.cluster = cluster(Status(2, 1, 12, 96), STATS)
    return server


def status(server: Any, *options: str) -> int:
    return main(["status", "--url", server.url, *options])


def test_the_summary(healthy, capsys):
    assert status(healthy) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "engines   2 generate, 1 judge",
        "programs  12 in progress",
        "branches  96 run, 40 wait; a new program's would wait 0.2 s",
        "tokens    5,120 per second; 1,000,000 granted, 900,000 used, 90,000 returned",
        "price     1.25e-05 (gain that a token must buy)",
        "learned   7 programs run to their cap",
        "placed    4,000 branches, 3 moved, 2 preempted by engines",
        "prefixes  875 prompt tokens found in caches, 87.5% of the best possible",
        "",
        "tenant      programs  tokens",
        "[31mred[/]         2       5",
        "default           10   1,234",
        "",
        "contract                          bound  episodes  alarm",
        "abacus/self_consistency/@0.01  0.008123       410     no",
    ]


def test_an_idle_cluster_has_no_tables(server, capsys):
    server.cluster = cluster(Status(2, 0, 0, 0), Stats())
    assert status(server) == 0
    out = capsys.readouterr().out
    assert "nothing to find yet" in out and "tenant" not in out


def test_json_is_the_servers_document(healthy, capsys):
    assert status(healthy, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document == healthy.cluster
    assert document.items() >= msgspec.to_builtins(STATS).items()


def test_an_error_is_shown_in_the_servers_words(server, capsys):
    server.status = 503
    server.cluster = {"error": {"message": "the controller does not answer"}}
    assert status(server) == 1
    assert capsys.readouterr().err == "dynasor: the controller does not answer (HTTP 503)\n"


@pytest.mark.parametrize("document", [{}, [], "hello", None])
def test_another_server_is_told_from_a_cluster(server, document, capsys):
    server.cluster = document
    assert status(server) == 1
    assert "is it the right server?" in capsys.readouterr().err


def test_no_server_says_how_to_start_one(capsys):
    assert main(["status", "--url", "http://127.0.0.1:9"]) == 1
    assert "dynasor up serve_configs/local.yaml" in capsys.readouterr().err
