"""What every algorithm promises, whatever happens to its branches and whatever a policy grants."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynasor.algorithms import ALGORITHMS, PLAIN, Algorithm
from dynasor.policies import POLICIES
from tests.dynasor.algorithm_world import QUERY_LIMIT, AlgorithmWorld, Decides, Trickle, view
from tests.dynasor.small_programs import params_of

CAPS: dict[str, Callable[[Any], int]] = {
    "a_star": lambda params: params.max_expansions,
    "beam_search": lambda params: params.width,
    "best_of_n": lambda params: params.max_branches,
    "budget_forcing": lambda params: 1,
    "chain_of_thought": lambda params: QUERY_LIMIT // params.probe_every,
    "deepconf": lambda params: params.max_branches,
    "deer": lambda params: params.max_trials,
    "dvts": lambda params: params.width,
    "mcts": lambda params: params.rollouts,
    "particle_filtering": lambda params: params.width,
    "rebase": lambda params: params.width,
    "sample": lambda params: params.n,
    "self_consistency": lambda params: params.max_branches,
    "slim_sc": lambda params: params.max_branches,
}
"""Most units that an algorithm may begin."""

POLICY_PARAMS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "beta": {"confidence": st.sampled_from([0.5, 0.7, 0.95]), "wave": st.integers(1, 3)},
    "threshold": {
        "threshold": st.none() | st.sampled_from([0.0, 0.5, 1.0]),
        "knob": st.none() | st.integers(1, 5),
        "wave": st.none() | st.integers(1, 3),
    },
    "window": {"window": st.integers(2, 5)},
}

NAMES = list(ALGORITHMS)


def build(name: str, **params: Any) -> Algorithm[Any, Any]:
    kind = ALGORITHMS.get(name, "algorithm")
    return kind(kind.Params(**params))


@st.composite
def policies(draw: st.DrawFn) -> Decides:
    name = draw(st.sampled_from([*POLICIES, "trickle"]))
    if name == "trickle":
        return Trickle(draw(st.integers(0, 99)))
    kind = POLICIES.get(name, "policy")
    params = st.fixed_dictionaries({}, optional=POLICY_PARAMS.get(name, {}))
    return kind(kind.Params(**draw(params)))


seeds = st.integers(0, 2**32)


@pytest.mark.parametrize("name", NAMES)
class TestEveryAlgorithm:
    def test_says_where_it_comes_from_and_when_it_may_stop(self, name: str) -> None:
        algorithm = build(name)
        hint = algorithm.stop_hint
        assert algorithm.source
        assert hint.knob >= 1
        assert hint.wave is None or hint.wave >= 1
        assert all(0.0 <= level <= 1.0 for level in hint.thresholds.values())

    def test_its_parameters_are_described_and_bounded(self, name: str) -> None:
        schema = ALGORITHMS.get(name, "algorithm").Params.model_json_schema()
        for field, described in schema["properties"].items():
            assert described.get("description"), field
            assert "default" in described, field

    def test_begins_without_an_answer(self, name: str) -> None:
        algorithm = build(name)
        assert algorithm.answer() == (None, None)
        assert algorithm.certaindex().measured == 0
        assert list(algorithm.demand())

    @settings(max_examples=100, deadline=None)
    @given(data=st.data(), policy=policies(), seed=seeds)
    def test_keeps_its_promises_until_the_program_ends(
        self, name: str, data: st.DataObject, policy: Decides, seed: int
    ) -> None:
        algorithm = build(name, **data.draw(params_of(name)))
        cap = CAPS[name](algorithm.params) if name in CAPS else None
        AlgorithmWorld(algorithm, policy, seed, cap).run()

    @settings(max_examples=40, deadline=None)
    @given(data=st.data(), seed=seeds)
    def test_ends_when_everything_is_granted(
        self, name: str, data: st.DataObject, seed: int
    ) -> None:
        kind = POLICIES.get("even", "policy")
        algorithm = build(name, **data.draw(params_of(name)))
        world = AlgorithmWorld(algorithm, kind(kind.Params()), seed)
        world.run()
        assert world.outcome == "complete"
        assert {*world.stop_hint.thresholds} <= {*world.certaindex().signals}

    @settings(max_examples=40, deadline=None)
    @given(data=st.data(), seed=seeds, swap_every=st.integers(1, 20))
    def test_a_snapshot_goes_on_to_the_same_result(
        self, name: str, data: st.DataObject, seed: int, swap_every: int
    ) -> None:
        params = data.draw(params_of(name))
        worlds = [
            AlgorithmWorld(build(name, **params), Trickle(seed), seed, swap_every=swap)
            for swap in (None, swap_every)
        ]
        for world in worlds:
            world.run()
        plain, swapped = worlds
        assert swapped.accepted == plain.accepted
        assert swapped.events == plain.events
        assert view(swapped.algorithm) == view(plain.algorithm)
        assert swapped.algorithm.snapshot() == plain.algorithm.snapshot()


def test_no_algorithm_is_named_outside_its_file_and_the_registry() -> None:
    """No special cases: code elsewhere knows no algorithm. Plain sampling shares its name with a
    kind of branch."""
    root = Path(__file__).parents[2]
    sources = [*(root / "dynasor").rglob("*.py"), *(root / "cluster").rglob("*.py")]
    own = {Path(inspect.getfile(ALGORITHMS.get(name, "algorithm"))) for name in ALGORITHMS}
    for source in set(sources) - own - {root / "dynasor" / "algorithms" / "__init__.py"}:
        named = {
            node.value
            for node in ast.walk(ast.parse(source.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not named & (set(ALGORITHMS) - {PLAIN}), source


@pytest.mark.parametrize("name", NAMES)
def test_an_algorithm_fits_into_a_file_of_250_lines(name: str) -> None:
    kind = ALGORITHMS.get(name, "algorithm")
    files = {Path(inspect.getfile(base)) for base in kind.__mro__ if "dynasor" in base.__module__}
    assert all(len(file.read_text().splitlines()) <= 250 for file in files)
