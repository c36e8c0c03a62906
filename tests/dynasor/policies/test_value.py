"""Policy `value`: what it grants and when it ends a program."""

from __future__ import annotations

from typing import Any

from dynasor.policies import Verdict
from tests.dynasor.policies.views import (
    SEARCH,
    VOTES,
    Fixed,
    View,
    beta,
    value,
)


class TestValue:
    def votes(self, *counts: int, **view: Any) -> View:
        """All units have ended and voted like this."""
        return View(sum(counts), None, {}, counts, stop_hint=VOTES, **view)

    def test_the_first_wave_is_the_least_that_could_settle_it(self) -> None:
        first = value().verdict(self.votes()).allowance
        assert first is not None and 2 <= first <= 5
        assert value().verdict(self.votes(first)).settled or first < 4

    def test_idle_slots_make_waves_wide_as_far_as_there_is_room(self) -> None:
        def wave(room: int, idle: float = 1.0, contract: float | None = None) -> int:
            view = self.votes(2, 2, market=Fixed(0.0, room, idle), max_disagreement=contract)
            allowance = value().verdict(view).allowance
            assert allowance is not None
            return allowance - 4

        assert wave(64) > wave(1)
        assert wave(3) <= max(3, wave(1))
        assert wave(64, idle=0.0) == wave(0) <= wave(64, idle=0.5) <= wave(64)
        assert wave(64, contract=0.01) > wave(1, contract=0.01), "under a contract too"

    def test_haste_trades_waste_for_rounds(self) -> None:
        view = self.votes(1, 1, market=Fixed(room=64))
        waves = [value(haste=haste).verdict(view).allowance for haste in (0.0, 1.0, 4.0)]
        assert waves == sorted(waves) and waves[0] < waves[-1] <= 16  # type: ignore[type-var]

    def test_certain_and_hopeless_programs_end_as_compute_gets_dear(self) -> None:
        def ended_at(*counts: int) -> int:
            return next(
                step
                for step in range(40)
                if value()
                .verdict(self.votes(*counts, market=Fixed(1e-6 * 1.5**step), generated=600))
                .settled
            )

        assert ended_at(6) == 0
        assert ended_at(1, 1, 1, 1, 1, 1) < ended_at(3, 3)

    def test_says_whether_it_was_certain_or_too_dear(self) -> None:
        assert value().verdict(self.votes(10)).stop == "certain"
        dear = self.votes(3, 2, market=Fixed(price=1.0))
        assert value().verdict(dear).stop == "price"
        assert value().verdict(self.votes(10, market=Fixed(price=1.0))).stop == "certain"
        assert value(unit_floor=1.0).verdict(self.votes(*[1] * 6)).stop == "price", "hopeless"

    def test_higher_floors_stop_sooner(self) -> None:
        assert value(budget_floor=1.0, unit_floor=1.0).verdict(self.votes(2, 1)).settled
        assert not value(budget_floor=0.0, unit_floor=0.0).verdict(self.votes(5)).settled

    def test_a_contract_holds_at_any_price(self) -> None:
        dear = Fixed(price=1.0)
        assert value().verdict(self.votes(4, 2, market=dear)).settled
        held = self.votes(4, 2, market=dear, max_disagreement=0.01)
        assert not value().verdict(held).settled
        assert value().verdict(self.votes(9, 2, max_disagreement=0.01)).settled

    def test_programs_at_their_cap_are_complete(self) -> None:
        assert value().verdict(self.votes(8, 8)) == Verdict(None)

    def test_a_wave_ends_as_soon_as_its_votes_settle_it(self) -> None:
        assert value().verdict(View(16, 10, {}, (10,), stop_hint=VOTES)).stop == "certain"

    def test_a_wave_grows_as_soon_as_its_votes_ask_for_it(self) -> None:
        view = View(6, 4, {}, (1, 1, 1, 1), stop_hint=VOTES, market=Fixed(room=64))
        allowance = value().verdict(view).allowance
        assert allowance is not None and allowance > 6

    def test_units_that_run_count_for_the_wave(self) -> None:
        def allowance(started: int) -> int | None:
            view = View(started, 4, {}, (2, 2), stop_hint=VOTES, market=Fixed(room=0))
            return value().verdict(view).allowance

        wave = allowance(4)
        assert wave is not None and wave > 4
        assert allowance(wave) == wave

    def test_nothing_is_decided_while_units_run_that_a_contract_speaks_of(self) -> None:
        view = View(11, 10, {}, (10,), stop_hint=VOTES, max_disagreement=0.5)
        assert value().verdict(view) == Verdict(11)
        mixed = VOTES._replace(exchangeable=False)
        assert value().verdict(View(11, 10, {}, (10,), stop_hint=mixed)) == Verdict(11)

    def test_without_waves_all_is_granted_and_every_end_is_a_look(self) -> None:
        def view(started: int, ended: int, entropy: float, *counts: int) -> View:
            hint = SEARCH._replace(most=16)
            return View(started, ended, {"entropy": entropy}, counts, ended, stop_hint=hint)

        assert value().verdict(view(0, 0, 0.0)) == Verdict(None)
        assert value().verdict(view(16, 1, 0.0, 1)) == Verdict(None)
        assert value().verdict(view(16, 10, 1.0, 10)).stop == "certain"

    def test_however_dear_compute_is_there_has_to_be_an_answer_first(self) -> None:
        dear = Fixed(price=1.0)
        assert not value().verdict(View(0, stop_hint=VOTES, market=dear)).settled
        assert not value().verdict(View(2, 0, stop_hint=VOTES, market=dear)).settled
        assert value().verdict(View(2, stop_hint=VOTES, market=dear)) == Verdict(3)
        assert value().verdict(self.votes(1, 1, market=dear)).settled

    def test_it_learns(self) -> None:
        assert value().learns and not beta().learns
