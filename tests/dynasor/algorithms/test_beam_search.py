"""Beam search's rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms.width_search import kept


@pytest.mark.parametrize(
    ("rewards", "width", "beam", "counts"),
    [
        ([0.1, 0.9, 0.8, 0.2, 0.7, 0.6, 0.3, 0.4], 8, 4, [0, 4, 4, 0, 0, 0, 0, 0]),
        ([0.1, 0.9, 0.8, 0.2], 4, 4, [0, 4, 0, 0]),
        ([0.1, 0.9, 0.8, 0.2], 4, 1, [1, 1, 1, 1]),
        ([0.5, 0.5, 0.5], 3, 2, [2, 1, 0]),
        # Finished paths left: six of the width remain.
        ([0.5, 0.4, 0.9], 6, 4, [3, 0, 3]),
        # Lost ones leave their width.
        ([0.5], 16, 4, [16]),
    ],
)
def test_known_beams(rewards: list[float], width: int, beam: int, counts: list[int]) -> None:
    assert kept(rewards, width, beam) == counts


@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40),
    st.integers(0, 60),
    st.integers(1, 50),
)
def test_the_best_share_the_width(rewards: list[float], more: int, beam: int) -> None:
    width = len(rewards) + more
    counts = kept(rewards, width, beam)
    assert sum(counts) == width
    alive = sorted((reward for reward, count in zip(rewards, counts, strict=True) if count))
    assert len(alive) == min(len(rewards), -(-width // beam))
    assert alive == sorted(rewards)[-len(alive) :]
    given_any = [count for count in counts if count]
    assert max(given_any) - min(given_any) <= 1
