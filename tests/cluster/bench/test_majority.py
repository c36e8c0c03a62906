"""Majority voting at equal tokens, on chains whose votes can be counted by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bench.majority import Chain, Curve, at_equal_tokens, majority_curve

RIGHT, WRONG, SILENT = Chain("7", True, 10), Chain("8", False, 30), Chain(None, False, 20)

chains = st.lists(
    st.builds(
        lambda key, tokens: Chain(key, key == "7", tokens),
        st.sampled_from(["7", "8", "9", None]),
        st.integers(0, 500),
    ),
    min_size=1,
    max_size=16,
)


def test_one_chain_is_right_as_often_as_chains_are():
    curve = majority_curve([RIGHT] * 3 + [WRONG], seed=0)
    assert curve.accuracy[0] == pytest.approx(0.75, abs=0.1)
    assert curve.accuracy[3] == 1.0
    assert curve.tokens == (15.0, 30.0, 45.0, 60.0)


def test_among_equals_the_first_answer_wins():
    """So two chains that disagree are as good as the first of them."""
    curve = majority_curve([RIGHT, WRONG], seed=1)
    assert curve.accuracy[1] == curve.accuracy[0]


def test_a_chain_without_an_answer_costs_tokens_and_has_no_vote():
    curve = majority_curve([SILENT, SILENT, RIGHT], seed=0)
    assert curve.accuracy[2] == 1.0
    assert 0.15 < curve.accuracy[0] < 0.55
    assert curve.tokens[2] == 50.0


@given(chains, st.integers(0, 5))
def test_all_chains_together_are_the_vote_itself(drawn, seed):
    curve = majority_curve(drawn, seed)
    counts = {key: sum(chain.key == key for chain in drawn) for key in ("7", "8", "9")}
    others = max(counts["8"], counts["9"])
    if counts["7"] > others:
        assert curve.accuracy[-1] == 1.0
    if counts["7"] < others or counts["7"] == 0:
        assert curve.accuracy[-1] == 0.0
    assert all(0.0 <= value <= 1.0 for value in curve.accuracy)
    assert curve.tokens[-1] == pytest.approx(sum(chain.tokens for chain in drawn))


CURVE = Curve((0.5, 0.7, 0.9), (100.0, 200.0, 300.0))


@pytest.mark.parametrize(
    ("tokens", "majority", "beyond"),
    [(150, 0.6, False), (300, 0.9, False), (400, 0.9, True), (10, 0.5, False)],
)
def test_between_two_numbers_of_chains_it_is_interpolated(tokens, majority, beyond):
    beside = at_equal_tokens([1.0, 1.0], [tokens, tokens], [CURVE, CURVE], seed=0)
    assert beside is not None
    assert beside.majority == pytest.approx(majority)
    assert beside.difference.value == pytest.approx(100 * (1 - majority))
    assert beside.difference.low == pytest.approx(beside.difference.high)
    assert beside.beyond == beyond


def test_tokens_are_equal_on_average_over_the_problems():
    """A row that spends all its tokens on one problem is compared with the same n on both."""
    flat = Curve((1.0, 1.0, 1.0), (100.0, 200.0, 300.0))
    beside = at_equal_tokens([1.0, 1.0], [0.0, 400.0], [CURVE, flat], seed=0)
    assert beside is not None
    assert beside.majority == pytest.approx((0.7 + 1.0) / 2)


def test_majority_voting_is_as_good_as_itself():
    curves = [majority_curve([RIGHT] * k + [WRONG] * (5 - k), seed=k) for k in (2, 3, 4)]
    beside = at_equal_tokens(
        [curve.accuracy[-1] for curve in curves],
        [curve.tokens[-1] for curve in curves],
        curves,
        seed=0,
    )
    assert beside is not None
    assert all(math.isclose(value, 0.0, abs_tol=1e-9) for value in beside.difference)
    assert not beside.beyond


def test_without_chains_there_is_nothing_to_compare_with():
    assert at_equal_tokens([], [], [], seed=0) is None
    assert at_equal_tokens([1.0], [10.0], [Curve((), ())], seed=0) is None
