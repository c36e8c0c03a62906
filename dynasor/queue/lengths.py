"""Lengths learned from traffic: how many tokens follow, given how many there are already."""

from __future__ import annotations

import math
from array import array
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from itertools import repeat
from operator import add, mul
from typing import Any

from dynasor.queue.distribution import BUCKETS, Distribution, bucket_of

Key = tuple[Hashable, ...]
"""What is alike; its beginnings are what it backs off to, so the most telling part comes first."""

_LARGEST_UNIT = 1e100


class _Record:
    """What one key has seen. Forgets by letting what is new weigh more.

    Attributes:
        count: lengths learned.
        unit: weight of the newest.
        table: what follows from it; None: to be built again.
    """

    __slots__ = ("count", "due", "sums", "table", "unit", "weights")

    def __init__(self) -> None:
        self.count = 0
        self.unit = 1.0
        self.weights = array("d", bytes(8 * BUCKETS))
        self.sums = array("d", bytes(8 * BUCKETS))
        self.due = 0
        self.table: Distribution | None = None

    def add(self, bucket: int, tokens: int, growth: float) -> None:
        if self.unit > _LARGEST_UNIT:
            self.weights = array("d", [weight / self.unit for weight in self.weights])
            self.sums = array("d", [total / self.unit for total in self.sums])
            self.unit = 1.0
        self.unit *= growth
        self.weights[bucket] += self.unit
        self.sums[bucket] += self.unit * tokens
        self.count += 1
        if self.count >= self.due:
            self.table = None


class Lengths:
    """Distributions of lengths by key.

    A key that has seen little leans on the key without its last part, and so on down to a prior:
    an exponential distribution, counted as ``prior_weight`` observations at every level. What was
    learned loses weight exponentially: after ``memory`` further lengths it counts 1/e. Tables are
    built when first looked up, and again after a quarter more lengths, at the latest after 128.

    Beyond ``keys`` of them, the key is forgotten that has learned nothing for longest.
    """

    def __init__(
        self,
        prior_mean: float,
        *,
        prior_weight: float = 4.0,
        memory: float = 1024.0,
        keys: int = 2048,
    ) -> None:
        """Raises ValueError: an argument that is not above 0."""
        given = {
            "prior_mean": prior_mean,
            "prior_weight": prior_weight,
            "memory": memory,
            "keys": keys,
        }
        for name, value in given.items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name}: must be a number above 0, got {value}")
        self._prior = Distribution.exponential(prior_mean)
        self._prior_weight = prior_weight
        self._growth = math.exp(1.0 / memory)
        self._keys = keys
        self._all = _Record()
        self._records: OrderedDict[Key, _Record] = OrderedDict()

    def __len__(self) -> int:
        """Keys that are known."""
        return len(self._records)

    def __contains__(self, key: Key) -> bool:
        return key in self._records

    def learn(self, key: Key, tokens: int) -> None:
        """Something of that key has ended after so many tokens, at least 0."""
        self.learn_all((key,), tokens)

    def learn_all(self, keys: Iterable[Key], tokens: int) -> None:
        """One length that is an example of several keys; what they back off to learns it once."""
        if tokens < 0:
            raise ValueError(f"tokens: must be at least 0, got {tokens}")
        bucket = bucket_of(tokens)
        self._all.add(bucket, tokens, self._growth)
        known = {key[:size]: None for key in keys for size in range(1, len(key) + 1)}
        # The general ones last, so that they are forgotten last.
        for key in sorted(known, key=len, reverse=True):
            record = self._records.get(key)
            if record is None:
                record = self._records[key] = _Record()
            self._records.move_to_end(key)
            record.add(bucket, tokens, self._growth)
        while len(self._records) > self._keys:
            self._records.popitem(last=False)

    def distribution(self, key: Key) -> Distribution:
        """What is known of a key, or of the longest beginning of it that is known."""
        record = self._records.get(key)
        if record is not None and record.table is not None:
            return record.table
        while record is None and key:
            key = key[:-1]
            record = self._records.get(key)
        return self._table(key, record or self._all)

    def remaining(self, key: Key, generated: int) -> float:
        """Mean of what follows, at least 1. See `Distribution`."""
        return self.distribution(key).remaining(generated)

    def quantile(self, key: Key, generated: int, q: float) -> float:
        """What follows is at most this with chance ``q`` in [0, 1]."""
        return self.distribution(key).quantile(generated, q)

    def snapshot(self) -> dict[str, Any]:
        """What was learned as plain data, least recently learned first; see `restore`."""
        rows = [((), self._all), *self._records.items()]
        return {"keys": [_row(key, record) for key, record in rows]}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what another one had learned; what this one knew is gone.

        Keys come back as they were when their parts are strings or numbers.
        """
        rows = [(tuple(key), _record(*rest)) for key, *rest in snapshot["keys"]]
        self._all = rows[0][1]
        self._records = OrderedDict(rows[1:])

    def _table(self, key: Key, record: _Record) -> Distribution:
        if record.table is None:
            base = self.distribution(key[:-1]) if key else self._prior
            share = self._prior_weight * record.unit / base.mass
            masses = _mixed(record.weights, base.masses, share)
            record.table = Distribution(masses, _mixed(record.sums, base.sums, share))
            record.due = record.count + 1 + min(127, record.count // 4)
        return record.table


def _mixed(own: array[float], base: array[float], share: float) -> Iterable[float]:
    return map(add, own, map(mul, base, repeat(share)))


def _row(key: Key, record: _Record) -> list[Any]:
    seen = [
        [bucket, weight / record.unit, record.sums[bucket] / record.unit]
        for bucket, weight in enumerate(record.weights)
        if weight
    ]
    return [list(key), record.count, seen]


def _record(count: int, seen: list[tuple[int, float, float]]) -> _Record:
    record = _Record()
    record.count = count
    for bucket, weight, total in seen:
        record.weights[bucket], record.sums[bucket] = weight, total
    return record
