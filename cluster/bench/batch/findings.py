"""What a fixed set of questions cost each system, and how much less than the reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from cluster.bench.full_budget import accuracy_difference, counts, verdict
from cluster.bench.reports.document import Measure, Run
from cluster.bench.stats import Interval, paired_bootstrap, ratio_of_sums
from cluster.bench.systems.catalog import System

TOKENS_GOAL = 0.53
"""Tokens at equal accuracy, against the full budget: the best of arXiv 2412.20993 with
self-consistency (47% fewer)."""

OURS = "value"


class Findings:
    """Measures and notes.

    Args:
        reference: name of the system that the others are compared with.
        seed: of the bootstraps.
    """

    def __init__(
        self, systems: Sequence[System], runs: Sequence[Run], reference: str, seed: int
    ) -> None:
        self._reference, self._seed = reference, seed
        self._runs: dict[str, list[Run]] = defaultdict(list)
        for run in sorted(runs, key=lambda run: run.load["repeat"]):
            self._runs[run.system].append(run)
        self._systems = [system for system in systems if system.name in self._runs]
        full = {system.name for system in self._systems if system.full}
        answers = [one for run in runs if run.system in full for one in run.served]
        self._differences = {
            name: accuracy_difference((one for run in mine for one in run.served), answers, seed)
            for name, mine in self._runs.items()
        }

    def notes(self) -> Iterator[str]:
        """What a reader has to know of each system's figures."""
        for system in self._systems:
            found = self._differences[system.name]
            lost = "" if self._counts(system) else ": its ratios don't count, and are left out"
            yield f"{system.name}: accuracy is {verdict(found)}{lost}"

    def measures(self) -> Iterator[Measure]:
        """Names are ``batch/<system>/<figure>``, and ``batch/<system>:<reference>/<figure>`` for
        ratios of what was spent: tokens paired by question, time by repeat."""
        for system in self._systems:
            points = Interval(*(100 * value for value in self._differences[system.name]))
            yield _measure(f"{system.name}/accuracy_difference", points, "points", "higher")
            walls = [run.wall_s for run in self._runs[system.name]]
            mean = sum(walls) / len(walls)
            time = Interval(mean, min(walls), max(walls))
            yield _measure(f"{system.name}/time", time, "s", "lower", repeats=walls)
        for system in self._systems:
            if system.name != self._reference and self._counts(system):
                yield from self._against(system.name)

    def _counts(self, system: System) -> bool:
        return system.full or counts(self._differences[system.name])

    def _against(self, name: str) -> Iterator[Measure]:
        mine, base = self._runs[name], self._runs.get(self._reference, [])
        spent, theirs = _tokens(mine), _tokens(base)
        both = sorted(spent.keys() & theirs.keys())
        if not both:
            return
        tokens = paired_bootstrap(
            [spent[key] for key in both], [theirs[key] for key in both], ratio_of_sums, self._seed
        )
        pairs = list(zip(mine, base, strict=False))
        walls = [[pair[side].wall_s for pair in pairs] for side in (0, 1)]
        time = paired_bootstrap(walls[0], walls[1], ratio_of_sums, self._seed)
        goal = TOKENS_GOAL if name == OURS else None
        label = f"{name}:{self._reference}"
        yield _measure(f"{label}/tokens", tokens, "", "lower", goal)
        ratios = [a / b for a, b in zip(*walls, strict=True)]
        yield _measure(f"{label}/time", time, "", "lower", repeats=ratios)


def _tokens(runs: Sequence[Run]) -> dict[str, float]:
    """Mean tokens of each question that was answered, over the repeats."""
    found: dict[str, list[int]] = defaultdict(list)
    for run in runs:
        for one in run.served:
            if one.answered:
                found[one.question].append(one.tokens)
    return {question: sum(tokens) / len(tokens) for question, tokens in found.items()}


def _measure(
    name: str,
    found: Interval,
    unit: str,
    better: str,
    goal: float | None = None,
    repeats: Sequence[float] = (),
) -> Measure:
    return Measure.model_validate(
        {
            "name": f"batch/{name}",
            **found._asdict(),
            "unit": unit,
            "better": better,
            "goal": goal,
            "repeats": tuple(repeats) if len(repeats) > 1 else (),
        }
    )
