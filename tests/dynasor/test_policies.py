"""The allocator policies, on a program as they see it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms import ALGORITHMS, StopHint
from dynasor.certaindex import Certaindex
from dynasor.policies import POLICIES, Policy, Verdict
from dynasor.policies.even import Even, EvenParams
from dynasor.policies.threshold import Threshold, ThresholdParams

HINT = StopHint(knob=5, threshold=0.7)


@dataclass
class View:
    """A program as a policy sees it."""

    started: int = 0
    active: int = 0
    value: float = 0.0
    generated: int = 0
    stop_hint: StopHint = HINT

    def certaindex(self) -> Certaindex:
        return Certaindex(self.value)


views = st.builds(
    View,
    started=st.integers(0, 300),
    active=st.integers(0, 300),
    value=st.floats(0, 1),
    generated=st.integers(0, 10_000),
    stop_hint=st.sampled_from([ALGORITHMS.get(name, "").stop_hint for name in ALGORITHMS]),
)


def threshold(**params: float) -> Threshold:
    return Threshold(ThresholdParams.model_validate(params))


@pytest.mark.parametrize("name", list(POLICIES))
class TestEveryPolicy:
    def make(self, name: str) -> Policy:
        kind = POLICIES.get(name, "policy")
        return kind(kind.Params())

    @given(view=views)
    def test_is_a_pure_function_of_the_view(self, name: str, view: View) -> None:
        assert self.make(name).verdict(view) == self.make(name).verdict(view)
        assert self.make(name).renew(view) is self.make(name).renew(view)

    @given(view=views)
    def test_never_leaves_an_idle_program_waiting(self, name: str, view: View) -> None:
        view.active = 0
        verdict = self.make(name).verdict(view)
        more = verdict.allowance is None or verdict.allowance > view.started
        assert verdict.settled or more, "neither ended nor granted anything: it would wait for ever"
        assert self.make(name).renew(view), "granted work would never start"


class TestEven:
    @given(views)
    def test_grants_everything_and_stops_nothing(self, view: View) -> None:
        assert Even(EvenParams()).verdict(view) == Verdict(None, settled=False)
        assert Even(EvenParams()).renew(view)


class TestThreshold:
    def test_the_first_wave_is_as_wide_as_the_knob(self) -> None:
        assert threshold().verdict(View()) == Verdict(5)
        assert threshold(knob=3).verdict(View()) == Verdict(3)

    def test_nothing_is_decided_before_the_wave_has_ended(self) -> None:
        assert threshold().verdict(View(started=5, active=1, value=1.0)) == Verdict(5)

    def test_ends_a_program_at_the_threshold(self) -> None:
        assert threshold().verdict(View(started=5, value=0.7)).settled
        assert not threshold().verdict(View(started=5, value=0.69)).settled

    def test_grants_another_wave_below_it(self) -> None:
        assert threshold().verdict(View(started=5, value=0.5)) == Verdict(10)
        assert threshold().verdict(View(started=10, value=0.5)) == Verdict(15)

    def test_later_waves_have_a_width_of_their_own(self) -> None:
        policy = threshold(knob=4, wave=2)
        assert policy.verdict(View(started=4)) == Verdict(6)
        assert policy.verdict(View(started=6)) == Verdict(8)

    def test_takes_what_is_not_given_from_the_algorithm(self) -> None:
        view = View(started=3, value=0.98, stop_hint=StopHint(knob=3, threshold=0.99))
        assert threshold().verdict(view) == Verdict(6)
        assert threshold(threshold=0.9).verdict(view) == Verdict(3, settled=True)
        assert threshold(knob=4).verdict(view) == Verdict(4)

    def test_a_threshold_of_zero_stops_after_the_first_wave(self) -> None:
        assert threshold(threshold=0.0).verdict(View(started=5, value=0.0)).settled

    @given(views)
    def test_saying_it_twice_grants_nothing_twice(self, view: View) -> None:
        verdict = threshold().verdict(view)
        assert verdict.allowance is not None
        if verdict.allowance > view.started:
            view.active += verdict.allowance - view.started
            view.started = verdict.allowance
            assert threshold().verdict(view).allowance == view.started
