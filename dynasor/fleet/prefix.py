"""An estimate of which prefixes a replica's KV cache holds: blocks it has been given, LRU.

The engine shares whole blocks only, so a prefix is a chain of block hashes, each covering
everything before it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence


def block_hashes(tokens: Sequence[int], block_size: int) -> tuple[int, ...]:
    """One hash per whole block of ``tokens``; equal hashes: equal tokens up to that block's end.

    Hashes of integers are the same in every process, so replays agree.
    """
    hashes: list[int] = []
    parent = 0
    for start in range(0, len(tokens) - block_size + 1, block_size):
        parent = hash((parent, *tokens[start : start + block_size]))
        hashes.append(parent)
    return tuple(hashes)


class PrefixIndex:
    """Blocks of one replica, least recently used dropped beyond ``capacity``."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def match(self, hashes: Iterable[int]) -> int:
        """How many leading blocks are probably cached."""
        count = 0
        for block in hashes:
            if block not in self._blocks:
                break
            count += 1
        return count

    def add(self, hashes: Sequence[int]) -> None:
        """The replica computes these blocks now. The end of a prefix is dropped before its
        beginning, without which the rest is worth nothing."""
        for block in reversed(hashes):
            self._blocks[block] = None
            self._blocks.move_to_end(block)
        while len(self._blocks) > self._capacity:
            self._blocks.popitem(last=False)
