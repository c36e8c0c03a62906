"""When which query arrives: drawn before anything is sent, so that every policy gets the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from cluster.bench.load.mix import Kind, Mix
from cluster.models.abacus.problems import Problem, make_problem


class Arrival(NamedTuple):
    """One query. ``at_s``: since the beginning of its point."""

    number: int
    at_s: float
    kind: Kind
    problem: Problem


class Point(NamedTuple):
    """One measurement. ``rate``: queries per second in multiples of the capacity; ``turn``: which
    of the rate's measurements of this policy, from 0 on."""

    rate: float
    turn: int
    policy: str


def queries(mix: Mix, levels: Sequence[int], rng: Random) -> Iterator[tuple[Kind, Problem]]:
    """Queries without end: kinds by share, levels equally likely."""
    while True:
        yield mix.draw(rng), make_problem(rng.choice(levels), rng)


def poisson(
    mix: Mix, levels: Sequence[int], per_second: float, seconds: float, seed: str
) -> list[Arrival]:
    """The arrivals of a Poisson process within ``seconds``; equal arguments, equal arrivals.

    Raises:
        ValueError: the rate is not above 0.
    """
    if not per_second > 0:
        raise ValueError(f"queries per second must be above 0, got {per_second}")
    clock, content = Random(f"times:{seed}"), Random(f"queries:{seed}")
    arrivals: list[Arrival] = []
    at_s = clock.expovariate(per_second)
    for number, (kind, problem) in enumerate(queries(mix, levels, content)):
        if at_s >= seconds:
            break
        arrivals.append(Arrival(number, at_s, kind, problem))
        at_s += clock.expovariate(per_second)
    return arrivals


def points(rates: Sequence[float], policies: Sequence[str], turns: int) -> list[Point]:
    """All measurements in their order: rate by rate, the policies of a rate in turn.

    Which policy comes first changes from turn to turn and from rate to rate.
    """
    order: list[Point] = []
    for number, rate in enumerate(rates):
        for turn in range(turns):
            first = (number + turn) % len(policies)
            names = (*policies[first:], *policies[:first])
            order += [Point(rate, turn, name) for name in names]
    return order


def completion_rate(finished_at: Sequence[float], begin_s: float, end_s: float) -> float:
    """Completions per second between two times; nan where there is no time between them."""
    if end_s <= begin_s:
        return float("nan")
    return sum(begin_s <= at < end_s for at in finished_at) / (end_s - begin_s)
