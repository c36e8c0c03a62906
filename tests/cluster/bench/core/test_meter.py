"""What is timed, and how it is counted."""

from __future__ import annotations

import gc
import math

import pytest

from cluster.bench.core.meter import Cost, Meter, count_starts
from dynasor.messages import Close, Rate, Start, Stop
from dynasor.step import Step

START = Start(1, "q", 0, (), (), 8, 8)
RATE = Rate(2, "q", 1, (), "reward")


def test_starts_are_runs_of_either_kind():
    commands = {"a": (START, Stop(1)), "b": (RATE, Close("q"))}
    assert count_starts(commands) == 2
    assert count_starts({}) == 0


def test_an_event_is_an_entry_or_a_start():
    with Meter() as meter:
        meter.step("ends", 3, Step, {"a": (START, RATE)})
        meter.step("growth", 4, Step)
        meter.time("door", list)
    ends = meter.costs["ends"]
    assert (ends.calls, ends.events, ends.starts) == (1, 5, 2)
    assert meter.total.events == 9
    assert meter.total.calls == 3
    assert meter.total.cpu_s == sum(cost.cpu_s for cost in meter.costs.values()) > 0


def test_reset_forgets():
    with Meter() as meter:
        meter.step("growth", 1, Step)
        meter.reset()
    assert meter.total == Cost()


def test_garbage_is_collected_in_timed_calls_only():
    states = []
    with Meter() as meter:
        states.append(gc.isenabled())
        meter.time("x", lambda: states.append(gc.isenabled()))
        states.append(gc.isenabled())
    assert states == [False, True, False]
    assert gc.isenabled()


def test_collections_are_timed():
    with Meter() as meter:
        meter.time("x", gc.collect)
        assert 0 < meter.longest_s <= meter.collecting_s <= meter.total.cpu_s
        meter.reset()
        assert meter.collecting_s == meter.longest_s == 0


def test_an_exception_leaves_collection_on():
    with pytest.raises(RuntimeError), Meter():
        raise RuntimeError
    assert gc.isenabled()


def test_costs_per_event_and_call():
    cost = Cost(calls=2, events=4, starts=1, cpu_s=8e-6) + Cost()
    assert (cost.per_event_us, cost.per_call_us) == pytest.approx((2.0, 4.0))
    assert math.isnan(Cost().per_event_us) and math.isnan(Cost().per_call_us)
