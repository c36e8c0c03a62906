"""What queries add up to, with values that are known."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cluster.bench.load.arrivals import Point
from cluster.bench.load.asking import Asked
from cluster.bench.load.figures import against, figures
from cluster.bench.load.measure import PointRun
from cluster.bench.load.tables import client_report, comparison, overview


def asked(number: int = 0, policy: str = "even", **changes: Any) -> Asked:
    plain = {
        "kind": "vote",
        "level": 1,
        "outcome": "answered",
        "latency_s": 2.0,
        "lag_s": 0.0,
        "deadline_s": 3.0,
        "alone_s": 1.0,
        "correct": True,
        "spent": 100,
    }
    return Asked(**{**plain, "number": number, "policy": policy, **changes})


def run(*queries: Asked, rate: float = 1.0, turn: int = 0, cpu: float = 0.1) -> PointRun:
    return PointRun(Point(rate, turn, queries[0].policy), queries, cpu, 1.0)


def test_refused_and_lost_queries_count_as_wrong_and_missed():
    gone = {"correct": False, "spent": 0}
    found = figures(
        [
            run(
                asked(0),
                asked(1, latency_s=4.0),
                asked(2, outcome="refused", latency_s=0.01, **gone),
                asked(3, outcome="given_up", latency_s=90.0, **gone),
            )
        ],
        seed=0,
    )[0]
    assert found.queries == 4
    assert found.accuracy.value == 0.5
    assert found.accuracy_answered.value == 1.0
    assert found.in_time.value == found.right_in_time.value == 0.25
    assert (found.refused, found.lost) == (0.25, 0.25)
    assert found.tokens.value == 100
    assert found.p50_s == 4.0, "without the refused one, with the one that was given up"
    assert found.unfairness_max == 90.0


def test_an_answer_at_the_deadline_is_in_time():
    assert asked(latency_s=3.0).in_time
    assert not asked(latency_s=3.01).in_time
    assert not asked(outcome="failed").in_time
    assert not asked(deadline_s=None).in_time


def test_slowdown_is_time_over_time_alone():
    assert asked(latency_s=3.0, alone_s=1.5).unfairness == 2.0
    assert asked(outcome="refused").unfairness is None
    assert asked(alone_s=None).unfairness is None


def test_all_slowed_down_alike_is_fair():
    alike = run(*(asked(n, latency_s=2.0 * (n + 1), alone_s=1.0 * (n + 1)) for n in range(4)))
    assert figures([alike], 0)[0].jain == pytest.approx(1.0)
    one = run(asked(0, latency_s=1.0), *(asked(n, latency_s=1000.0) for n in range(1, 4)))
    assert figures([one], 0)[0].jain == pytest.approx(0.25, abs=0.01)


def test_turns_of_a_rate_are_put_together():
    found = figures([run(asked(0)), run(asked(0), turn=1, cpu=0.3), run(asked(0), rate=2.0)], 0)
    assert [(item.rate, item.queries) for item in found] == [(1.0, 2), (2.0, 1)]
    assert found[0].client_cpu == 0.3


def test_policies_are_compared_on_the_same_arrivals():
    base = run(asked(0, spent=200), asked(1, spent=400, correct=False))
    mine = run(
        asked(1, "beta", spent=100),
        asked(0, "beta", spent=50),
        asked(2, "beta", spent=9999),
    )
    other = run(asked(0, "beta"), rate=2.0)
    found = against([base, mine, other], "even", 0)
    assert [(item.rate, item.policy) for item in found] == [(1.0, "beta")]
    assert found[0].tokens.value == 0.25
    assert found[0].accuracy.value == 50.0
    assert found[0].in_time.value == 0.0


def test_nothing_answered_is_nan_and_can_be_shown():
    found = figures([run(asked(0, outcome="refused", correct=False))], 0)
    assert math.isnan(found[0].p50_s) and math.isnan(found[0].jain)
    assert "100.0%" in overview(found)
    assert comparison([], "even") == ""


def test_a_busy_client_is_told():
    calm = figures([run(asked(0))], 0)
    assert client_report(calm).endswith("(P99).")
    busy = figures([run(asked(0), cpu=0.9), run(asked(0, lag_s=0.2), rate=2.0)], 0)
    assert client_report(busy).endswith("TOO BUSY at 1 even, 2 even.")
