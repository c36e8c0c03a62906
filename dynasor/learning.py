"""What the core learns from programs that end: lengths, work that remains, the worth of compute."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynasor.branch import Branch
from dynasor.program import Program
from dynasor.queue.distribution import Distribution
from dynasor.queue.lengths import Key, Lengths
from dynasor.queue.orders import Standing
from dynasor.queue.work import Progress, RemainingWork, Step
from dynasor.value.episode import Episode, Family, Moment
from dynasor.value.values import ValueModels
from dynasor.work import BranchKind

EXPECTED_TOKENS = 256.0
"""Tokens of a branch, while nothing is known."""

HIGH = 0.9
"""Quantile of the length that the memory for a branch is forecast with."""

GOLDEN = 0.6180339887498949
"""Multiples of it, modulo 1, are spread evenly: every share of programs is met at any time."""


@dataclass(slots=True)
class Path:
    """How a program came to where it is."""

    steps: list[Step] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)


class Learner:
    """Watches programs, and forecasts from those that have ended."""

    def __init__(self, explore_share: float) -> None:
        self._explore_share = explore_share
        self._lengths = Lengths(EXPECTED_TOKENS)
        self._work = RemainingWork()
        self._paths: dict[str, Path] = {}
        self.explored = 0

    def explores(self, arrival: int) -> bool:
        """Whether the program of this running number is run to its cap."""
        return (arrival + 1) * GOLDEN % 1.0 < self._explore_share

    def watch(self, program: Program) -> None:
        """Note where a program is; of one that is explored also what its answer would be now."""
        path = self._paths.setdefault(program.id, Path())
        certaindex = program.certaindex()
        progress = Progress.of(certaindex)
        if not path.steps or path.steps[-1].progress != progress:
            path.steps.append(Step(progress, program.spent))
        measured = path.moments[-1].measured if path.moments else 0
        if program.explored and certaindex.measured > measured:
            path.moments.append(Moment.of(certaindex, program.spent, program.answer_key()))

    def branch_ended(self, program: Program, branch: Branch) -> None:
        """A branch has ended by itself."""
        self._lengths.learn(_key(program.family, branch.kind), len(branch.tokens))

    def program_ended(self, program: Program, values: ValueModels) -> None:
        """A program has ended. Only one that came to its own end says how much work there was, and
        only one that was run to its cap says what its answer is worth."""
        path = self._paths.pop(program.id, None)
        if path is None or program.stop not in ("complete", "certain", "price"):
            return
        self._work.learn(program.family, path.steps, program.spent)
        hint = program.stop_hint
        if program.explored and program.stop == "complete" and path.moments and hint.thresholds:
            # A chain's own end is no unit of its knob, and may say something else than its probes.
            final = Moment.of(program.certaindex(), program.spent, program.answer_key())
            cap = hint.most or final.measured
            moments = (*path.moments, final)
            capped = hint.most is not None
            values.learn(Episode(program.family, cap, hint.exchangeable, moments, capped))
            self.explored += 1

    def remaining(self, program: Program, branch: Branch) -> tuple[float, float]:
        """Tokens that a branch still generates: the mean, and a high quantile."""
        table, count = self._table(program.family, branch.kind), len(branch.tokens)
        return table.remaining(count), table.quantile(count, HIGH)

    def standing(self, program: Program, *, indexed: bool) -> Standing:
        """What an order may know of a program; its Gittins index only if it is ``indexed``."""
        each = self._table(program.family, "sample").remaining(0)
        most = program.stop_hint.most or max(1, program.started)
        fallback = max(each, most * each - program.spent)
        path = self._paths.get(program.id)
        progress = path.steps[-1].progress if path is not None else Progress(0, 0)
        where = (program.family, progress, program.spent, fallback)
        return Standing(
            program.arrival,
            program.submitted_at,
            program.spent,
            self._work.expected(*where),
            self._work.index(*where) if indexed else 0.0,
            each,
            program.terms.priority_s,
            program.deadline_at,
        )

    def _table(self, family: Family, kind: BranchKind) -> Distribution:
        return self._lengths.distribution(_key(family, kind))


def _key(family: Family, kind: BranchKind) -> Key:
    """Branches that are alike; what is known of the model stands in for a new kind."""
    model, algorithm, tag = family
    return model, (kind, algorithm, tag)
