"""Placement in turn: what a load balancer without knowledge does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynasor.settings import PlacementSettings
from tests.dynasor.fleet.stands import PROMPT, Stand, a_run

ROUND_ROBIN = PlacementSettings(policy="round_robin")


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8))
def test_every_replica_has_its_turn_whatever_runs_there(loads: list[int]) -> None:
    there = Stand(ROUND_ROBIN)
    names = [f"r{number}" for number in range(len(loads))]
    for name, load in zip(names, loads, strict=True):
        there.attach(name, load=load)
    assert [there.chosen() for _ in range(3 * len(names))] == 3 * names


def test_what_is_cached_plays_no_part() -> None:
    there = Stand(ROUND_ROBIN)
    there.attach("a")
    there.attach("b", cached=PROMPT)
    assert [there.chosen() for _ in range(4)] == ["a", "b", "a", "b"]


def test_a_full_replica_is_left_out() -> None:
    there = Stand(ROUND_ROBIN)
    there.attach("a")
    there.attach("b", load=2, slots=2)
    there.attach("c")
    assert [there.chosen() for _ in range(3)] == ["a", "c", "a"]


def test_no_room_is_no_choice() -> None:
    there = Stand(ROUND_ROBIN)
    assert there.chosen() is None
    there.attach("a", load=1, each=100, kv_tokens=128)
    assert there.choose(a_run(left=200, most=200)) is None
