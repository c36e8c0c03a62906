"""An estimate of which prefixes the replicas' KV caches hold, across queries.

Engines share whole blocks only, so a prefix is a chain of block hashes, each covering everything
before it. The chains of all replicas form one radix tree (as SGLang's RadixAttention keeps per
engine, Zheng 2024): a node is a stretch of blocks that were only ever used together, and has one
bit per replica that holds it. A replica's nodes are dropped least recently used first, the end of
a chain before its beginning, so that what a replica holds is closed under prefixes.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple


def block_hashes(
    tokens: Sequence[int], block_size: int, known: Sequence[int] = ()
) -> tuple[int, ...]:
    """One hash per whole block of ``tokens``; equal hashes: equal tokens up to that block's end.

    Hashes of integers are the same in every process, so replays agree.

    Args:
        known: hashes of the first blocks, from an earlier call; they are not computed again.
    """
    hashes = list(known)
    parent = hashes[-1] if hashes else 0
    for start in range(len(hashes) * block_size, len(tokens) - block_size + 1, block_size):
        parent = hash((parent, *tokens[start : start + block_size]))
        hashes.append(parent)
    return tuple(hashes)


class Node:
    """A stretch of blocks in the tree.

    Attributes:
        end: blocks from the root to its last one.
        holders: bit s is set if seat s holds it.
        used: by seat that holds it, when it was last used there.
    """

    __slots__ = ("blocks", "children", "end", "holders", "parent", "used")

    def __init__(self, parent: Node | None, blocks: tuple[int, ...], end: int) -> None:
        self.parent = parent
        self.blocks = blocks
        self.end = end
        self.children: dict[int, Node] = {}
        self.holders = 0
        self.used: dict[int, int] = {}


class Held(NamedTuple):
    """The first ``depth`` blocks of a chain are held by the seats in ``node.holders``."""

    depth: int
    node: Node


class PrefixIndex:
    """Chains of blocks by replica. A replica is named by its seat, a small number.

    Memory is bounded by the capacities of the seats; what several hold is stored once.
    """

    def __init__(self) -> None:
        self._root = Node(None, (), 0)
        self._clock = 0
        self._capacity: dict[int, int] = {}
        self._size: dict[int, int] = {}
        # One entry per seat and node it holds; a node used since is put back when it comes up.
        self._oldest: dict[int, list[tuple[int, int, int, Node]]] = {}
        self._entries = 0

    @property
    def clock(self) -> int:
        """Number of the last use of any chain."""
        return self._clock

    def size(self, seat: int) -> int:
        """Blocks the seat is taken to hold."""
        return self._size[seat]

    def join(self, seat: int, capacity: int) -> None:
        """A replica with an empty cache takes the seat; at most ``capacity`` blocks are kept."""
        self._capacity[seat] = capacity
        self._size[seat] = 0
        self._oldest[seat] = []

    def leave(self, seat: int) -> None:
        """The replica at the seat is gone, and its cache with it."""
        for _, _, _, node in sorted(self._oldest.pop(seat), key=_deepest_first):
            self._drop(node, seat)
        del self._capacity[seat], self._size[seat]

    def match(self, hashes: Sequence[int]) -> list[Held]:
        """How far the chain is held by whom: depths rise, and whoever holds more holds less."""
        path: list[Held] = []
        node, depth, count = self._root, 0, len(hashes)
        while depth < count:
            child = node.children.get(hashes[depth])
            if child is None:
                break
            if child.end <= count and hashes[child.end - 1] == child.blocks[-1]:
                node, depth = child, child.end
                path.append(Held(depth, child))
            else:
                path.append(Held(depth + _common(child.blocks, hashes, depth), child))
                break
        return path

    def add(self, seat: int, hashes: Sequence[int], path: Sequence[Held] | None = None) -> Node:
        """The replica at the seat computes this chain now. Returns the node it ends with.

        Of a chain beyond the seat's capacity the beginning is kept.

        Args:
            path: what `match` said of the chain, if nothing has changed since.
        """
        if len(hashes) > self._capacity[seat]:
            hashes, path = hashes[: self._capacity[seat]], None
        leaf = self._insert(hashes, self.match(hashes) if path is None else path)
        self._clock += 1
        clock, bit = self._clock, 1 << seat
        node = leaf
        while node.parent is not None:
            if not node.holders & bit:
                node.holders |= bit
                self._size[seat] += len(node.blocks)
                self._enter(seat, clock, node)
            node.used[seat] = clock
            node = node.parent
        if self._size[seat] > self._capacity[seat]:
            self._trim(seat)
        return leaf

    def touch(self, seat: int, leaf: Node) -> None:
        """What the seat still holds of the chain that ends with ``leaf`` was used just now."""
        self._clock += 1
        node, bit = leaf, 1 << seat
        while node.parent is not None:
            if node.holders & bit:
                node.used[seat] = self._clock
            node = node.parent

    def evicted(self, seat: int, until: int) -> None:
        """What was last used at the seat at ``until`` or before is gone: its engine drops the
        least recently used first, and has dropped something of that age."""
        heap = self._oldest[seat]
        while heap and heap[0][0] <= until:
            self._pop(seat)

    def _trim(self, seat: int) -> None:
        while self._size[seat] > self._capacity[seat]:
            self._pop(seat)

    def _pop(self, seat: int) -> None:
        """Drop the seat's oldest node, or put it back if it was used since."""
        heap = self._oldest[seat]
        entered, _, _, node = heap[0]
        used = node.used[seat]
        if used > entered:
            self._entries += 1
            heapq.heapreplace(heap, (used, -node.end, self._entries, node))
        else:
            heapq.heappop(heap)
            self._drop(node, seat)

    def _enter(self, seat: int, used: int, node: Node) -> None:
        self._entries += 1
        heapq.heappush(self._oldest[seat], (used, -node.end, self._entries, node))

    def _drop(self, node: Node, seat: int) -> None:
        node.holders &= ~(1 << seat)
        del node.used[seat]
        self._size[seat] -= len(node.blocks)
        if not node.holders and node.parent is not None:
            # Whoever holds a child holds its parent, so there are no children any more.
            node.parent.children.pop(node.blocks[0], None)

    def _insert(self, hashes: Sequence[int], path: Sequence[Held]) -> Node:
        """The node with which exactly this chain ends."""
        if not path:
            return self._branch_off(self._root, hashes, 0)
        depth, node = path[-1]
        if depth < node.end:
            node = self._split(node, depth)
        return node if depth == len(hashes) else self._branch_off(node, hashes, depth)

    def _branch_off(self, node: Node, hashes: Sequence[int], depth: int) -> Node:
        if depth == len(hashes):
            return node
        child = Node(node, tuple(hashes[depth:]), len(hashes))
        node.children[hashes[depth]] = child
        return child

    def _split(self, tail: Node, depth: int) -> Node:
        """Part a node; returns the new one, its beginning. The old one stays the end of the
        chains that ended with it."""
        parent = tail.parent
        assert parent is not None, "the root is never split"
        count = depth - parent.end
        head = Node(parent, tail.blocks[:count], depth)
        head.holders, head.used = tail.holders, dict(tail.used)
        parent.children[head.blocks[0]] = head
        head.children[tail.blocks[count]] = tail
        tail.parent, tail.blocks = head, tail.blocks[count:]
        for seat, used in head.used.items():
            self._enter(seat, used, head)
        return head


def _common(blocks: tuple[int, ...], hashes: Sequence[int], start: int) -> int:
    """How many of ``blocks`` are those of ``hashes`` from ``start`` on. A hash covers everything
    before it, so the first one that differs is found by halving."""
    low, high = 1, min(len(blocks), len(hashes) - start)
    while low < high:
        middle = (low + high + 1) // 2
        if blocks[middle - 1] == hashes[start + middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low


def _deepest_first(entry: tuple[int, int, int, Node]) -> tuple[int, int]:
    return entry[1], entry[2]
