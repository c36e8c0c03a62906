"""A fixed set: systems in turns, tokens paired by question."""

from __future__ import annotations

import pytest

from cluster.bench.batch.findings import Findings
from cluster.bench.batch.measure import order
from cluster.bench.reports.document import Run
from cluster.bench.systems.catalog import systems
from tests.cluster.bench.systems.made import run


def runs(name: str, tokens: int, walls: tuple[float, ...], right: float = 1.0) -> list[Run]:
    made = run(name, 1.0, [1.0] * 50, right=right, tokens=tokens)
    return [
        made.model_copy(update={"load": {"repeat": float(n)}, "wall_s": wall})
        for n, wall in enumerate(walls)
    ]


def test_systems_take_turns_in_going_first():
    chosen = systems(["even", "value"])
    assert [(one.name, n) for one, n in order(chosen, 2, together=True)] == [
        ("even", 0), ("value", 0), ("value", 1), ("even", 1),
    ]  # fmt: skip


def test_where_only_one_place_runs_it_is_started_once():
    chosen = systems(["even", "baseline", "value"])
    names = [one.name for one, _ in order(chosen, 2, together=False)]
    assert names == ["even", "value", "even", "value", "baseline", "baseline"]


def test_ratios_are_of_what_was_spent():
    both = [*runs("even", 200, (10.0, 12.0)), *runs("value", 50, (5.0, 6.0))]
    findings = Findings(systems(["even", "value"]), both, "even", seed=0)
    measures = {one.name: one for one in findings.measures()}
    tokens = measures["batch/value:even/tokens"]
    assert (tokens.value, tokens.low, tokens.high) == pytest.approx((0.25, 0.25, 0.25))
    assert tokens.met
    assert measures["batch/value:even/time"].value == pytest.approx(0.5)
    assert measures["batch/value:even/time"].repeats == pytest.approx((0.5, 0.5))
    assert measures["batch/even/time"].value == pytest.approx(11.0)


def test_ratios_of_a_system_that_answers_worse_are_left_out():
    both = [*runs("even", 200, (10.0,)), *runs("value", 50, (5.0,), right=0.8)]
    findings = Findings(systems(["even", "value"]), both, "even", seed=0)
    assert not any(":" in one.name for one in findings.measures())
    assert any("left out" in note for note in findings.notes())
