"""What the measured rates say: how much load each system sustains, and how tight deadlines may be,
where its accuracy is that of the full budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from cluster.bench.full_budget import counts, verdict
from cluster.bench.online.claims import SCALE, Claim, Scales, claim, tightest_met, up_to
from cluster.bench.online.sustained import ratio
from cluster.bench.online.tightest import tighter, tightest
from cluster.bench.reports.document import Measure, Run
from cluster.bench.stats import Interval
from cluster.bench.systems.catalog import PEER, System
from cluster.workload.served import Served

RATE_GOAL = 3.3
"""Rate at the same attainment, against the peer: the best of arXiv 2412.20993."""

DEADLINE_GOAL = 4.7
"""How many times tighter deadlines may be at the same rate: the best there."""

OURS = ("value", "value-deadline")
"""Systems that have these goals."""

BOUNDS = {
    "at least": "sustained the highest rate that was tried; the true one is higher",
    "at most": "did not sustain the lowest rate that was tried; the true one is lower",
    "accuracy": "met deadlines at higher rates, but at less accuracy: they don't count",
}


class Findings:
    """Measures and notes about systems that were measured at several rates.

    Args:
        reference: name of the system that the others are compared with.
        unit: queries per second of rate 1.
        common: the rate at which deadlines are compared; None: not known.
        seed: of the bootstraps.
    """

    def __init__(
        self,
        systems: Sequence[System],
        runs: Sequence[Run],
        reference: str,
        unit: float,
        common: float | None,
        seed: int,
    ) -> None:
        self._reference, self._unit, self._common, self._seed = reference, unit, common, seed
        self._rates: dict[str, dict[float, list[Served]]] = defaultdict(lambda: defaultdict(list))
        self._scales: dict[str, Scales] = defaultdict(dict)
        for run in runs:
            if (scale := run.load.get(SCALE)) is None:
                self._rates[run.system][run.load["rate"]] += run.served
            else:
                scales = self._scales[run.system]
                scales[scale] = (*scales.get(scale, ()), *run.served)
        self._systems = [system for system in systems if system.name in self._rates]
        full = [system.name for system in self._systems if system.full]
        self._full = [one for name in full for some in self._rates[name].values() for one in some]
        self._claims: dict[str, Claim] = {
            system.name: claim(self._rates[system.name], self._full, system.full, seed)
            for system in self._systems
        }

    def notes(self) -> Iterator[str]:
        """What a reader has to know of each system's figures."""
        for name, found in self._claims.items():
            yield f"{name}: accuracy is {verdict(found.difference)}"
            if found.sustained is None:
                yield f"{name}: at no rate is its accuracy that of the full budget: nothing counts"
            elif found.sustained.bound:
                yield f"{name}: {BOUNDS[found.sustained.bound]}"

    def measures(self) -> Iterator[Measure]:
        """Names are ``online/<system>/<figure>``, and ``online/<system>:<reference>/<figure>`` for
        ratios, which are above 1 where the system does better."""
        for system in self._systems:
            yield from self._alone(system)
        for system in self._systems:
            if system.name != self._reference and self._reference in self._claims:
                yield from self._against(system)

    def _alone(self, system: System) -> Iterator[Measure]:
        found = self._claims[system.name]
        points = Interval(*(100 * value for value in found.difference))
        yield _measure(f"{system.name}/accuracy_difference", points, "points", "higher")
        if found.sustained is not None:
            rate = Interval(*(self._unit * value for value in found.sustained.rate))
            yield _measure(f"{system.name}/sustained_rate", rate, "queries/s", "higher")
        if served := self._at_common(system):
            yield _measure(
                f"{system.name}/tightest_deadline", tightest(served, self._seed), "", "lower"
            )

    def _against(self, system: System) -> Iterator[Measure]:
        name = f"{system.name}:{self._reference}"
        aims = system.name in OURS and self._reference == PEER
        mine = self._claims[system.name].sustained
        base = self._claims[self._reference].sustained
        if mine is not None and base is not None:
            goal = RATE_GOAL if aims else None
            yield _measure(f"{name}/sustained_rate", ratio(mine, base), "", "higher", goal)
        if served := self._at_common(system):
            theirs = self._rates[self._reference][self._common or 0.0]
            goal = DEADLINE_GOAL if aims else None
            found = tighter(served, theirs, self._seed)
            yield _measure(f"{name}/tightest_deadline", found, "", "higher", goal)

    def _at_common(self, system: System) -> Sequence[Served]:
        """What counts of its queries at the common rate; of a system that was told ever tighter
        deadlines there, those at the tightest that it met."""
        if tight := tightest_met(self._scales[system.name], self._full, self._seed):
            return tight
        rates = self._rates[system.name]
        if self._common is None or self._common not in rates:
            return ()
        kept = system.full or counts(up_to(self._common, rates, self._full, self._seed))
        return rates[self._common] if kept else ()


def _measure(
    name: str, found: Interval, unit: str, better: str, goal: float | None = None
) -> Measure:
    return Measure.model_validate(
        {
            "name": f"online/{name}",
            **found._asdict(),
            "unit": unit,
            "better": better,
            "goal": goal,
        }
    )
