"""What one more sequence costs those beside it, learned from what replicas report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.fleet.fleet import Fleet
from dynasor.fleet.pace import WINDOW_S, Pace, Spell
from dynasor.settings import CoreSettings
from tests.dynasor.fleet.test_fleet import Stand
from tests.dynasor.simulated import info


def step_s(running: float) -> float:
    return 0.01 + 0.0002 * running


def spent(pace: Pace, running: int, seconds: float, pieces: int = 4) -> None:
    """So many sequences run side by side for that long, and their replica reports in pieces."""
    spell = Spell()
    for piece in range(1, pieces + 1):
        spell.tokens += round(running * seconds / pieces / step_s(running))
        spell.pass_to(piece * seconds / pieces, running)
        spell.take(pace)


class TestPace:
    def test_all_is_free_as_long_as_nothing_is_known(self) -> None:
        assert Pace().free(0) == Pace().free(200) == 1.0

    def test_what_is_free_is_the_pace_of_one_among_many_to_that_of_one_alone(self) -> None:
        pace = Pace()
        for running in (200, 1, 50):
            spent(pace, running, 20)
        for running in (1, 50, 200):
            share = step_s(1) / step_s(running)
            assert pace.free(running) == pytest.approx(share, rel=0.02)
        assert pace.free(0) == 1.0

    def test_what_is_known_of_few_lasts_while_many_run(self) -> None:
        pace = Pace()
        spent(pace, 1, 5)
        spent(pace, 200, 5000, pieces=1000)
        assert pace.free(200) == pytest.approx(step_s(1) / step_s(200), rel=0.02)

    @given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 10**6), st.floats(1, 60))))
    def test_is_a_share_whatever_was_measured(self, seen: list[tuple[int, int, float]]) -> None:
        pace = Pace()
        for running, tokens, busy_s in seen:
            pace.learn(busy_s, busy_s * running, tokens, 0.0)
            assert all(0.0 < pace.free(number) <= 1.0 for number in (0, 1, running, 10_000))

    def test_what_waits_for_something_else_makes_no_idle_replica_slow(self) -> None:
        pace = Pace()
        spent(pace, 8, 20)
        pace.learn(30.0, 30.0, 100, 50.0)
        assert pace.free(0) == 1.0

    def test_what_was_known_fades_while_it_comes_up_again(self) -> None:
        pace = Pace()
        pace.learn(10.0, 10.0, 1000, 10.0)
        pace.learn(10.0, 1000.0, 50_000, 20.0)
        assert pace.free(100) == pytest.approx(0.5)
        for second in range(30, 100, 10):
            pace.learn(10.0, 1000.0, 25_000, second)
        assert pace.free(100) == pytest.approx(0.25, rel=0.02)


class TestSpell:
    def test_time_without_sequences_does_not_count(self) -> None:
        spell = Spell()
        spell.pass_to(10.0, 0)
        spell.pass_to(10.5, 2)
        spell.pass_to(70.0, 0)
        assert (spell.busy_s, spell.shared_s) == (0.5, 1.0)

    def test_short_ones_and_silent_ones_tell_nothing(self) -> None:
        pace, short, silent = Pace(), Spell(tokens=10), Spell()
        short.pass_to(WINDOW_S / 2, 3)
        silent.pass_to(WINDOW_S * 2, 3)
        short.take(pace)
        silent.take(pace)
        assert pace.free(3) == 1.0 and short.busy_s and silent.busy_s


class TestIdle:
    def test_nobody_is_idle_where_nobody_is(self) -> None:
        assert Fleet(CoreSettings()).idle("generate") == 0.0

    def test_goes_by_free_slots_and_by_how_slow_sequences_got(self) -> None:
        there = Stand("a", slots=8)
        assert there.fleet.idle("generate") == 1.0
        there.placed(now=0.0)
        there.fleet.generated("a", 200, 2.0)
        assert there.fleet.idle("generate") == pytest.approx(7 / 8)
        for _ in range(3):
            there.placed(now=2.0)
        # Each of the four is half as fast as the one was.
        there.fleet.generated("a", 400, 4.0)
        assert there.fleet.idle("generate") == pytest.approx(4 / 8 / 2)
        for _ in range(4):
            there.placed(now=4.0)
        assert there.fleet.idle("generate") == 0.0

    def test_judges_have_compute_of_their_own(self) -> None:
        there = Stand("a", slots=2)
        there.fleet.attach("judge", info(slots=6, services=("reward",)), 0.0)
        there.placed()
        assert there.fleet.idle("generate") == 0.5 and there.fleet.idle("reward") == 1.0
