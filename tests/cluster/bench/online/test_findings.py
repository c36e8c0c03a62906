"""What counts: deadlines that are met at the accuracy of the full budget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.bench.online.findings import DEADLINE_GOAL, RATE_GOAL, Findings
from cluster.bench.online.tightest import tighter, tightest
from cluster.bench.reports.document import Measure, Run
from cluster.bench.systems.catalog import systems
from tests.cluster.bench.systems.made import run, served

PEER = "ray-serve-llm"
GOOD, BAD = [2.0] * 100, [2.0] * 50 + [9.0] * 50


def found(runs: list[Run], *names: str) -> tuple[dict[str, Measure], list[str]]:
    findings = Findings(systems(names), runs, names[0], 5.0, 1.0, seed=0)
    return {measure.name: measure for measure in findings.measures()}, list(findings.notes())


def peer_runs() -> list[Run]:
    return [run(PEER, 1.0, GOOD), run(PEER, 2.0, BAD)]


def test_rates_and_deadlines_are_compared_with_the_peer():
    value = [run("value", 1.0, [1.0] * 100), run("value", 4.0, GOOD), run("value", 8.0, BAD)]
    measures, _ = found([*peer_runs(), *value], PEER, "value")
    rate = measures["online/value:ray-serve-llm/sustained_rate"]
    assert rate.value == pytest.approx(4.0)
    assert (rate.goal, rate.met) == (RATE_GOAL, True)
    deadline = measures["online/value:ray-serve-llm/tightest_deadline"]
    assert deadline.value == pytest.approx(2.0)
    assert (deadline.goal, deadline.met) == (DEADLINE_GOAL, False)
    assert measures["online/value/sustained_rate"].unit == "queries/s"
    peer = measures["online/ray-serve-llm/sustained_rate"].value
    assert measures["online/value/sustained_rate"].value == pytest.approx(4 * peer)
    assert 5.0 < peer < 10.0


def test_where_accuracy_is_lost_only_lower_rates_count():
    value = [run("value", 1.0, GOOD), run("value", 4.0, GOOD, right=0.9), run("value", 8.0, BAD)]
    measures, notes = found([*peer_runs(), *value], PEER, "value")
    assert measures["online/value/sustained_rate"].value == pytest.approx(5.0)
    assert measures["online/value/accuracy_difference"].value < -0.3
    assert any("less accuracy" in note for note in notes)


def test_a_system_that_is_never_accurate_enough_has_no_figures():
    value = [run("value", 1.0, GOOD, right=0.5), run("value", 2.0, BAD, right=0.5)]
    measures, notes = found([*peer_runs(), *value], PEER, "value")
    names = [name for name in measures if "value" in name]
    assert names == ["online/value/accuracy_difference"]
    assert any("nothing counts" in note for note in notes)


def test_what_was_interrupted_says_what_it_can():
    measures, _ = found([run("value", 1.0, GOOD)], PEER, "value")
    assert not any(":" in name for name in measures)
    measures, notes = found(peer_runs()[:1], PEER, "value")
    assert "online/ray-serve-llm/sustained_rate" in measures
    assert any("the true one is higher" in note for note in notes)


def test_the_tightest_deadline_is_met_by_nine_of_ten():
    queries = [served(n, latency_s=float(n + 1)) for n in range(10)]
    assert tightest(queries, seed=0).value == 9.0
    lost = [served(n, answered=n < 5) for n in range(10)]
    assert tightest(lost, seed=0).value == float("inf")


def told(scale: float, latencies: list[float], right: float = 1.0) -> Run:
    """Queries of which deadlines of this scale were told."""
    loose = run("value-deadline", 1.0, latencies, right=right)
    due = tuple(replace(one, deadline_s=scale) for one in loose.served)
    load = {"rate": 1.0, "slo_scale": scale, "repeat": 0.0}
    return loose.model_copy(update={"load": load, "served": due})


def test_who_is_told_deadlines_is_told_ever_tighter_ones():
    runs = [*peer_runs(), run("value-deadline", 1.0, GOOD), told(2.0, [1.0] * 100)]
    name = "online/value-deadline:ray-serve-llm/tightest_deadline"

    def ratio(*more: Run) -> float:
        return found([*runs, *more], PEER, "value-deadline")[0][name].value

    assert ratio() == pytest.approx(2.0)
    assert ratio(told(1.0, [0.8] * 100)) == pytest.approx(2.5)
    assert ratio(told(1.0, [0.8] * 80 + [1.2] * 20)) == pytest.approx(2.0), "missed"
    assert ratio(told(1.0, [0.8] * 100, right=0.9)) == pytest.approx(2.0), "less accurate"
    assert ratio(told(1.0, [1.2] * 100), told(0.5, [0.4] * 100)) == pytest.approx(2.0), "by chance"


def test_tighter_compares_the_same_arrivals():
    mine = [served(n, latency_s=0.5) for n in range(50)]
    base = [served(n, latency_s=2.0) for n in range(40)]
    assert tighter(mine, base, seed=0) == pytest.approx((4.0, 4.0, 4.0))
