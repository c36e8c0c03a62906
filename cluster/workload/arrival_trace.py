"""A trace: recorded arrivals, with the lengths of prompts and responses where it tells them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

IdBlocks = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class ArrivalTrace:
    """Arrivals in the order of their time, one a place in each array; at least one.

    Attributes:
        arrival_s: seconds since the first, which is at 0; float64.
        input_tokens, output_tokens: of prompts and responses; int64; None: the file has none.
        hash_ids: of each prompt's blocks of 512 tokens; None: the file has none.
    """

    arrival_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64] | None = None
    output_tokens: NDArray[np.int64] | None = None
    hash_ids: IdBlocks | None = None

    @property
    def span_s(self) -> float:
        """From its first arrival to the first of its next turn: a mean gap after its last. 1 s
        where all arrive at once."""
        number, last = len(self.arrival_s), float(self.arrival_s[-1])
        return last * number / (number - 1) if last > 0 else 1.0

    def input_of(self, place: int) -> int | None:
        """Tokens of its prompt; None: not known."""
        return None if self.input_tokens is None else int(self.input_tokens[place])

    def prefix_of(self, place: int, turn: int = 0) -> tuple[int, ...]:
        """Ids of its prompt's blocks; other ones in each turn through the trace."""
        if self.hash_ids is None:
            return ()
        first = turn * self._ids
        return tuple(first + one for one in self.hash_ids[place])

    @cached_property
    def _ids(self) -> int:
        """Above all ids."""
        return 1 + max((max(ids) for ids in self.hash_ids or () if ids), default=0)


def in_order(
    seconds: NDArray[np.float64],
    input_tokens: NDArray[np.int64] | None,
    output_tokens: NDArray[np.int64] | None,
    ids: IdBlocks | None,
) -> ArrivalTrace:
    """A trace of rows in any order, one a place in each array; at least one. Sorted by time, from 0
    on; rows of one time stay in their order."""
    order = np.argsort(seconds, kind="stable")
    return ArrivalTrace(
        arrival_s=seconds[order] - seconds[order[0]],
        input_tokens=None if input_tokens is None else input_tokens[order],
        output_tokens=None if output_tokens is None else output_tokens[order],
        hash_ids=None if ids is None else tuple(ids[place] for place in order),
    )
