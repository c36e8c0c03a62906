"""Block hashes, and the memory of what a replica's cache holds."""

from __future__ import annotations

from collections.abc import Sequence

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
    @given(tokens, st.integers(0, 40), sizes)
    def test_what_is_known_is_not_needed_again(
        self, sequence: list[int], begun: int, size: int
    ) -> None:
        known = block_hashes(sequence[:begun], size)
        assert block_hashes(sequence, size, known) == block_hashes(sequence, size)

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


chains = st.lists(st.integers(0, 2), max_size=8)
"""Few symbols, so that chains share beginnings."""
uses = st.lists(st.tuples(st.integers(0, 2), chains), max_size=25)


def index(capacity: int = 100, seats: int = 3) -> PrefixIndex:
    made = PrefixIndex()
    for seat in range(seats):
        made.join(seat, capacity)
    return made


def depth(of: PrefixIndex, seat: int, hashes: Sequence[int]) -> int:
    """How many leading blocks the seat holds."""
    held = [there.depth for there in of.match(hashes) if there.node.holders >> seat & 1]
    return max(held, default=0)


class Naive:
    """When each seat last used each block."""

    def __init__(self) -> None:
        self.used: dict[tuple[int, int], int] = {}
        self.clock = 0

    def add(self, seat: int, hashes: Sequence[int]) -> None:
        self.clock += 1
        for block in hashes:
            self.used[seat, block] = self.clock

    def evicted(self, seat: int, until: int) -> None:
        for key in [key for key, at in self.used.items() if key[0] == seat and at <= until]:
            del self.used[key]

    def depth(self, seat: int, hashes: Sequence[int]) -> int:
        missing = (i for i, block in enumerate(hashes) if (seat, block) not in self.used)
        return next(missing, len(hashes))


class TestPrefixIndex:
    def test_knows_nothing_at_first(self) -> None:
        assert index().match((1, 2)) == []

    def test_tells_who_holds_how_much(self) -> None:
        there = index()
        there.add(0, (1, 2, 3, 4))
        there.add(2, (1, 2, 9))
        found = [(held.depth, held.node.holders) for held in there.match((1, 2, 3, 7))]
        assert found == [(2, 0b101), (3, 0b001)]

    def test_what_was_not_used_for_longest_goes_first(self) -> None:
        there = index(capacity=4)
        there.add(0, (1, 2))
        there.add(0, (3, 4))
        there.add(0, (1, 2))
        there.add(0, (5, 6))
        assert [depth(there, 0, chain) for chain in ((1, 2), (3, 4), (5, 6))] == [2, 0, 2]

    def test_what_is_in_use_to_the_end_is_as_recent_as_that(self) -> None:
        there = index(capacity=4)
        leaf = there.add(0, (1, 2))
        there.add(0, (3, 4))
        there.touch(0, leaf)
        there.add(0, (5, 6))
        assert [depth(there, 0, chain) for chain in ((1, 2), (3, 4))] == [2, 0]

    def test_a_use_of_what_is_gone_does_not_bring_it_back(self) -> None:
        there = index(capacity=2)
        leaf = there.add(0, (1, 2))
        there.add(0, (3, 4))
        there.touch(0, leaf)
        assert depth(there, 0, (1, 2)) == 0

    def test_of_a_prefix_beyond_its_capacity_the_beginning_is_kept(self) -> None:
        there = index(capacity=3)
        there.add(0, (1, 2, 3, 4, 5))
        assert depth(there, 0, (1, 2, 3, 4, 5)) == 3

    def test_who_leaves_takes_all_with_him_and_nobody_else_s(self) -> None:
        there = index()
        there.add(0, (1, 2, 3))
        there.add(1, (1, 2))
        there.leave(0)
        there.join(0, 10)
        assert (depth(there, 0, (1, 2, 3)), depth(there, 1, (1, 2, 3))) == (0, 2)

    @given(uses, chains)
    def test_is_what_a_list_of_all_uses_says(
        self, history: list[tuple[int, list[int]]], asked: list[int]
    ) -> None:
        there, naive = index(), Naive()
        for seat, chain in history:
            there.add(seat, block_hashes(chain, 1))
            naive.add(seat, block_hashes(chain, 1))
        hashes = block_hashes(asked, 1)
        for seat in range(3):
            assert depth(there, seat, hashes) == naive.depth(seat, hashes)
        depths = [held.depth for held in there.match(hashes)]
        assert depths == sorted(set(depths))

    @given(uses, st.integers(0, 2), st.integers(0, 25), uses)
    def test_an_eviction_takes_all_of_that_age_and_nothing_younger(
        self,
        before: list[tuple[int, list[int]]],
        seat: int,
        until: int,
        after: list[tuple[int, list[int]]],
    ) -> None:
        there, naive = index(), Naive()
        for part in (before, after):
            for user, chain in part:
                there.add(user, block_hashes(chain, 1))
                naive.add(user, block_hashes(chain, 1))
            there.evicted(seat, until)
            naive.evicted(seat, until)
            for user, chain in before + after:
                hashes = block_hashes(chain, 1)
                assert depth(there, user, hashes) == naive.depth(user, hashes)

    @given(st.integers(1, 20), uses)
    def test_never_holds_more_than_its_capacity(
        self, capacity: int, history: list[tuple[int, list[int]]]
    ) -> None:
        there = index(capacity)
        for seat, chain in history:
            there.add(seat, block_hashes(chain, 1))
            assert depth(there, seat, block_hashes(chain, 1)) == min(capacity, len(chain))
        known = {prefix for _, chain in history for prefix in _prefixes(chain)}
        for seat in range(3):
            held = sum(depth(there, seat, prefix) == len(prefix) for prefix in known)
            assert held == there.size(seat) <= capacity

    @given(uses)
    def test_nothing_is_left_when_all_have_left(self, history: list[tuple[int, list[int]]]) -> None:
        there = index(capacity=6)
        for seat, chain in history:
            there.add(seat, block_hashes(chain, 1))
        for seat in range(3):
            there.leave(seat)
        assert all(not there.match(block_hashes(chain, 1)) for _, chain in history)


def _prefixes(chain: list[int]) -> list[tuple[int, ...]]:
    hashes = block_hashes(chain, 1)
    return [hashes[: count + 1] for count in range(len(hashes))]
