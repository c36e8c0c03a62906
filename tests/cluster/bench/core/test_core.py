"""The core benchmark, small."""

from __future__ import annotations

import argparse
import json

import pytest

from cluster.bench.core import __main__ as bench
from cluster.bench.core.measure import Measured, measure
from cluster.bench.core.meter import Cost, Meter
from cluster.bench.core.steady import Load, Size, SteadyState
from cluster.bench.options import numbers

SMALL = Load(Size(300), "threshold")


@pytest.mark.parametrize(
    ("branches", "programs", "replicas"),
    [(1000, 100, 2), (10_000, 1000, 20), (100_000, 10_000, 200), (1, 1, 1)],
)
def test_sizes(branches, programs, replicas):
    size = Size(branches)
    assert (size.programs, size.replicas) == (programs, replicas)


def test_a_load_stays_as_large_as_it_is():
    with Meter() as meter:
        state = SteadyState(SMALL, meter)
        state.fill()
        for _ in range(3):
            state.top_up()
            assert len(state.core.programs) >= SMALL.size.programs
            assert state.live_branches >= SMALL.size.branches
            meter.reset()
            state.run(500)
            assert meter.total.events >= 500
    growth, ends = meter.costs["growth"], meter.costs["ends"]
    assert growth.events > ends.events - ends.starts > 0, "more runs grow than end"
    assert ends.starts > 0


def test_equal_loads_are_equal():
    counts = []
    for _ in range(2):
        with Meter() as meter:
            state = SteadyState(SMALL, meter)
            state.fill()
            meter.reset()
            state.run(500)
        counts.append({kind: (c.calls, c.events, c.starts) for kind, c in meter.costs.items()})
    assert counts[0] == counts[1]


def test_measures_every_repeat():
    found = measure(SMALL, events=300, repeats=2, gc_every=700)
    assert len(found.event_us) == 2
    assert min(found.event_us) <= found.event_cost_us <= max(found.event_us)
    assert found.branches >= 300
    assert 0 <= found.collecting < 1


def made(branches: int, us: float, policy: str = "beta") -> Measured:
    cost = {"growth": Cost(calls=1, events=1, cpu_s=us / 1e6)}
    return Measured(Load(Size(branches), policy), 1, branches, (us,), cost, 0.1, 2.0, 5000.0)


def test_verdicts_compare_with_the_goal_and_the_logarithm():
    text = bench.report([made(1000, 10.0), made(100_000, 16.0)])
    assert "16.0 µs per event; goal: at most 20: met." in text
    assert "grows 1.60 times: no more than the logarithm, 1.67 times" in text
    text = bench.report([made(1000, 10.0), made(100_000, 21.0)])
    assert "MISSED" in text and "grows 2.10 times: MORE than" in text
    assert "grows" not in bench.report([made(1000, 10.0)])


def test_policies_and_orders_have_verdicts_of_their_own():
    text = bench.report([made(1000, 10.0), made(1000, 30.0, "threshold")])
    assert text.count("goal:") == 2


def test_main_prints_a_table_writes_a_file_and_exits_by_the_goal(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "_measured", lambda load, args: made(load.size.branches, 19.0))
    out = tmp_path / "core.json"
    options = ["--policies", "beta", "--sizes", "1000,100", "--out", str(out)]
    assert bench.main(options) == 0
    assert [item["load"]["size"] for item in json.loads(out.read_text())] == [
        {"branches": 100},
        {"branches": 1000},
    ]
    assert "| beta 1,000" in capsys.readouterr().out
    monkeypatch.setattr(bench, "GOAL_US", 18.0)
    assert bench.main(options) == 1


@pytest.mark.parametrize("options", [["--policies", "nobody"], ["--orders", "nobody"]])
def test_unknown_names_are_refused(options, capsys):
    assert bench.main(["--policies", "beta", *options]) == 2
    assert "nobody" in capsys.readouterr().err


def test_an_interruption_shows_what_there_is(capsys, monkeypatch):
    def interrupted(load, args):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "_measured", interrupted)
    assert bench.main(["--policies", "beta"]) == 1
    assert "interrupted" in capsys.readouterr().out


def test_numbers():
    assert numbers("1000,10,1000") == (1000, 10)
    with pytest.raises(argparse.ArgumentTypeError, match="integer of at least 1"):
        numbers("1,0")
