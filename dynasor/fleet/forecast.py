"""How full a replica's KV cache will get: the Past-Future forecast (Gong 2025, LightLLM).

With the running sequences sorted by their remaining length b, longest first, and a the tokens each
holds now, the cache is fullest when one of them ends: peak = max over i of
(b_i * i + sum over j <= i of a_j).

All sequences of an engine grow by one token a step, so on a clock that counts steps a sequence
that holds a and has b left ends at e = now + b, and would have held nothing at z = now - a. Neither
changes while it runs: the order stays, and peak = max over i of (e_i * i - sum over j <= i of z_j).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, count
from math import inf, sqrt
from operator import add, mul


@dataclass(slots=True)
class _Entry:
    """A sequence. ``zero`` is z; with the prompt, where it is the one that is charged for it."""

    program: str
    key: float
    zero: int
    variance: float
    most: int


@dataclass(slots=True)
class _Share:
    """A program's prompt: its sequences here, and the one that ends last, which is charged."""

    prompt: int
    runs: set[int]
    owner: int


class Forecast:
    """The sequences of one replica. A program's prompt counts once, until its last one ends.

    Attributes:
        most: tokens held if all went to their limits.
    """

    __slots__ = (
        "_bound",
        "_entries",
        "_ids",
        "_keys",
        "_shares",
        "_sorted",
        "_variance",
        "_zeros",
        "most",
    )

    def __init__(self) -> None:
        self.most = 0
        self._entries: dict[int, _Entry] = {}
        self._shares: dict[str, _Share] = {}
        # Parallel, the last one to end first; a key is -e. Made when first asked for: where there
        # is plenty of room nobody asks.
        self._sorted = False
        self._keys: list[float] = []
        self._zeros: list[int] = []
        self._ids: list[int] = []
        self._variance = 0.0
        self._bound = 0.0

    @property
    def margin(self) -> float:
        """What to add to a peak of means for one at the quantile: independent lengths add up by
        the squares of their deviations."""
        return sqrt(max(0.0, self._variance))

    @property
    def bound(self) -> float:
        """At least the peak, without looking at every sequence."""
        return self._bound

    def shares(self, program: str) -> bool:
        """Whether a sequence of the program is here, and its prompt is charged already."""
        return program in self._shares

    def add(
        self,
        run: int,
        program: str,
        prompt: int,
        held: int,
        left: float,
        deviation: float,
        most: int,
        now: int,
    ) -> None:
        """Take in a sequence.

        Args:
            held: tokens of its own that it holds now, without its program's prompt.
            left: tokens it is expected to generate yet.
            deviation: how many more at the quantile that is planned for.
            most: tokens of its own that it may hold ever.
            now: the replica's count of steps.
        """
        key, zero = -(now + left), now - held
        share = self._shares.get(program)
        self._bound += held + left
        if share is None:
            self._shares[program] = _Share(prompt, {run}, run)
            self.most += prompt
            self._bound += prompt
            zero -= prompt
        else:
            share.runs.add(run)
            if key < self._entries[share.owner].key:
                # The prompt stays for longer: then it may meet the peak of the others.
                self._bound += share.prompt
                self._charge(share.owner, -share.prompt)
                share.owner = run
                zero -= share.prompt
        variance = deviation * deviation
        self._entries[run] = _Entry(program, key, zero, variance, most)
        if self._sorted:
            at = bisect_right(self._keys, key)
            self._keys.insert(at, key)
            self._zeros.insert(at, zero)
            self._ids.insert(at, run)
        self._variance += variance
        self.most += most

    def remove(self, run: int) -> None:
        """A sequence has ended."""
        entry = self._entries.pop(run)
        if self._sorted:
            at = self._index(run, entry.key)
            del self._keys[at], self._zeros[at], self._ids[at]
        if not self._entries:
            self._shares.clear()
            self.most, self._variance, self._bound, self._sorted = 0, 0.0, 0.0, False
            return
        self._variance -= entry.variance
        self.most -= entry.most
        share = self._shares[entry.program]
        share.runs.remove(run)
        if not share.runs:
            del self._shares[entry.program]
            self.most -= share.prompt
        elif share.owner == run:
            share.owner = min(share.runs, key=self._order)
            self._charge(share.owner, share.prompt)

    def revise(self, run: int, held: int, left: float, deviation: float, now: int) -> None:
        """Expect another length of a sequence that runs."""
        entry = self._entries[run]
        prompt = self._shares[entry.program].prompt
        self.remove(run)
        self.add(run, entry.program, prompt, held, left, deviation, entry.most, now)

    def peak(self, now: int) -> float:
        """Most tokens held at once from now on, if every length is as expected."""
        self._sort()
        self._bound = min(self._bound, _peak(self._keys, self._zeros, now))
        return self._bound

    def peak_with(self, program: str, prompt: int, held: int, left: float, now: int) -> float:
        """`peak` if one more sequence came now; see `add`."""
        self._sort()
        keys, zeros = self._keys.copy(), self._zeros.copy()
        key, zero = -(now + left), now - held
        share = self._shares.get(program)
        if share is None:
            zero -= prompt
        elif key < self._entries[share.owner].key:
            zeros[self._index(share.owner, self._entries[share.owner].key)] += share.prompt
            zero -= share.prompt
        at = bisect_right(keys, key)
        keys.insert(at, key)
        zeros.insert(at, zero)
        return _peak(keys, zeros, now)

    def peak_of_oldest(self, run: int, now: int) -> float:
        """`peak` of this sequence and those that were there before it, were they alone."""
        alone = Forecast()
        for other, entry in self._entries.items():
            if other <= run:
                share = self._shares[entry.program]
                paid = share.prompt if share.owner == other else 0
                held, left = now - entry.zero - paid, -entry.key - now
                alone.add(other, entry.program, share.prompt, held, left, 0.0, 0, now)
        return alone.peak(now)

    def longest(self, now: int) -> Iterator[tuple[int, int, float]]:
        """Sequences with the most left first: number, tokens of its own it holds, tokens left."""
        self._sort()
        for run, key, zero in zip(self._ids, self._keys, self._zeros, strict=True):
            share = self._shares[self._entries[run].program]
            yield run, now - zero - (share.prompt if share.owner == run else 0), -key - now

    def _sort(self) -> None:
        if not self._sorted:
            self._sorted = True
            ordered = sorted(self._entries.items(), key=lambda item: item[1].key)
            self._ids = [run for run, _ in ordered]
            self._keys = [entry.key for _, entry in ordered]
            self._zeros = [entry.zero for _, entry in ordered]

    def _order(self, run: int) -> tuple[float, int]:
        return self._entries[run].key, run

    def _charge(self, run: int, prompt: int) -> None:
        entry = self._entries[run]
        entry.zero -= prompt
        if self._sorted:
            self._zeros[self._index(run, entry.key)] = entry.zero

    def _index(self, run: int, key: float) -> int:
        return self._ids.index(run, bisect_left(self._keys, key))


def _peak(keys: list[float], zeros: list[int], now: int) -> float:
    if not keys:
        return 0.0
    ends = min(map(add, map(mul, keys, count(1)), accumulate(zeros)), default=inf)
    # Who is past its expected end still holds what it has.
    return max(-ends, float(len(keys) * now - sum(zeros)))
