"""What queries add up to, with values that are known."""

from __future__ import annotations

import math

import pytest

from cluster.bench.reports.document import Run
from cluster.bench.reports.figures import against, figures
from cluster.bench.reports.measures import measures
from cluster.bench.reports.tables import comparison, overview
from tests.cluster.bench.reports.made_up import served

MIXED = (
    served(0, latency_s=1.0, tokens=100),
    served(1, latency_s=5.0, tokens=300),
    served(2, correct=False),
    served(3, outcome="refused", correct=False, latency_s=0.0, tokens=0),
    served(4, outcome="given_up", correct=False, latency_s=60.0, tokens=0),
)


def runs(system: str = "value", repeats: int = 1, **load: float) -> list[Run]:
    return [
        Run(system=system, load={**load, "repeat": repeat}, served=MIXED, wall_s=10.0)
        for repeat in range(repeats)
    ]


def test_shares_are_of_all_queries() -> None:
    (found,) = figures(runs(rate=2.0))
    assert found.label == "value, rate 2"
    assert found.queries == 5
    assert found.accuracy.value == 2 / 5
    assert found.accuracy_answered.value == 2 / 3
    assert found.in_time.value == 2 / 5
    assert found.right_in_time.value == 1 / 5
    assert found.refused.value == found.lost.value == 1 / 5


def test_tokens_are_of_answered_queries_and_latency_of_all_but_refused() -> None:
    (found,) = figures(runs())
    assert found.tokens.value == pytest.approx(500 / 3)
    assert found.p50_s.value == 3.5
    assert found.p99_s.high == 60.0


def test_throughput_is_over_the_time_of_all_repeats() -> None:
    (found,) = figures(runs(repeats=3))
    assert found.repeats == 3
    assert found.throughput.value == pytest.approx(9 / 30)
    assert found.throughput.low < 0.3 < found.throughput.high


def test_attainment_is_of_queries_with_a_deadline() -> None:
    some = Run(system="value", served=(served(0), served(1, deadline_s=None, latency_s=99)))
    assert figures([some])[0].in_time.value == 1.0
    none = Run(system="value", served=(served(0, deadline_s=None),))
    assert math.isnan(figures([none])[0].in_time.value)


def test_systems_and_loads_are_apart_and_runs_without_queries_left_out() -> None:
    mixed = [*runs("b", rate=1.0), *runs("a", rate=1.0), *runs("b", rate=2.0), Run(system="c")]
    assert [found.label for found in figures(mixed)] == ["b, rate 1", "a, rate 1", "b, rate 2"]


def test_fairness_is_of_those_whose_time_alone_is_known() -> None:
    (found,) = figures(runs())
    assert found.unfairness_max == 60.0
    assert 0 < found.jain < 1


def test_pairs_cancel_what_hits_both() -> None:
    cheap = Run(system="value", served=tuple(served(i, tokens=100 * (i + 1)) for i in range(20)))
    dear = Run(system="even", served=tuple(served(i, tokens=200 * (i + 1)) for i in range(20)))
    (found,) = against([dear, cheap], "even")
    assert found.system == "value"
    assert tuple(found.tokens) == pytest.approx((0.5, 0.5, 0.5))
    assert found.accuracy.value == 0.0


def test_measures_are_named_and_have_their_repeats() -> None:
    found = {one.name: one for one in measures("online", runs(repeats=2, rate=1.5))}
    accuracy = found["online/value/1.5/accuracy"]
    assert accuracy.value == 0.4
    assert accuracy.repeats == (0.4, 0.4)
    assert accuracy.better == "higher"
    assert found["online/value/1.5/tokens"].better == "lower"
    assert "online/value/1.5/in_time" in found


def test_measures_of_nothing_are_left_out() -> None:
    alone = Run(system="value", served=(served(0, deadline_s=None),))
    names = [one.name for one in measures("batch", [alone])]
    assert "batch/value/accuracy" in names
    assert "batch/value/in_time" not in names


def test_tables_say_what_is_not_known_with_a_dash() -> None:
    alone = Run(system="value", served=(served(0, deadline_s=None),))
    assert "| - |" in overview(figures([alone])).replace("  ", "")
    assert comparison([], "even") == ""
    assert "Against `even`" in comparison(against([*runs("even"), *runs()], "even"), "even")
