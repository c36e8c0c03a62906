"""When to stop a program of votes: backward induction over (units, top, runner-up)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynasor.value.mixture import Floats
from dynasor.value.paths import Ints, Paths, looks

EMPHASIS = 0.5
"""Share of the utility that is having the full budget's answer, where compute is free."""

EXACT = 12
"""Votes up to which each number is a state of its own; above, numbers within 15% are one."""

WIDTH = 64
_BINS = np.array(
    [n if n <= EXACT else EXACT + round(np.log(n / EXACT) / np.log(1.15)) for n in range(4097)]
)


class Cost(NamedTuple):
    """What a unit of work costs, in utility.

    Attributes:
        floor: that it must buy even if compute is free, once there is an answer.
        price: what its tokens cost.
    """

    floor: float
    price: float


class Outlook(NamedTuple):
    """What is ahead of a program.

    Attributes:
        worth: more compute is worth its cost.
        least: units before which it can't come to be otherwise: a wave of so many wastes nothing.
        likely: units that it takes until then, on the mean.
        gain: expected utility of going on less that of its answer now, costs not deducted.
        stays: chance that its answer now is the one of the full budget, as far as that is known.
    """

    worth: bool
    least: int
    likely: float
    gain: float
    stays: float = 0.0


STOP = Outlook(False, 0, 0.0, 0.0, 1.0)


class Rule:
    """Where to stop, for one cap and one cost."""

    def __init__(self, times: tuple[int, ...], states: list[dict[int, Outlook]]) -> None:
        self.times = times
        self._states = states
        self._look = {time: place for place, time in enumerate(times)}

    def outlook(self, measured: int, top: int, second: int) -> Outlook:
        """What is ahead after so many units with these votes of the two leading answers."""
        cap = self.times[-1]
        if measured >= cap or is_decided(top, second, cap - measured):
            return STOP
        look = self._look.get(measured)
        if look is None:
            ahead = next(time for time in self.times if time > measured)
            return Outlook(True, ahead - measured, float(ahead - measured), 0.0)
        known = self._states[look].get(state(top, second))
        # Nobody has seen this state: one look further somebody may have.
        step = self.times[look + 1] - measured
        return known or Outlook(True, step, float(step), 0.0)


class Stopping:
    """What paths teach, gathered by state; `rule` then takes no time to speak of.

    The utility of an answer is its support: the share of the model's answers that say the same,
    which makes little of a change between answers that are both hardly ever given. As far as
    compute is free, there is ``emphasis`` on the answer of the full budget as well: that share of
    the utility is the chance to have it.
    """

    def __init__(self, paths: Paths, cap: int, emphasis: float) -> None:
        self._times = looks(cap)
        self._emphasis = emphasis
        self._codes: list[Ints] = []
        self._agrees: list[Floats] = []
        self._support: list[Floats] = []
        self._steps: list[tuple[Ints, Ints, Floats]] = []
        before: Ints | None = None
        for look in range(len(self._times)):
            codes, place = _distinct(state_of(paths.top[:, look], paths.second[:, look]))
            weight = np.bincount(place, paths.weights)
            self._codes.append(codes)
            agrees, support = paths.agrees[:, look], paths.support[:, look]
            self._agrees.append(np.bincount(place, paths.weights * agrees) / weight)
            self._support.append(np.bincount(place, paths.weights * support) / weight)
            if before is not None:
                self._steps.append(_transitions(before, place, len(codes), paths.weights))
            before = place

    def rule(self, cost: Cost) -> Rule:
        """The rule that stops wherever going on, in the best way, doesn't pay."""
        states: list[dict[int, Outlook]] = [{} for _ in self._times]
        utility = self._utility(cost)
        value = gross = utility[-1]
        least = likely = np.zeros(len(value))
        for look in reversed(range(len(self._steps))):
            here, there, chance = self._steps[look]
            step = self._times[look + 1] - self._times[look]
            size = len(self._codes[look])
            now = utility[look]
            answered = self._codes[look] > 0
            ahead = np.bincount(here, chance * value[there], size)
            charged = step * np.where(answered, cost.floor + cost.price, cost.price)
            # Where there is no answer yet, none is no better than any: a tie goes on.
            stop = np.where(answered, now >= ahead - charged, now > ahead - charged)
            after = np.full(size, np.inf)
            np.minimum.at(after, here, least[there])
            reach = np.bincount(here, chance * gross[there], size)
            value = np.where(stop, now, ahead - charged)
            gross = np.where(stop, now, reach)
            likely = np.where(stop, 0.0, step + np.bincount(here, chance * likely[there], size))
            least = np.where(stop, 0.0, step + after)
            gain = np.maximum(0.0, gross - now)
            columns = (~stop, least.astype(int), likely, gain, self._agrees[look])
            rows = zip(*(column.tolist() for column in columns), strict=True)
            outlooks = (Outlook(*row) for row in rows)
            states[look] = dict(zip(self._codes[look].tolist(), outlooks, strict=True))
        return Rule(self._times, states)

    def _utility(self, cost: Cost) -> list[Floats]:
        """Of the answer in each state, by look."""
        free = cost.floor / (cost.floor + cost.price) if cost.price else 1.0
        emphasis = self._emphasis * free
        both = zip(self._agrees, self._support, strict=True)
        return [emphasis * agrees + (1 - emphasis) * support for agrees, support in both]


def is_decided(top: int, second: int, remaining: int) -> bool:
    """Whether no ``remaining`` votes can change which answer leads.

    Among equals the one that came first leads, so that a new one has to get past the leader.
    """
    return top - second > remaining or (not second and 0 < remaining <= top)


def state(top: int, second: int) -> int:
    """The state that votes are in: lead and runner-up, coarser the larger; 0: no answer yet."""
    return int(_BINS[top - second] * WIDTH + _BINS[second] + 1) if top else 0


def state_of(top: Ints, second: Ints) -> Ints:
    """`state`, of arrays."""
    states: Ints = np.where(top > 0, _BINS[top - second] * WIDTH + _BINS[second] + 1, 0)
    return states


def _transitions(
    before: Ints, after: Ints, number: int, weights: Floats
) -> tuple[Ints, Ints, Floats]:
    """States at one look, states at the next, and the chance of the one given the other."""
    pairs, place = _distinct(before * number + after)
    weight = np.bincount(place, weights)
    here, there = pairs // number, pairs % number
    return here, there, weight / np.bincount(here, weight)[here]


def _distinct(values: Ints) -> tuple[Ints, Ints]:
    """Distinct natural numbers in order, and the place of each value: without sorting them."""
    distinct = np.flatnonzero(np.bincount(values))
    places = np.zeros(int(distinct[-1]) + 1, np.int64)
    places[distinct] = np.arange(len(distinct))
    return distinct, places[values]
