"""How far a simulation is off, and whether it ranks policies as reality does."""

import pytest

from cluster.bench.fidelity.figures import SIMULATED, measures, orders, pairs, tables
from cluster.bench.reports.document import Run
from cluster.workload.served import Served

QUERIES = 60


def run(system: str, latency_s: float, tokens: int, load: float = 0.8, repeat: int = 0, **over):
    """A run whose queries take from half to one and a half times as long."""
    served = tuple(
        Served(
            number=number,
            system=system,
            kind="vote",
            question=str(number),
            outcome="answered",
            at_s=float(number),
            latency_s=latency_s * (0.5 + number / QUERIES),
            tokens=tokens,
        )
        for number in range(QUERIES)
    )
    return Run(system=system, load={"load": load, "repeat": repeat}, served=served, wall_s=60.0)


def by_figure(found, policy):
    return {pair.figure: pair for pair in found if pair.policy == policy}


def test_ratios_are_simulated_over_real():
    found = by_figure(pairs([run("even", 2.0, 100), run("even" + SIMULATED, 2.2, 130)]), "even")
    assert found["mean_s"].ratio.value == pytest.approx(1.1)
    assert found["p90_s"].ratio.value == pytest.approx(1.1)
    assert found["tokens"].ratio.value == pytest.approx(1.3)
    assert found["throughput"].ratio.value == pytest.approx(1.0)
    assert found["mean_s"].close
    assert not found["tokens"].close


def test_repeats_count_together():
    real = [run("even", 1.0, 100, repeat=0), run("even", 3.0, 100, repeat=1)]
    simulated = [run("even" + SIMULATED, 2.0, 100, repeat=repeat) for repeat in (0, 1)]
    found = by_figure(pairs([*real, *simulated]), "even")
    assert found["mean_s"].ratio.value == pytest.approx(1.0)


def test_loads_are_kept_apart():
    runs = [
        run(system, latency_s * load, 100, load)
        for load in (0.4, 1.2)
        for system, latency_s in (("even", 1.0), ("even" + SIMULATED, 1.5))
    ]
    assert {pair.load for pair in pairs(runs)} == {(("load", 0.4),), (("load", 1.2),)}


def test_what_was_not_simulated_is_not_compared():
    assert pairs([run("even", 1.0, 100), run("beta" + SIMULATED, 1.0, 100)]) == []


def test_policies_that_rank_the_same_keep_their_order():
    runs = [
        run("even", 4.0, 100),
        run("value", 1.0, 50),
        run("even" + SIMULATED, 3.0, 90),
        run("value" + SIMULATED, 2.0, 60),
    ]
    assert all(one.kept for one in orders(runs))
    turned = [
        *runs[:2],
        run("even" + SIMULATED, 1.0, 90),
        run("value" + SIMULATED, 2.0, 60),
    ]
    assert {one.figure for one in orders(turned) if not one.kept} == {"mean_s", "p90_s"}


def test_policies_alike_in_reality_may_rank_either_way():
    runs = [
        run("even", 2.0, 100),
        run("beta", 2.0, 100),
        run("even" + SIMULATED, 2.0, 100),
        run("beta" + SIMULATED, 1.0, 50),
    ]
    assert orders(runs) == []


def test_measures_tell_the_worst_figure_and_whether_all_are_close():
    runs = [run("even", 2.0, 100), run("even" + SIMULATED, 2.0, 130)]
    found = {one.name: one for one in measures(pairs(runs), orders(runs))}
    assert found["fidelity/worst"].value == pytest.approx(0.3)
    assert found["fidelity/worst"].met is False
    assert found["fidelity/close"].value == pytest.approx(0.75)
    assert "fidelity/orders kept" not in found
    assert found["fidelity/even/0.8/tokens"].value == pytest.approx(1.3)


def test_tables_say_what_is_off():
    runs = [run("even", 2.0, 100), run("even" + SIMULATED, 2.0, 130)]
    said = tables(pairs(runs), orders(runs))
    assert "NO" in said
    assert "1.30" in said
