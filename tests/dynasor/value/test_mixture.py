"""The mixture that votes come from."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from dynasor.value.mixture import (
    AGREEMENTS,
    PRIOR,
    fitted,
    log_likelihood,
    responsibilities,
)


def partitions(n: int) -> list[tuple[int, ...]]:
    """All sets of answer class sizes of n chains."""

    def parts(left: int, most: int) -> list[tuple[int, ...]]:
        if not left:
            return [()]
        return [
            (size, *rest)
            for size in range(min(left, most), 0, -1)
            for rest in parts(left - size, size)
        ]

    return parts(n, n)


def arrangements(votes: tuple[int, ...]) -> float:
    """Ways to split chains into classes of these sizes."""
    ways = math.factorial(sum(votes))
    for size in votes:
        ways //= math.factorial(size)
    for count in Counter(votes).values():
        ways //= math.factorial(count)
    return ways


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_probabilities_of_all_partitions_sum_to_one(n: int) -> None:
    total = sum(np.exp(log_likelihood(votes)) * arrangements(votes) for votes in partitions(n))
    assert np.allclose(total, 1.0)


def test_two_chains_agree_with_the_components_chance() -> None:
    assert np.allclose(np.exp(log_likelihood((2,))), np.tile(AGREEMENTS, 3))


def test_nothing_learned_leaves_what_was_believed() -> None:
    assert fitted({}, 0, PRIOR) is PRIOR


def test_the_more_programs_the_less_the_prior_says() -> None:
    unsure = [fitted({(8,): count}, 0, PRIOR) for count in (1, 10, 1000)]
    agreement = [float(one.weights @ np.tile(AGREEMENTS, 3)) for one in unsure]
    assert agreement[0] > 0.5 and all(a < b for a, b in pairwise(agreement))
    assert agreement[-1] > 0.95


def test_chains_without_an_answer_are_counted() -> None:
    assert fitted({(8,): 100}, 0, PRIOR).abstaining < PRIOR.abstaining
    assert fitted({(4,): 100}, 400, PRIOR).abstaining == pytest.approx(0.5, abs=0.01)


def test_unanimous_votes_speak_for_agreement() -> None:
    chances = responsibilities(log_likelihood((8,))[None], PRIOR.weights)[0]
    assert chances.sum() == pytest.approx(1.0)
    assert float(chances @ np.tile(AGREEMENTS, 3)) > 0.75
