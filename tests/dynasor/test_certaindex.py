"""Certaindex from votes: the check values of the paper's definition, and what holds for all."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.certaindex import entropy_certaindex

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
