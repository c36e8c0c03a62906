"""Parameters with which every algorithm makes small programs, as hypothesis draws them."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from hypothesis import strategies as st

from dynasor.algorithms import ALGORITHMS

few = st.integers(1, 8)
some = st.integers(1, 4)
thinking = {"max_thinking_tokens": st.none() | st.integers(1, 400)}
paths = {"width": few, "max_depth": some}
tree = {"children": some, "parallel": some, "max_depth": some}

PARAMS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "a_star": {
        **tree,
        "max_expansions": few,
        "weight": st.sampled_from([0.0, 1.0]),
    },
    "beam_search": {**paths, "beam": some},
    "best_of_n": {
        "max_branches": few,
        "target": st.sampled_from([0.1, 0.9]),
    },
    "budget_forcing": {
        **thinking,
        "min_thinking_tokens": st.integers(0, 400),
        "max_waits": st.integers(0, 4),
    },
    "chain_of_thought": {
        **thinking,
        "probe_every": st.integers(1, 40),
        "probe_growth": st.sampled_from([1.0, 1.3, 2.0]),
        "window": st.integers(1, 5),
        "agreement": st.sampled_from([0.5, 1.0]),
    },
    "deepconf": {
        "max_branches": few,
        "warmup": some,
        "eta": st.sampled_from([10.0, 90.0]),
        "window": st.integers(1, 100),
    },
    "deer": {**thinking, "max_trials": few},
    "dvts": {**paths, "beam": some},
    "mcts": {
        **tree,
        "rollouts": few,
        "prior_temperature": st.none() | st.just(0.5),
        "simulate": st.booleans(),
    },
    "particle_filtering": paths,
    "rebase": {**paths, "temperature": st.sampled_from([0.05, 0.2, 5.0])},
    "sample": {"n": few},
    "self_consistency": {
        "max_branches": few,
    },
    "slim_sc": {
        "max_branches": few,
        "threshold": st.sampled_from([0.0, 0.5, 0.95]),
        "delay": st.integers(0, 3),
        "keep": some,
    },
}
"""Parameters that make small programs, beside those that are a choice between words; what isn't
named here has its default."""


def params_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    fields = ALGORITHMS.get(name, "algorithm").Params.model_fields
    choices = {
        field: st.sampled_from(get_args(info.annotation))
        for field, info in fields.items()
        if get_origin(info.annotation) is Literal
    }
    return st.fixed_dictionaries(PARAMS.get(name, {}), optional=choices)


def programs() -> st.SearchStrategy[dict[str, Any]]:
    """Program objects of a request, of every algorithm."""
    return st.sampled_from(list(ALGORITHMS)).flatmap(
        lambda name: params_of(name).map(lambda params: {"algorithm": name, **params})
    )
