"""The value of further votes, where they are independent draws in any order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from dynasor.certaindex import Certaindex
from dynasor.value.contract import Proofs
from dynasor.value.mixture import PRIOR, Floats, Mixture, Votes
from dynasor.value.paths import drawn, joined, looks, seen
from dynasor.value.stopping import EMPHASIS, STOP, Cost, Outlook, Rule, Stopping, is_decided

DRAWN = 8000
"""Programs drawn from the mixture, and orders drawn of those that were seen …"""

DRAWN_UNITS = 300_000
"""… as far as they have no more units together: large caps take no longer to learn."""

DRAWN_WEIGHT = 200.0
"""How many seen programs the mixture counts for: it is smooth, they are few."""

WINDOW = 1000
"""Newest programs that contracts are proven on."""

ORDERS = 16
"""Random orders of a program in which a rule's disagreement is averaged."""

BATCH = 128
"""Programs that rules are tested on at once."""

CONTRACT_COSTS = (0.003, 0.006, 0.012, 0.025, 0.05, 0.1, 0.2, 0.4)
"""What a whole budget costs in the rules of a contract, safest first."""

STEPS_PER_OCTAVE = 4
"""Prices within a fifth of each other are one."""

MOST_RULES = 64
"""Rules that are kept, of as many costs."""

SEED = 20412993

Partition = tuple[Votes, int]
"""Votes of a program that ran to its cap, and its chains without an answer."""


class VotesModel:
    """What further units are worth to programs of one family and cap.

    Attributes:
        cap: units that a program may begin.
        recent: the newest programs of this cap, oldest first.
        proofs: of contracts, on those.
        due: programs of its family from which on it has missed too many.
    """

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.recent: deque[Partition] = deque(maxlen=WINDOW)
        self.proofs = Proofs(self._losses)
        self.due = 0.0
        self._stopping: Stopping | None = None
        self._rules: dict[tuple[float, int | None], Rule] = {}
        self._added = 0
        self._untested: deque[Partition] = deque(maxlen=WINDOW)
        self._tested: deque[tuple[float, ...]] = deque(maxlen=WINDOW)

    def add(self, partition: Partition) -> None:
        """Take in a program of this cap; what is proven may change at once."""
        self.recent.append(partition)
        self._untested.append(partition)
        self._added += 1
        self.proofs.changed()

    def learn(self, mixture: Mixture) -> None:
        """Begin to go by a mixture and by the programs that were added."""
        programs = _programs(self.cap)
        parts = [drawn(mixture, self.cap, programs, DRAWN_WEIGHT, SEED)]
        if self.recent:
            orders = max(1, programs // len(self.recent))
            parts.append(seen(list(self.recent), mixture, orders, SEED))
        self._stopping = Stopping(joined(parts), self.cap, EMPHASIS)
        self._rules.clear()

    def outlook(self, certaindex: Certaindex, cost: Cost) -> Outlook:
        """What is ahead of a program at these votes."""
        top, second = leading(certaindex)
        step = round(STEPS_PER_OCTAVE * math.log2(cost.price)) if cost.price > 0 else None
        rule = self._rules.get((cost.floor, step))
        if rule is None:
            if len(self._rules) >= MOST_RULES:
                self._rules.clear()
            price = 0.0 if step is None else 2.0 ** (step / STEPS_PER_OCTAVE)
            stopping = self._stopping or _prior(self.cap, EMPHASIS)
            rule = stopping.rule(Cost(cost.floor, price))
            self._rules[cost.floor, step] = rule
        return rule.outlook(certaindex.measured, top, second)

    def promised(self, certaindex: Certaindex, max_disagreement: float) -> Outlook:
        """What is ahead if it may only stop where that is proven to be safe enough."""
        top, second = leading(certaindex)
        remaining = self.cap - certaindex.measured
        if remaining <= 0 or is_decided(top, second, remaining):
            return STOP
        proven = self.proofs.of(max_disagreement).rule
        if proven is not None:
            return contract_rules(self.cap)[proven].outlook(certaindex.measured, top, second)
        # The soonest that the lead can be beyond reach, were all further votes for the leader.
        missing = remaining - (top - second) + bool(second)
        return Outlook(True, -(-missing // 2), float(remaining), 0.0)

    def _losses(self) -> Floats:
        while self._untested:
            first = self._added - len(self._untested)
            some = [self._untested.popleft() for _ in range(min(BATCH, len(self._untested)))]
            self._tested.extend(disagreements(some, self.cap, first))
        return np.array(self._tested).reshape(len(self._tested), len(CONTRACT_COSTS))


def leading(certaindex: Certaindex) -> tuple[int, int]:
    """Votes of the two leading answers."""
    top = second = 0
    for vote in certaindex.votes:
        if vote.count > top:
            top, second = vote.count, top
        elif vote.count > second:
            second = vote.count
    return top, second


@lru_cache(maxsize=32)
def contract_rules(cap: int) -> tuple[Rule, ...]:
    """Rules that contracts choose among: fixed before any program is seen, so that all programs
    may test them."""
    stopping = _prior(cap, 1.0)
    return tuple(stopping.rule(Cost(cost / cap, 0.0)) for cost in CONTRACT_COSTS)


def disagreements(partitions: Sequence[Partition], cap: int, first: int) -> list[tuple[float, ...]]:
    """For each program of this cap, by rule of `contract_rules`: the chance, over the order of its
    votes, that its answer where the rule stops is not its full one.

    Args:
        first: running number of the first program. A proof takes programs to be independent: each
            has orders of its own, the same in whatever batch it comes.
    """
    paths = seen(partitions, PRIOR, ORDERS, SEED, first)
    going = np.ones((len(paths.top), len(CONTRACT_COSTS)), bool)
    changed = np.zeros(going.shape, bool)
    for look, time in enumerate(looks(cap)):
        pairs, place = np.unique(
            paths.top[:, look] * (cap + 1) + paths.second[:, look], return_inverse=True
        )
        stops = [_stops(cap, time, *divmod(pair, cap + 1)) for pair in pairs.tolist()]
        ended = going & np.array(stops)[place]
        changed |= ended & ~paths.agrees[:, look, None]
        going &= ~ended
    losses = changed.reshape(len(partitions), ORDERS, -1).mean(axis=1)
    return [tuple(row) for row in losses.tolist()]


@lru_cache(maxsize=65536)
def _stops(cap: int, measured: int, top: int, second: int) -> tuple[bool, ...]:
    """Which of the contract's rules stop there."""
    rules = contract_rules(cap)
    return tuple(not rule.outlook(measured, top, second).worth for rule in rules)


@lru_cache(maxsize=32)
def _prior(cap: int, emphasis: float) -> Stopping:
    """What is believed of a cap where nothing was learned."""
    return Stopping(drawn(PRIOR, cap, _programs(cap), DRAWN_WEIGHT, SEED), cap, emphasis)


def _programs(cap: int) -> int:
    """How many are drawn."""
    return min(DRAWN, DRAWN_UNITS // cap)
