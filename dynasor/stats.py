"""What the core knows of itself: numbers for operators, benchmarks and metrics."""

from __future__ import annotations

import msgspec


class TenantStats(msgspec.Struct, frozen=True):
    """One tenant: its programs in progress and what it was given since the beginning."""

    programs: int
    tokens: int


class ContractStats(msgspec.Struct, frozen=True):
    """How well the stops of one family keep their promise, measured on explored programs.

    Attributes:
        bound: upper confidence bound of the disagreement; 0 where nothing is proven yet, and
            programs stop only where their answer can't change any more.
        episodes: explored programs behind it.
        alarm: traffic has drifted: the newest programs contradict what was proven before them.
    """

    bound: float
    episodes: int
    alarm: bool


class Stats(msgspec.Struct, frozen=True):
    """Counters are since the beginning of the core; the rest is as of now.

    Attributes:
        price: improvement of an answer that a token must buy, in chance of being right.
        token_rate: tokens per second that all engines together generate, measured.
        wait_s: forecast, from above: time until a branch of a new program would start.
        programs: in progress.
        waiting: branches that wait for a lease.
        running: branches that hold one.
        explored: programs that were run to their cap to learn from.
        granted: tokens of all leases given; used: generated in them; returned: not needed.
        placements: branches placed, moved ones and those that go on included.
        prefix_best: prompt tokens that the best replica for each placement had cached, forecast.
        prefix_achieved: those that the chosen replica had.
        moves: running branches that were moved to another replica.
        preempted: sequences that engines had to preempt for lack of KV cache.
        tenants: by name.
        contracts: by "model/algorithm/tag*units of the cap@promised disagreement".
    """

    price: float = 0.0
    token_rate: float = 0.0
    wait_s: float = 0.0
    programs: int = 0
    waiting: int = 0
    running: int = 0
    explored: int = 0
    granted: int = 0
    used: int = 0
    returned: int = 0
    placements: int = 0
    prefix_best: int = 0
    prefix_achieved: int = 0
    moves: int = 0
    preempted: int = 0
    tenants: dict[str, TenantStats] = {}
    contracts: dict[str, ContractStats] = {}
