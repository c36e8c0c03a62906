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
"""Programs drawn from the mixture, and orders drawn of those that were seen."""

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

MOST_RULES = 256
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
    """

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.recent: deque[Partition] = deque(maxlen=WINDOW)
        self._stopping = _prior(cap, EMPHASIS)
        self._rules: dict[tuple[float, int | None], Rule] = {}
        self.proofs = Proofs(self._losses)
        self._untested: deque[Partition] = deque(maxlen=WINDOW)
        self._tested: deque[tuple[float, ...]] = deque(maxlen=WINDOW)

    def add(self, partition: Partition) -> None:
        """Take in a program of this cap; what is proven may change at once."""
        self.recent.append(partition)
        self._untested.append(partition)
        self.proofs.changed()

    def learn(self, mixture: Mixture) -> None:
        """Begin to go by a mixture and by the programs that were added."""
        parts = [drawn(mixture, self.cap, DRAWN, DRAWN_WEIGHT, SEED)]
        if self.recent:
            orders = max(1, DRAWN // len(self.recent))
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
            rule = self._stopping.rule(Cost(cost.floor, price))
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
            some = [self._untested.popleft() for _ in range(min(BATCH, len(self._untested)))]
            self._tested.extend(disagreements(some, self.cap))
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


@lru_cache(maxsize=64)
def contract_rules(cap: int) -> tuple[Rule, ...]:
    """Rules that contracts choose among: fixed before any program is seen, so that all programs
    may test them."""
    stopping = _prior(cap, 1.0)
    return tuple(stopping.rule(Cost(cost / cap, 0.0)) for cost in CONTRACT_COSTS)


def disagreements(partitions: Sequence[Partition], cap: int) -> list[tuple[float, ...]]:
    """For each program of this cap, by rule of `contract_rules`: the chance, over the order of its
    votes, that its answer where the rule stops is not its full one."""
    paths = seen(partitions, PRIOR, ORDERS, SEED)
    changed = [[0] * len(CONTRACT_COSTS) for _ in partitions]
    for row, (tops, seconds) in enumerate(
        zip(paths.top.tolist(), paths.second.tolist(), strict=True)
    ):
        going = set(range(len(CONTRACT_COSTS)))
        for look, (time, top, second) in enumerate(zip(looks(cap), tops, seconds, strict=True)):
            for rule in going & _stops(cap, time, top, second):
                changed[row // ORDERS][rule] += not paths.agrees[row, look]
                going.remove(rule)
            if not going:
                break
    return [tuple(count / ORDERS for count in counts) for counts in changed]


@lru_cache(maxsize=65536)
def _stops(cap: int, measured: int, top: int, second: int) -> frozenset[int]:
    """Which of the contract's rules stop there."""
    rules = enumerate(contract_rules(cap))
    return frozenset(at for at, rule in rules if not rule.outlook(measured, top, second).worth)


@lru_cache(maxsize=64)
def _prior(cap: int, emphasis: float) -> Stopping:
    """What is believed of a cap where nothing was learned."""
    return Stopping(drawn(PRIOR, cap, DRAWN, DRAWN_WEIGHT, SEED), cap, emphasis)
