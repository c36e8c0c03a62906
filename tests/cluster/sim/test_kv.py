"""The cache of a simulated engine: finds full blocks by content, keeps them while there is room."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.sim.kv import Extent, KVCache
from cluster.sim.text import Text


@dataclass(eq=False)
class Writing:
    """A sequence that has so many tokens in the cache."""

    text: Text
    computed: int

    def written(self, clock: int) -> int:
        return self.computed


def begin(cache: KVCache, tokens: tuple[int, ...]) -> tuple[Extent, int]:
    """A sequence reads these tokens at once; its extent, and the blocks that it found."""
    hit = cache.find(tokens, 0)
    own = cache.begin(hit, Writing(Text(0, tokens, (), -1), len(tokens)))
    cache.grow(-(-len(tokens) // cache.block_size) - hit.blocks)
    return own, hit.blocks


def use(cache: KVCache, tokens: tuple[int, ...]) -> int:
    """A sequence reads these tokens and ends; the blocks that it found."""
    own, found = begin(cache, tokens)
    cache.end(own, len(tokens))
    return found


def test_blocks_in_use_are_shared() -> None:
    cache = KVCache(10, 2)
    first, _ = begin(cache, (1, 2, 3, 4, 5))
    second, found = begin(cache, (1, 2, 3, 4, 6, 7))
    assert found == 2
    assert cache.held == 4
    cache.end(first, 5)
    assert (cache.held, cache.cached) == (3, 0)
    cache.end(second, 6)
    assert (cache.held, cache.cached) == (0, 3)


def test_equal_tokens_are_found_where_they_are_other_objects() -> None:
    cache = KVCache(10, 2)
    use(cache, tuple(range(500, 511)))
    for same in (1, 2, 5, 7, 9):
        tokens = (*range(500, 500 + same), *range(same - 11, 0))
        assert cache.find(tokens, 0).blocks == same // 2


def test_a_hit_says_what_nobody_holds_of_it() -> None:
    cache = KVCache(10, 2)
    use(cache, (1, 2, 3, 4, 5, 6))
    held, _ = begin(cache, (1, 2, 3, 4))
    assert cache.resting(cache.find((1, 2, 3, 4, 5, 6), 0)) == 1
    assert cache.resting(cache.find((1, 2, 3, 4), 0)) == 0
    cache.end(held, 4)
    assert cache.resting(cache.find((1, 2, 3, 4, 5, 6), 0)) == 3


def test_held_blocks_stay_and_the_longest_unused_go() -> None:
    cache = KVCache(6, 2)
    held, _ = begin(cache, (1, 2))
    use(cache, (3, 4, 5, 6))
    use(cache, (7, 8))
    use(cache, (3, 4, 5, 6))
    use(cache, (9, 10, 11, 12, 13, 14))
    assert cache.find((1, 2), 0).blocks == 1
    assert cache.find((7, 8), 0).blocks == 0
    assert cache.find((3, 4, 5, 6), 0).blocks == 2
    cache.end(held, 2)
    assert cache.held + cache.cached <= cache.total


def test_of_two_that_begin_alike_the_one_that_goes_further_is_found() -> None:
    cache = KVCache(20, 2)
    one = cache.begin(cache.find((), 0), Writing(Text(0, (), (1, 2, 3, 4), -1), 4))
    two = cache.begin(cache.find((), 0), Writing(Text(0, (), (1, 2, 3, 4, 5, 6), -2), 6))
    cache.grow(5)
    assert cache.find((1, 2, 3, 4, 5, 6, 7), 0).blocks == 3
    cache.end(one, 4)
    cache.end(two, 6)
    assert cache.find((1, 2, 3, 4, 5, 6, 7), 0).blocks == 3
    assert (cache.held, cache.cached) == (0, 5)


def test_nothing_is_kept_of_what_was_evicted() -> None:
    cache = KVCache(4, 2)
    for number in range(100):
        first = 10 * number
        use(cache, (1, 2, first, first + 1, first + 2, first + 3))
        assert cache.held == 0
        assert cache.cached <= 4
    assert use(cache, (1, 2, 990, 991)) == 2
    assert use(cache, (1, 2, 10, 11)) == 1
