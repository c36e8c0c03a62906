"""The allocator policies, on a program as they see it, and on programs that run to their end."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dynasor.algorithms import ALGORITHMS, Algorithm, StopHint
from dynasor.algorithms.sample import Sample, SampleParams
from dynasor.answers.answer import Answer
from dynasor.certaindex import Certaindex, Vote
from dynasor.policies import POLICIES, Policy, Verdict
from dynasor.policies.beta import Beta, BetaParams
from dynasor.policies.even import Even, EvenParams
from dynasor.policies.threshold import Threshold, ThresholdParams
from dynasor.policies.value import Value, ValueParams
from dynasor.policies.window import Window, WindowParams
from dynasor.value.episode import Family
from dynasor.value.values import ValueModels
from dynasor.work import Drop, Dropped, Finish, Finished, Generate, Started

HINT = StopHint(knob=5, thresholds={"entropy": 0.7}, wave=5)
SEARCH = StopHint(knob=3, thresholds={"entropy": 0.85, "reward": 0.5}, wave=None)
NEVER = StopHint(knob=1, thresholds={}, wave=None)
VOTES = StopHint(knob=5, thresholds={"entropy": 0.7}, wave=5, most=16, exchangeable=True)
FAMILY = Family("model", "algorithm")


@dataclass
class Fixed:
    """A market that stays as it is."""

    price: float = 0.0
    room: int = 1
    values: ValueModels = field(default_factory=ValueModels)


@dataclass
class View:
    """A program as a policy sees it; all that was started has ended if not said otherwise."""

    started: int = 0
    ended: int | None = None
    signals: dict[str, float] = field(default_factory=dict)
    counts: tuple[int, ...] = ()
    streak: int = 0
    stop_hint: StopHint = HINT
    generated: int = 0
    family: Family = FAMILY
    max_disagreement: float | None = None
    market: Fixed = field(default_factory=Fixed)

    @property
    def measured(self) -> int:
        return self.started if self.ended is None else self.ended

    @property
    def active(self) -> int:
        return self.started - self.measured

    def certaindex(self) -> Certaindex:
        votes = tuple(Vote(str(place), str(place), n) for place, n in enumerate(self.counts))
        return Certaindex(self.signals, self.measured, votes, 0, self.streak)


@st.composite
def views(draw: st.DrawFn) -> View:
    started = draw(st.integers(0, 40))
    ended = draw(st.integers(0, started) | st.none())
    voting = started if ended is None else ended
    splits = sorted(draw(st.lists(st.integers(0, voting), max_size=3)))
    counts = [b - a for a, b in zip([0, *splits], [*splits, voting], strict=True)]
    return View(
        started,
        ended,
        draw(st.dictionaries(st.sampled_from(["entropy", "reward"]), st.floats(0, 1))),
        tuple(count for count in counts if count),
        draw(st.integers(0, voting)),
        draw(st.sampled_from([HINT, SEARCH, NEVER])),
        max_disagreement=draw(st.sampled_from([None, 0.0, 0.01])),
        market=Fixed(draw(st.sampled_from([0.0, 1e-6, 1e-3])), draw(st.integers(0, 64))),
    )


def threshold(**params: object) -> Threshold:
    return Threshold(ThresholdParams.model_validate(params))


def beta(**params: object) -> Beta:
    return Beta(BetaParams.model_validate(params))


def value(**params: object) -> Value:
    return Value(ValueParams.model_validate(params))


def window(**params: object) -> Window:
    return Window(WindowParams.model_validate(params))


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


class TestValue:
    def votes(self, *counts: int, **view: Any) -> View:
        """All units have ended and voted like this."""
        return View(sum(counts), None, {}, counts, stop_hint=VOTES, **view)

    def test_the_first_wave_is_the_least_that_could_settle_it(self) -> None:
        first = value().verdict(self.votes()).allowance
        assert first is not None and 2 <= first <= 5
        assert value().verdict(self.votes(first)).settled or first < 4

    def test_free_compute_makes_waves_wide_as_far_as_there_is_room(self) -> None:
        def wave(price: float, room: int, contract: float | None = None) -> int:
            view = self.votes(2, 2, market=Fixed(price, room), max_disagreement=contract)
            allowance = value().verdict(view).allowance
            assert allowance is not None
            return allowance - 4

        assert wave(0.0, 64) > wave(0.0, 1)
        assert wave(0.0, 3) <= max(3, wave(0.0, 1))
        assert wave(1e-6, 64) <= wave(0.0, 1)
        assert wave(0.0, 64, 0.01) > wave(0.0, 1, 0.01), "under a contract too"

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

    def test_nothing_is_decided_while_units_run(self) -> None:
        assert value().verdict(View(9, 8, {}, (8,), stop_hint=VOTES)) == Verdict(9)

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


class Run:
    """A program of voting chains, which end in any order; satisfies `ProgramView`."""

    def __init__(
        self,
        algorithm: Algorithm[Any, Any],
        policy: Policy,
        seed: int,
        max_disagreement: float | None = None,
        market: Fixed | None = None,
    ) -> None:
        self.family = Family("model", algorithm.name)
        self.max_disagreement = max_disagreement
        self.market = market or Fixed()
        self.algorithm = algorithm
        self.policy = policy
        self.random = random.Random(seed)
        self.started = 0
        self.generated = 0
        self.settled = False
        self.running: list[int] = []

    @property
    def stop_hint(self) -> StopHint:
        return self.algorithm.stop_hint

    @property
    def active(self) -> int:
        return len(self.running)

    def certaindex(self) -> Certaindex:
        return self.algorithm.certaindex()

    def finish(self, answers: list[str | None]) -> None:
        """Run it to its end; each chain draws what it says, "!" for a failure."""
        while True:
            verdict = self.policy.verdict(self)
            self.settled = verdict.settled
            if verdict.settled:
                return
            self.accept(verdict.allowance)
            if not self.running:
                assert not list(self.algorithm.demand()), "it waits for ever"
                return
            branch = self.running.pop(self.random.randrange(len(self.running)))
            key = self.random.choice(answers)
            answer = Answer(key, key) if key is not None else None
            finish: Finish = "error" if key == "!" else "stop"
            self.algorithm.observe(Finished(branch, finish, answer, 9))

    def accept(self, allowance: int | None) -> None:
        for item in list(self.algorithm.demand()):
            if isinstance(item, Drop):
                self.algorithm.observe(Dropped(item.branch))
                continue
            assert isinstance(item, Generate)
            if allowance is not None and self.started + item.units > allowance:
                return
            self.started += item.units
            self.running.append(item.branch)
            self.algorithm.observe(Started(item.branch))


VOTING = ["self_consistency", "deepconf", "slim_sc"]

policies = st.one_of(
    st.just(Even(EvenParams())),
    st.builds(
        threshold,
        threshold=st.sampled_from([None, 0.0, 0.5, 1.0]),
        knob=st.none() | st.integers(1, 12),
        wave=st.none() | st.integers(1, 5),
    ),
    st.builds(beta, confidence=st.sampled_from([0.5, 0.95, 0.999]), wave=st.integers(1, 5)),
    st.builds(window, window=st.integers(2, 8)),
    st.builds(value, haste=st.sampled_from([0.0, 1.0, 4.0])),
)

markets = st.builds(Fixed, st.sampled_from([0.0, 1e-5, 1e-3]), st.integers(0, 32))


class TestPrograms:
    @given(
        st.sampled_from(VOTING),
        policies,
        st.integers(1, 20),
        st.lists(st.sampled_from([None, "1", "2", "!"]), min_size=1, max_size=4),
        st.integers(0, 100),
        st.sampled_from([None, 0.01]),
        markets,
    )
    @settings(max_examples=300, deadline=None)
    def test_every_program_comes_to_its_end_within_its_cap(
        self,
        name: str,
        policy: Policy,
        cap: int,
        answers: list[str | None],
        seed: int,
        contract: float | None,
        market: Fixed,
    ) -> None:
        kind = ALGORITHMS.get(name, "algorithm")
        algorithm = kind(kind.Params.model_validate({"max_branches": cap}))
        run = Run(algorithm, policy, seed, contract, market)
        run.finish(answers)
        assert run.started <= cap
        assert run.settled or run.started == cap

    @given(policies, st.integers(1, 20))
    def test_completions_are_all_made(self, policy: Policy, n: int) -> None:
        run = Run(Sample(SampleParams(n=n)), policy, seed=0)
        run.finish([None])
        assert run.started == n

    @pytest.mark.parametrize("name", VOTING)
    @pytest.mark.parametrize(
        ("policy", "units"), [(beta(), 4), (window(), 5), (window(window=3), 3)]
    )
    def test_any_voting_algorithm_gets_the_stop_rules(
        self, name: str, policy: Policy, units: int
    ) -> None:
        kind = ALGORITHMS.get(name, "algorithm")
        run = Run(kind(kind.Params.model_validate({"max_branches": 16})), policy, seed=0)
        run.finish(["1"])
        assert run.settled and run.started == units

    @pytest.mark.parametrize(("name", "units"), [("self_consistency", 5), ("deepconf", 16)])
    def test_unanimous_programs_stop_at_their_knob(self, name: str, units: int) -> None:
        kind = ALGORITHMS.get(name, "algorithm")
        run = Run(kind(kind.Params.model_validate({"max_branches": 32})), threshold(), seed=0)
        run.finish(["1"])
        assert run.settled and run.started == units
