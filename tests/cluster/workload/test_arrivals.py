"""Arrival processes: their rates, how they clump, and that a seed says all."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from itertools import islice, pairwise, takewhile
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from cluster.workload.arrivals import (
    Arrival,
    ArrivalProcess,
    Arrivals,
    Bursts,
    Gamma,
    Poisson,
    Ramp,
    Replay,
)

rates = st.floats(0.01, 1000)
processes = st.one_of(
    st.builds(Poisson, rate=rates),
    st.builds(Gamma, rate=rates, cv=st.floats(0.1, 5)),
    st.builds(Ramp, from_rate=st.floats(0, 1000), to_rate=rates, over_s=rates),
    st.builds(
        Bursts,
        rate=st.floats(0, 1000),
        burst_rate=rates,
        period_s=st.floats(10, 1000),
        burst_s=st.floats(0.1, 10),
    ),
)


def times(process: ArrivalProcess, number: int, seed: int = 0) -> list[float]:
    return [arrival.at_s for arrival in islice(process.arrivals(seed), number)]


def within(process: ArrivalProcess, begin_s: float, end_s: float) -> int:
    """How many arrive between two times."""
    early: Iterator[Arrival] = takewhile(lambda one: one.at_s < end_s, process.arrivals(0))
    return sum(one.at_s >= begin_s for one in early)


def near(expected: float) -> Any:
    """Of a Poisson count, but for one case in thirty million."""
    return pytest.approx(expected, abs=5.5 * math.sqrt(expected))


class TestAll:
    @given(processes, st.integers(0, 9))
    def test_times_never_decrease_and_a_seed_says_all(
        self, process: ArrivalProcess, seed: int
    ) -> None:
        first = times(process, 200, seed)
        assert first == times(process, 200, seed) and first == sorted(first)
        assert first[0] >= 0 and math.isfinite(first[-1])
        assert first != times(process, 200, seed + 1)

    @given(processes, st.sampled_from([0.5, 2.0, 8.0]))
    def test_scaling_changes_the_mean_rate(self, process: ArrivalProcess, factor: float) -> None:
        assert process.scaled(factor).mean_rate == pytest.approx(factor * process.mean_rate)

    @pytest.mark.parametrize(
        ("document", "field"),
        [
            ({"process": "uniform"}, "process"),
            ({"process": "poisson"}, "rate"),
            ({"process": "poisson", "rate": 0}, "rate"),
            ({"process": "gamma", "rate": 1, "cv": -1}, "cv"),
            ({"process": "poisson", "rate": 1, "cv": 1}, "cv"),
            (
                {"process": "bursts", "rate": 1, "burst_rate": 2, "period_s": 1, "burst_s": 2},
                "burst_s",
            ),
        ],
    )
    def test_refused_ones_name_the_field(self, document: dict[str, Any], field: str) -> None:
        with pytest.raises(ValidationError, match=field):
            TypeAdapter(Arrivals).validate_python(document)


class TestRenewals:
    @pytest.mark.parametrize("cv", [0.3, 1.0, 3.0])
    def test_gamma_has_its_rate_and_variation(self, cv: float) -> None:
        number = 40_000
        gaps = [b - a for a, b in pairwise([0.0, *times(Gamma(rate=4, cv=cv), number)])]
        assert fmean(gaps) == pytest.approx(1 / 4, rel=5 * cv / math.sqrt(number))
        assert stdev(gaps) / fmean(gaps) == pytest.approx(cv, rel=0.1)

    def test_poisson_has_its_rate_and_a_variation_of_one(self) -> None:
        gaps = [b - a for a, b in pairwise([0.0, *times(Poisson(rate=50), 40_000)])]
        assert fmean(gaps) == pytest.approx(1 / 50, rel=0.025)
        assert stdev(gaps) / fmean(gaps) == pytest.approx(1, rel=0.03)


class TestChangingRates:
    def test_bursts_come_at_the_end_of_each_period(self) -> None:
        process = Bursts(rate=10, burst_rate=200, period_s=20, burst_s=4)
        assert process.mean_rate == pytest.approx((10 * 16 + 200 * 4) / 20)
        for period in range(5):
            begin = 20 * period
            assert within(process, begin, begin + 16) == near(160)
            assert within(process, begin + 16, begin + 20) == near(800)

    def test_nothing_need_arrive_between_bursts(self) -> None:
        process = Bursts(rate=0, burst_rate=5, period_s=10, burst_s=1)
        assert all(at_s % 10 >= 9 for at_s in times(process, 100))

    @pytest.mark.parametrize(("begin", "end"), [(0, 100), (100, 10)])
    def test_ramps_go_in_a_straight_line_and_then_stay(self, begin: float, end: float) -> None:
        process = Ramp(from_rate=begin, to_rate=end, over_s=40)
        middle = (begin + end) / 2
        assert within(process, 0, 20) == near(20 * (begin + middle) / 2)
        assert within(process, 20, 40) == near(20 * (middle + end) / 2)
        assert within(process, 40, 80) == near(40 * end)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv.gz"
    rows = "arrival_s,input_tokens,output_tokens,hash_ids\n5,700,1,0 1\n6,513,1,0 2\n9,40,1,3\n"
    path.write_bytes(gzip.compress(rows.encode()))
    return path


class TestReplay:
    def test_goes_on_from_the_beginning_a_mean_gap_after_the_end(self, trace: Path) -> None:
        assert times(Replay(file=trace), 6) == [0, 1, 4, 6, 7, 10]

    def test_speed_and_rate(self, trace: Path) -> None:
        process = Replay(file=trace, speed=2)
        assert times(process, 4) == [0, 0.5, 2, 3]
        assert process.mean_rate == pytest.approx(1.0)

    def test_may_end(self, trace: Path) -> None:
        assert len(list(Replay(file=trace, repeat=False).arrivals(0))) == 3

    def test_lengths_come_with_it_and_turns_share_nothing(self, trace: Path) -> None:
        found = list(islice(Replay(file=trace, lengths=True).arrivals(0), 4))
        assert found[0] == Arrival(0, 700, (0, 1)) and found[1] == Arrival(1, 513, (0, 2))
        assert found[3] == Arrival(6, 700, (4, 5))

    def test_lengths_must_be_there(self, tmp_path: Path) -> None:
        path = tmp_path / "plain.csv"
        path.write_text("1\n2\n")
        with pytest.raises(ValueError, match=r"plain\.csv: arrivals\.lengths"):
            next(Replay(file=path, lengths=True).arrivals(0))
