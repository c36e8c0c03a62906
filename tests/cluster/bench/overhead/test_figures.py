"""What is made of the rounds."""

from __future__ import annotations

import pytest

from cluster.bench.overhead.closed_loop import Round
from cluster.bench.overhead.figures import measures, table


def rounds(concurrency: int, **speeds: float) -> list[Round]:
    """Three rounds of each system, at these tokens a second; latency is 100 s over the speed."""
    return [
        Round(name.replace("_", "-"), concurrency, n, 1.0, 0.1, round(speed), (100 / speed,) * 3)
        for n in range(3)
        for name, speed in speeds.items()
    ]


def test_throughput_is_compared_with_its_goals_where_the_cluster_is_busy():
    done = rounds(64, dynasor=960, direct=1000, ray_serve_llm=600)
    found = {one.name: one for one in measures(done, 0)}
    direct = found["overhead/64/throughput_ratio/dynasor:direct"]
    assert direct.value == pytest.approx(0.96)
    assert direct.goal == 0.95 and direct.met
    assert found["overhead/64/throughput_ratio/dynasor:ray-serve-llm"].met
    assert found["overhead/64/p50_ratio/dynasor:ray-serve-llm"].met
    assert "0.95 met" in table(list(found.values()))


def test_a_missed_goal_is_said():
    found = measures(rounds(128, dynasor=900, direct=1000), 0)
    assert [one.name for one in found if one.met is False] == [
        "overhead/128/throughput_ratio/dynasor:direct"
    ]
    assert "0.95 MISSED" in table(found)


def test_an_idle_cluster_has_no_goal_against_direct_calls():
    found = measures(rounds(1, dynasor=500, direct=1000), 0)
    assert not any(one.goal for one in found)


def test_systems_without_ours_are_not_compared():
    found = measures(rounds(8, direct=1000), 0)
    assert {one.name for one in found} == {
        "overhead/8/throughput/direct",
        "overhead/8/p50/direct",
        "overhead/8/p99/direct",
    }
    assert "8 direct" in table(found)


def test_repeats_are_kept_for_comparing_reports():
    (ratio,) = (
        one
        for one in measures(rounds(64, dynasor=500, direct=1000), 0)
        if "throughput_ratio" in one.name
    )
    assert ratio.repeats == (0.5, 0.5, 0.5)
