"""Playing the core to an algorithm with one long chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dynasor.algorithms import Algorithm, StopHint
from dynasor.answers.answer import Answer
from dynasor.certaindex import Certaindex
from dynasor.policies.threshold import Threshold, ThresholdParams
from dynasor.work import (
    Drop,
    Dropped,
    Finish,
    Finished,
    Generate,
    Grew,
    Measured,
    Started,
    WorkItem,
)


def answer(key: str | None) -> Answer | None:
    return None if key is None else Answer(f"${key}$", key)


@dataclass
class Play:
    """One algorithm, and short words for what may happen to it."""

    algorithm: Algorithm[Any, Any]
    started: int = 0
    active: int = 0
    generated: int = 0

    @property
    def stop_hint(self) -> StopHint:
        return self.algorithm.stop_hint

    def certaindex(self) -> Certaindex:
        return self.algorithm.certaindex()

    @property
    def demanded(self) -> list[WorkItem]:
        return list(self.algorithm.demand())

    @property
    def settled(self) -> bool:
        """Whether the `threshold` policy would end the program now."""
        return Threshold(ThresholdParams()).verdict(self).settled

    def accept(self) -> Generate:
        """Start the one item that is demanded."""
        (item,) = self.demanded
        assert isinstance(item, Generate)
        self.started += item.units
        self.algorithm.observe(Started(item.branch))
        return item

    def drop(self) -> list[int]:
        """Take back what is to be dropped."""
        drops = [item.branch for item in self.demanded if isinstance(item, Drop)]
        for branch in drops:
            self.algorithm.observe(Dropped(branch))
        return drops

    def grow(self, tokens: int, measured: Measured | None = None) -> None:
        """The chain has this many tokens now."""
        self.algorithm.observe(Grew(0, tokens, measured))

    def end(
        self,
        branch: int,
        finish: Finish = "stop",
        key: str | None = None,
        tokens: int = 9,
        kept: int | None = None,
        measured: Measured | None = None,
    ) -> None:
        """A branch ends."""
        kept = tokens if kept is None else kept
        self.algorithm.observe(Finished(branch, finish, answer(key), tokens, kept, measured))
