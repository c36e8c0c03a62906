"""What plots are made, and of what."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cluster.bench.reports.canvas import SERIES, looks, style
from cluster.bench.reports.document import Document, Measure, Run
from cluster.bench.reports.figures import figures
from cluster.bench.reports.plots import MOST_LOADS, curves, latencies, pareto_front
from cluster.bench.reports.sweeps import Place, place, sweeps
from cluster.bench.reports.timelines import MOST_INSTANTS, lanes, shares, timelines
from tests.cluster.bench.reports.made_up import served

POINTS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=12)


def run(system: str = "value", **load: float) -> Run:
    return Run(system=system, load=load, served=(served(0), served(1, latency_s=9.0)), wall_s=1.0)


@given(POINTS)
def test_nothing_beats_the_pareto_front(points: list[tuple[int, int]]) -> None:
    front = [points[i] for i in pareto_front(points)]
    for tokens, accuracy in points:
        assert any(t <= tokens and a >= accuracy for t, a in front)
    for one in front:
        assert not any(t <= one[0] and a >= one[1] and (t, a) != one for t, a in points)


def test_systems_are_told_apart_even_where_colours_run_out() -> None:
    names = [f"system {i}" for i in range(3 * len(SERIES))]
    found = looks(names)
    assert len({(look.colour, look.marker) for look in found.values()}) == len(names)
    assert looks([*names, "one more"])[names[0]] == found[names[0]]


def test_every_varied_part_of_a_load_has_its_curves_with_the_rest_fixed() -> None:
    swept = [run(rate=1.0, scale=8.0), run(rate=2.0, scale=8.0), run(rate=1.0, scale=4.0)]
    with style():
        titles = [plot.title for plot in curves(figures(swept), looks(["value"]))]
    assert "Attainment against rate at scale 8" in titles
    assert "Attainment against scale at rate 1" in titles
    assert len(titles) == 6


def test_of_many_loads_some_are_shown() -> None:
    many = [run(rate=float(rate)) for rate in range(1, 30)]
    with style():
        titles = [plot.title for plot in latencies(many, looks(["value"]))]
    assert len(titles) == MOST_LOADS
    assert titles[0] == "Latency at rate 1"
    assert titles[-1] == "Latency at rate 29"


def test_programs_without_a_sample_run_nothing_and_the_earliest_is_first() -> None:
    times, branches = shares(
        [
            {"at_s": 1.0, "program": 3, "running": 2},
            {"at_s": 0.0, "program": 7, "running": 4},
            {"at_s": 2.0, "program": 7, "running": 5},
            {"at_s": 0.5, "price": 1.0},
        ]
    )
    assert times.tolist() == [0.0, 1.0, 2.0]
    assert branches.tolist() == [[4, 0, 5], [0, 2, 0]]


def test_long_timelines_are_thinned_but_keep_their_ends() -> None:
    long = [{"at_s": float(i), "program": i % 90, "running": 1.0} for i in range(5000)]
    times, branches = shares(long)
    assert len(times) == MOST_INSTANTS
    assert (times[0], times[-1]) == (0.0, 4999.0)
    assert np.all(branches.sum(axis=0) == 1)
    with style():
        (plot,) = lanes([Run(system="value", timeline=tuple(long))])
    assert "others together" in plot.caption


def test_timelines_are_of_the_highest_load_that_most_systems_have() -> None:
    samples = ({"at_s": 0.0, "price": 1.0}, {"at_s": 1.0, "price": 2.0})
    runs = [
        Run(system=system, load={"rate": rate}, timeline=samples)
        for system, rate in (("a", 1.0), ("b", 1.0), ("a", 2.0), ("b", 2.0), ("a", 3.0))
    ]
    with style():
        (plot,) = timelines(runs, looks(["a", "b"]))
    assert plot.title == "Over time at rate 2"


def test_the_varied_number_is_found_in_a_measures_name() -> None:
    systems = ["ours", "peer"]
    assert place("overhead/64/p50/ours", systems) == Place("p50", "ours", 64)
    assert place("online/peer/1.5/in_time", systems) == Place("in_time", "peer", 1.5)
    assert place("overhead/64/p50_ratio/ours:peer", systems) == Place("p50_ratio ours:peer", "", 64)
    assert place("online/ours/in_time", systems) is None
    assert place("online/ours/1.5/8/in_time", systems) is None


def test_measures_are_drawn_where_there_are_no_queries() -> None:
    measures = tuple(
        Measure(name=f"overhead/{n}/{figure}/ours", value=n, low=n, high=n + 1, better="lower")
        for figure in ("p50", "p99")
        for n in (1, 8, 64)
    )
    alone = Measure(name="overhead/64/ratio/ours:peer", value=2, low=1, high=3)
    runs = tuple(Run(system="ours", load={"concurrency": n}) for n in (1, 8, 64))
    made = Document(
        bench="overhead", command="", started="", measures=(*measures, alone), runs=runs
    )
    with style():
        titles = [plot.title for plot in sweeps(made, looks(["ours"]))]
        others = [plot.title for plot in sweeps(made, looks(["ours"]), drawn={"p50"})]
    assert titles == ["p50 against concurrency", "p99 against concurrency"]
    assert others == ["p99 against concurrency"]
