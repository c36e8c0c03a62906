"""The rules that look at one program: what they promise together, and each alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from dynasor.algorithms import StopHint
from dynasor.policies import POLICIES, Policy, Verdict
from dynasor.policies.even import Even, EvenParams
from tests.dynasor.policies.views import (
    HINT,
    NEVER,
    SEARCH,
    View,
    beta,
    threshold,
    views,
    window,
)


@pytest.mark.parametrize("name", list(POLICIES))
class TestEveryPolicy:
    def make(self, name: str) -> Policy:
        kind = POLICIES.get(name, "policy")
        return kind(kind.Params())

    @given(view=views())
    def test_is_a_pure_function_of_the_view(self, name: str, view: View) -> None:
        assert self.make(name).verdict(view) == self.make(name).verdict(view)
        assert self.make(name).renew(view) is self.make(name).renew(view)

    @given(view=views())
    def test_never_leaves_a_program_waiting_whose_units_have_ended(
        self, name: str, view: View
    ) -> None:
        view.ended = None
        verdict = self.make(name).verdict(view)
        more = verdict.allowance is None or verdict.allowance > view.started
        assert verdict.settled or more, "it would wait for ever"
        assert self.make(name).renew(view), "granted work would never start"

    @given(view=views())
    def test_never_takes_a_grant_back(self, name: str, view: View) -> None:
        verdict = self.make(name).verdict(view)
        assert verdict.allowance is None or verdict.allowance >= view.started

    @given(view=views())
    def test_a_wave_that_runs_gets_no_second_one(self, name: str, view: View) -> None:
        view.stop_hint = HINT
        verdict = self.make(name).verdict(view)
        if verdict.allowance is not None and verdict.allowance > view.started:
            view.ended, view.started = view.measured, verdict.allowance
            assert self.make(name).verdict(view) == Verdict(view.started)

    @given(view=views())
    def test_grants_all_where_nothing_is_ever_certain(self, name: str, view: View) -> None:
        view.stop_hint = NEVER
        assert self.make(name).verdict(view) == Verdict(None)


class TestEven:
    @given(views())
    def test_grants_everything_and_stops_nothing(self, view: View) -> None:
        assert Even(EvenParams()).verdict(view) == Verdict(None)
        assert Even(EvenParams()).renew(view)


def sure(started: int, value: float, **view: Any) -> View:
    return View(started, signals={"entropy": value}, **view)


class TestThreshold:
    def test_the_first_wave_is_as_wide_as_the_knob(self) -> None:
        assert threshold().verdict(View()) == Verdict(5)
        assert threshold(knob=3).verdict(View()) == Verdict(3)

    def test_what_did_not_fit_into_the_first_wave_follows(self) -> None:
        assert threshold().verdict(sure(3, 1.0)) == Verdict(5)

    def test_nothing_is_decided_before_the_wave_has_ended(self) -> None:
        assert threshold().verdict(sure(5, 1.0, ended=4)) == Verdict(5)
        assert threshold().verdict(sure(10, 1.0, ended=9)) == Verdict(10)

    def test_ends_a_program_at_the_threshold(self) -> None:
        assert threshold().verdict(sure(5, 0.7)) == Verdict(5, stop="certain")
        assert not threshold().verdict(sure(5, 0.69)).settled

    def test_grants_another_wave_below_it(self) -> None:
        assert threshold().verdict(sure(5, 0.5)) == Verdict(10)
        assert threshold().verdict(sure(10, 0.5)) == Verdict(15)

    def test_later_waves_have_a_width_of_their_own(self) -> None:
        policy = threshold(knob=4, wave=2)
        assert policy.verdict(View(4)) == Verdict(6)
        assert policy.verdict(View(6, ended=5)) == Verdict(6)
        assert policy.verdict(View(6)) == Verdict(8)

    def test_without_waves_all_is_granted_and_every_end_is_a_look(self) -> None:
        def view(started: int, ended: int, reward: float) -> View:
            signals = {"entropy": 0.9, "reward": reward}
            return View(started, ended, signals, stop_hint=SEARCH)

        assert threshold().verdict(view(0, 0, 0.9)) == Verdict(3)
        assert threshold().verdict(view(3, 2, 0.9)) == Verdict(3)
        assert threshold().verdict(view(3, 3, 0.1)) == Verdict(None)
        assert threshold().verdict(view(16, 2, 0.9)) == Verdict(16), "the knob was not reached"
        assert threshold().verdict(view(16, 7, 0.1)) == Verdict(None)
        assert threshold().verdict(view(16, 7, 0.5)) == Verdict(16, stop="certain")

    def test_waves_can_be_asked_for_where_the_algorithm_has_none(self) -> None:
        policy = threshold(wave=2)
        assert policy.verdict(View(3, stop_hint=SEARCH)) == Verdict(5)
        assert policy.verdict(View(5, ended=4, stop_hint=SEARCH)) == Verdict(5)

    def test_all_signals_must_reach_their_thresholds(self) -> None:
        def settled(entropy: float, reward: float) -> bool:
            signals = {"entropy": entropy, "reward": reward}
            return threshold().verdict(View(3, None, signals, stop_hint=SEARCH)).settled

        assert settled(0.85, 0.5)
        assert not settled(0.84, 1.0) and not settled(1.0, 0.49)

    def test_a_signal_that_is_not_there_is_not_reached(self) -> None:
        assert not threshold().verdict(View(3, signals={"entropy": 1.0}, stop_hint=SEARCH)).settled
        assert not threshold(thresholds={"reward": 0.1}).verdict(sure(5, 1.0)).settled

    def test_one_threshold_is_for_the_least_signal(self) -> None:
        view = View(3, signals={"entropy": 0.6, "reward": 0.4}, stop_hint=SEARCH)
        assert threshold(threshold=0.4).verdict(view).settled
        assert not threshold(threshold=0.5).verdict(view).settled

    def test_thresholds_by_signal_replace_the_algorithms(self) -> None:
        view = View(3, signals={"entropy": 0.6, "reward": 0.4}, stop_hint=SEARCH)
        assert threshold(thresholds={"entropy": 0.6}).verdict(view).settled
        assert not threshold(thresholds={"entropy": 0.6, "reward": 0.5}).verdict(view).settled
        assert not threshold(thresholds={}).verdict(view).settled, "as if there were none"

    def test_takes_what_is_not_given_from_the_algorithm(self) -> None:
        view = sure(3, 0.98, stop_hint=StopHint(knob=3, thresholds={"entropy": 0.99}, wave=3))
        assert threshold().verdict(view) == Verdict(6)
        assert threshold(threshold=0.9).verdict(view) == Verdict(3, stop="certain")
        assert threshold(knob=4).verdict(view) == Verdict(4)

    def test_a_threshold_of_zero_stops_after_the_first_wave(self) -> None:
        assert threshold(threshold=0).verdict(sure(5, 0.0)).settled

    @pytest.mark.parametrize(
        "params", [{"threshold": 1.1}, {"thresholds": {"entropy": -0.1}}, {"knob": 0}, {"wave": 0}]
    )
    def test_bad_parameters_are_refused(self, params: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            threshold(**params)


class TestBeta:
    def test_the_first_wave_is_the_least_that_could_settle_it(self) -> None:
        assert beta().verdict(View()) == Verdict(4)
        assert beta(confidence=0.99).verdict(View()) == Verdict(6)
        assert beta(confidence=0.5).verdict(View()) == Verdict(1)

    @pytest.mark.parametrize("counts", [(4,), (6, 1), (8, 2), (9, 3), (6, 1, 1, 1)])
    def test_stops_at_the_papers_pairs(self, counts: tuple[int, ...]) -> None:
        started = sum(counts)
        assert beta().verdict(View(started, counts=counts)) == Verdict(started, stop="certain")
        before = (counts[0] - 1, *counts[1:])
        assert not beta().verdict(View(started, counts=before)).settled

    def test_looks_at_counts_in_any_order(self) -> None:
        assert beta().verdict(View(7, counts=(1, 6))).settled

    def test_then_it_is_one_unit_at_a_time_or_a_few(self) -> None:
        assert beta().verdict(View(4, counts=(3, 1))) == Verdict(5)
        assert beta(wave=4).verdict(View(4, counts=(3, 1))) == Verdict(8)

    def test_nothing_is_decided_while_units_run(self) -> None:
        assert beta().verdict(View(5, ended=4, counts=(4,))) == Verdict(5)

    def test_chains_without_answers_settle_nothing(self) -> None:
        assert beta().verdict(View(20)) == Verdict(21)


class TestWindow:
    def test_the_first_window_comes_whole(self) -> None:
        assert window().verdict(View()) == Verdict(5)
        assert window().verdict(View(3, ended=1)) == Verdict(5)

    def test_stops_when_a_window_agrees(self) -> None:
        assert window().verdict(View(10, streak=5)) == Verdict(10, stop="certain")
        assert window().verdict(View(10, streak=4)) == Verdict(15)
        assert window(window=3).verdict(View(3, streak=3)).settled

    def test_nothing_is_decided_while_units_run(self) -> None:
        assert window().verdict(View(10, ended=9, streak=9)) == Verdict(10)
