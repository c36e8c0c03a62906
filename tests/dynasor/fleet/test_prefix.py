"""Block hashes, and the memory of what a replica's cache holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynasor.fleet.prefix import PrefixIndex, block_hashes

tokens = st.lists(st.integers(0, 300_000), max_size=40)
sizes = st.integers(1, 16)


def common(one: list[int], two: list[int]) -> int:
    """How many leading tokens agree."""
    pairs = zip(one, two, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))


class TestBlockHashes:
    @given(tokens, sizes)
    def test_one_per_whole_block(self, sequence: list[int], size: int) -> None:
        assert len(block_hashes(sequence, size)) == len(sequence) // size

    @given(tokens, tokens, tokens, sizes)
    def test_equal_exactly_as_far_as_the_tokens_are(
        self, shared: list[int], one: list[int], two: list[int], size: int
    ) -> None:
        first, second = block_hashes(shared + one, size), block_hashes(shared + two, size)
        blocks = common(shared + one, shared + two) // size
        assert first[:blocks] == second[:blocks]
        assert not set(first[blocks:]) & set(second[blocks:])

    @given(tokens, tokens, sizes)
    def test_of_a_longer_sequence_begin_with_those_of_the_shorter(
        self, sequence: list[int], more: list[int], size: int
    ) -> None:
        shorter = block_hashes(sequence, size)
        assert block_hashes(sequence + more, size)[: len(shorter)] == shorter

    def test_the_same_block_elsewhere_is_another(self) -> None:
        first, second = block_hashes([7, 7, 7, 7], 2)
        assert first != second

    def test_tuples_and_lists_are_the_same(self) -> None:
        assert block_hashes([1, 2, 3], 1) == block_hashes((1, 2, 3), 1)


class TestPrefixIndex:
    def test_knows_nothing_at_first(self) -> None:
        assert PrefixIndex(4).match((1, 2)) == 0

    def test_matches_leading_blocks_only(self) -> None:
        index = PrefixIndex(10)
        index.add((1, 2, 3))
        assert index.match((1, 2, 9)) == 2
        assert index.match((9, 2, 3)) == 0
        assert index.match((1, 2, 3, 4)) == 3

    def test_what_was_not_used_for_longest_goes_first(self) -> None:
        index = PrefixIndex(4)
        index.add((1, 2))
        index.add((3, 4))
        index.add((1, 2))
        index.add((5, 6))
        assert [index.match(prefix) for prefix in ((1, 2), (3, 4), (5, 6))] == [2, 0, 2]

    def test_the_beginning_of_a_prefix_outlives_its_end(self) -> None:
        index = PrefixIndex(4)
        index.add((1, 2, 3))
        index.add((8, 9))
        assert index.match((1, 2, 3)) == 2
        assert index.match((8, 9)) == 2

    def test_of_a_prefix_beyond_its_capacity_the_beginning_is_kept(self) -> None:
        index = PrefixIndex(3)
        index.add((1, 2, 3, 4, 5))
        assert index.match((1, 2, 3, 4, 5)) == 3

    @given(st.integers(1, 20), st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=12))
    def test_never_remembers_more_than_its_capacity(
        self, capacity: int, additions: list[list[int]]
    ) -> None:
        index = PrefixIndex(capacity)
        for addition in additions:
            index.add(block_hashes(addition, 1))
            assert index.match(block_hashes(addition, 1)) == min(capacity, len(addition))
        known = {prefix for addition in additions for prefix in block_hashes(addition, 1)}
        assert sum(index.match([block]) for block in known) <= capacity
