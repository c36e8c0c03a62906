"""Certaindex from votes: check values, closed forms, and what holds for all."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.certaindex import Certaindex, beta_certaindex, entropy_certaindex

counts = st.lists(st.integers(1, 60), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("votes", "value"),
    [
        ([4, 1], 0.68908),
        ([3, 1, 1], 0.40956),
        ([14, 2], 0.86411),
        ([5], 1.0),
        ([1, 1, 1, 1], 0.0),
    ],
)
def test_check_values(votes: list[int], value: float) -> None:
    assert entropy_certaindex(votes) == pytest.approx(value, abs=1e-5)


def test_thresholds_of_the_paper() -> None:
    assert entropy_certaindex([5]) >= 0.7 > entropy_certaindex([4, 1]), "0.7 of 5: unanimous"
    assert entropy_certaindex([14, 2]) >= 0.85 > entropy_certaindex([13, 3]), "0.85 of 16"


def test_an_even_split_of_16_is_exactly_three_quarters() -> None:
    assert entropy_certaindex([8, 8]) == 0.75


@pytest.mark.parametrize("votes", [[], [1]])
def test_too_few_votes_say_nothing(votes: list[int]) -> None:
    assert entropy_certaindex(votes) == 0.0


@pytest.mark.parametrize("votes", [[0], [3, 0], [-1, 4]])
def test_an_empty_class_is_an_error(votes: list[int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        entropy_certaindex(votes)


@given(counts)
def test_is_the_definition(votes: list[int]) -> None:
    n = sum(votes)
    entropy = -sum(vote / n * math.log(vote / n) for vote in votes)
    expected = (math.log(n) - entropy) / math.log(n) if n > 1 else 0.0
    assert entropy_certaindex(votes) == pytest.approx(expected, abs=1e-9)


@given(counts)
def test_lies_between_0_and_1(votes: list[int]) -> None:
    assert 0.0 <= entropy_certaindex(votes) <= 1.0


@given(st.data(), counts)
def test_order_of_the_classes_does_not_matter(data: st.DataObject, votes: list[int]) -> None:
    shuffled = data.draw(st.permutations(votes))
    assert entropy_certaindex(shuffled) == entropy_certaindex(votes)


@given(st.integers(2, 10_000))
def test_ends_are_exact(n: int) -> None:
    assert entropy_certaindex([n]) == 1.0
    assert entropy_certaindex([1] * n) == 0.0


@given(counts, st.data())
def test_merging_two_classes_never_lowers_it(votes: list[int], data: st.DataObject) -> None:
    votes = [*votes, data.draw(st.integers(1, 60))]
    merged = [votes[0] + votes[1], *votes[2:]]
    assert entropy_certaindex(merged) >= entropy_certaindex(votes)


def test_an_answer_is_as_settled_as_its_least_signal() -> None:
    assert Certaindex({"entropy": 0.9, "reward": 0.4}).value == 0.4
    assert Certaindex().value == 0.0


def beta_tail(top: int, second: int) -> Fraction:
    """``Pr(Beta(top+1, second+1) > 1/2)``: the density x^a·(1-x)^b, multiplied out and integrated
    term by term."""
    terms = [
        Fraction((-1) ** k * math.comb(second, k), top + k + 1)
        * (1 - Fraction(1, 2 ** (top + k + 1)))
        for k in range(second + 1)
    ]
    factorial = math.factorial
    normal = Fraction(factorial(top + second + 1), factorial(top) * factorial(second))
    return normal * sum(terms, Fraction(0))


class TestBeta:
    @given(st.integers(0, 60), st.integers(0, 60))
    def test_is_the_tail_of_the_beta_distribution(self, a: int, b: int) -> None:
        top, second = max(a, b), min(a, b)
        assert beta_certaindex(top, second) == pytest.approx(float(beta_tail(top, second)))

    @given(st.integers(0, 256))
    def test_unanimous_votes_and_ties_have_closed_forms(self, n: int) -> None:
        assert beta_certaindex(n, 0) == 1 - 0.5 ** (n + 1)
        assert beta_certaindex(n, n) == 0.5

    def test_the_first_stopping_pairs_of_the_paper(self) -> None:
        pairs = []
        for second in range(4):
            top = second
            while beta_certaindex(top, second) < 0.95:
                top += 1
            pairs.append((top, second))
        assert pairs == [(4, 0), (6, 1), (8, 2), (9, 3)]

    @given(st.integers(0, 100), st.integers(0, 100))
    def test_a_vote_for_the_leader_raises_it_and_one_against_lowers_it(
        self, a: int, b: int
    ) -> None:
        top, second = max(a, b) + 1, min(a, b)
        here = beta_certaindex(top, second)
        assert beta_certaindex(top + 1, second) >= here >= beta_certaindex(top, second + 1)
        assert 0.5 <= here <= 1.0

    @pytest.mark.parametrize(("top", "second"), [(1, 2), (0, -1), (-1, -1)])
    def test_counts_out_of_order_are_an_error(self, top: int, second: int) -> None:
        with pytest.raises(ValueError, match="top >= second >= 0"):
            beta_certaindex(top, second)
