"""All policies, on programs that run to their end."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynasor.algorithms import ALGORITHMS, Algorithm, StopHint
from dynasor.algorithms.sample import Sample, SampleParams
from dynasor.answers.answer import Answer
from dynasor.certaindex import Certaindex
from dynasor.policies import Policy
from dynasor.policies.even import Even, EvenParams
from dynasor.value.episode import Family
from dynasor.work import Drop, Dropped, Finish, Finished, Generate, Started
from tests.dynasor.policies.views import (
    Fixed,
    beta,
    threshold,
    value,
    window,
)


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
