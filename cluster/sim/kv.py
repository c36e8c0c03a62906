"""The KV cache of a simulated engine: full blocks found again by what is in them.

It keeps the blocks that vLLM keeps, but not one by one: *extents*, runs of blocks in a row of one
sequence, form a tree by content, so that a sequence costs a few extents however long it is. A
running sequence's own extent grows with it; an extent is split where another sequence leaves it.

One simplification: a block that is computed although it is cached (the last of a prompt that
fills its blocks exactly) is stored once, where vLLM would have it twice.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple, Protocol

from cluster.sim.text import Text


class Writer(Protocol):
    """A running sequence, as the cache sees it."""

    @property
    def text(self) -> Text: ...

    def written(self, clock: int) -> int:
        """Its tokens in the cache once the step that begins at this clock is over."""


class Extent:
    """Blocks in a row that come and go together, the last one first.

    Attributes:
        parent: what lies before it.
        start: blocks before it.
        blocks: of it; of a running sequence's own extent, see `visible`.
        users: running sequences that end in it, and extents after it that are in use.
        children: extents after it by the tokens of their first block; mostly one.
        unkeyed: others after it, whose first block may not be full yet.
        writer: the running sequence that adds to it; None: it is as it stays.
        key: tokens of its first block, if it is found by them.
        text: its tokens, and perhaps others around them.
    """

    __slots__ = (
        "blocks", "children", "key", "parent", "start", "text", "unkeyed", "users", "writer"
    )  # fmt: skip

    def __init__(
        self, parent: Extent | None, start: int, text: Text, writer: Writer | None = None
    ) -> None:
        self.parent = parent
        self.start = start
        self.text = text
        self.writer = writer
        self.blocks = 0
        self.users = 0
        self.children: dict[tuple[int, ...], list[Extent]] = {}
        self.unkeyed: dict[Extent, None] = {}
        self.key: tuple[int, ...] | None = None

    def visible(self, clock: int, block_size: int) -> int:
        """Full blocks that others can find in the step that begins at this clock."""
        if self.writer is None:
            return self.blocks
        return self.writer.written(clock) // block_size - self.start


class Hit(NamedTuple):
    """Where a sequence's tokens are found.

    Attributes:
        extent: the last one that is found as a whole.
        part: the one after it of which only the first ``part_blocks`` are; None: none.
        blocks: found in all.
    """

    extent: Extent
    part: Extent | None
    part_blocks: int
    blocks: int


class KVCache:
    """Blocks held by running sequences, and cached ones that nobody holds.

    Attributes:
        total: blocks there are.
        held: by running sequences.
    """

    def __init__(self, total: int, block_size: int) -> None:
        self.total = total
        self.block_size = block_size
        self.held = 0
        self._resting = 0
        self._oldest: OrderedDict[Extent, None] = OrderedDict()
        self._root = Extent(None, 0, Text(0, (), (), -1))
        self._root.users = 1

    @property
    def free(self) -> int:
        """Blocks that a sequence can get."""
        return self.total - self.held

    @property
    def cached(self) -> int:
        """Full blocks that nobody holds but whose content is still there."""
        return self._resting

    def find(self, tokens: tuple[int, ...], clock: int) -> Hit:
        """The longest run of full blocks from the first on that is cached."""
        size = self.block_size
        wanted = len(tokens) // size
        extent, found = self._root, 0
        while found < wanted:
            if extent.unkeyed:
                self._key(extent, clock)
            children = extent.children.get(tokens[found * size : (found + 1) * size])
            if children is None:
                break
            child, common = children[0], 0
            for candidate in children:
                visible = candidate.visible(clock, size)
                equal = self._common(candidate, tokens, found, min(visible, wanted - found))
                if equal > common:
                    child, common = candidate, equal
            found += common
            # What follows a running sequence's last full block is not known yet.
            if child.writer is not None or common < child.blocks:
                return Hit(extent, child, common, found)
            extent = child
        return Hit(extent, None, 0, found)

    def resting(self, hit: Hit) -> int:
        """Blocks of a hit that nobody holds: a sequence that takes them makes them less free."""
        if hit.part is not None and hit.part.users:
            return 0
        blocks, extent = hit.part_blocks, hit.extent
        while not extent.users and extent.parent is not None:
            blocks += extent.blocks
            extent = extent.parent
        return blocks

    def begin(self, hit: Hit, writer: Writer) -> Extent:
        """A sequence runs: it holds what was found, and has an extent of its own after it."""
        parent = hit.extent if hit.part is None else self._split(hit.part, hit.part_blocks)
        own = Extent(parent, hit.blocks, writer.text, writer)
        own.users = 1
        parent.unkeyed[own] = None
        self._hold(parent)
        return own

    def grow(self, blocks: int) -> None:
        """Running sequences take so many new blocks; the longest unused are evicted for them."""
        self.held += blocks
        surplus = self.held + self._resting - self.total
        while surplus > 0:
            extent = next(iter(self._oldest))
            evicted = min(extent.blocks, surplus)
            extent.blocks -= evicted
            self._resting -= evicted
            surplus -= evicted
            if not extent.blocks:
                del self._oldest[extent]
                self._forget(extent)

    def end(self, own: Extent, written: int) -> None:
        """A sequence runs no more; its full blocks stay until their room is needed.

        Args:
            own: what `begin` gave.
            written: its tokens in the cache.
        """
        assert own.writer is not None and own.parent is not None
        size = self.block_size
        full = max(written // size - own.start, 0)
        self.held -= -(-written // size) - own.start - full
        own.blocks = full
        if full:
            own.text = own.text.cut(own.start * size, (own.start + full) * size)
            own.writer = None
            self._drop(own)
        else:
            self._forget(own)
            self._drop(own.parent)

    def _key(self, extent: Extent, clock: int) -> None:
        """Make those after it findable that have a full block by now."""
        size = self.block_size
        for child in [c for c in extent.unkeyed if c.visible(clock, size) > 0]:
            del extent.unkeyed[child]
            first = child.start * size
            child.key = child.text.read(first, first + size)
            extent.children.setdefault(child.key, []).append(child)

    def _common(self, child: Extent, tokens: tuple[int, ...], found: int, blocks: int) -> int:
        """How many of so many blocks, the first of which are equal, are."""
        if child.text.given is tokens:
            return blocks
        size = self.block_size
        start, stop = found * size, (found + blocks) * size
        ours, theirs = child.text.read(start, stop), tokens[start:stop]
        if ours == theirs:
            return blocks
        equal, unequal = 1, blocks
        while unequal - equal > 1:
            middle = (equal + unequal) // 2
            if ours[: middle * size] == theirs[: middle * size]:
                equal = middle
            else:
                unequal = middle
        return equal

    def _split(self, extent: Extent, blocks: int) -> Extent:
        """Make its first blocks an extent of their own, before the rest of it."""
        parent, size = extent.parent, self.block_size
        assert parent is not None and extent.key is not None
        start = extent.start * size
        text = extent.text.cut(start, start + blocks * size)
        head = Extent(parent, extent.start, text)
        head.blocks, head.key = blocks, extent.key
        head.users = 1 if extent.users else 0
        siblings = parent.children[extent.key]
        siblings[siblings.index(extent)] = head
        if extent.writer is None:
            extent.blocks -= blocks
        extent.parent, extent.key = head, None
        extent.start += blocks
        head.unkeyed[extent] = None
        return head

    def _hold(self, extent: Extent) -> None:
        extent.users += 1
        while extent.users == 1 and extent.parent is not None:
            self._oldest.pop(extent, None)
            self._resting -= extent.blocks
            self.held += extent.blocks
            extent = extent.parent
            extent.users += 1

    def _drop(self, extent: Extent) -> None:
        extent.users -= 1
        while not extent.users and extent.parent is not None:
            self._oldest[extent] = None
            self._resting += extent.blocks
            self.held -= extent.blocks
            extent = extent.parent
            extent.users -= 1

    def _forget(self, extent: Extent) -> None:
        assert extent.parent is not None
        parent = extent.parent
        if extent.key is None:
            del parent.unkeyed[extent]
            return
        siblings = parent.children[extent.key]
        siblings.remove(extent)
        if not siblings:
            del parent.children[extent.key]
