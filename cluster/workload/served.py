"""A query that was asked, and what became of it: in a real cluster, a simulated one, or a peer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["answered", "refused", "given_up", "failed"]


@dataclass(frozen=True, slots=True)
class Served:
    """One query and its end. Times are in seconds, since the beginning of its run.

    Attributes:
        number: of its `Request`.
        system: what it was asked of: a policy, or a peer.
        level: difficulty of its question, where it has one; 0: not known.
        outcome: "refused": by the door (429); "given_up": after the client's limit, which is its
            latency then; "failed": anything else without an answer.
        at_s: when it arrived.
        latency_s: from its arrival, whenever it was sent, to the whole response.
        lag_s: from its arrival until it was sent: above some ms the client is the bottleneck.
        deadline_s: within which it should be answered; None: nothing was asked.
        alone_s: what it takes in an empty cluster; None: not known.
        correct: of its answer; False where there is none.
        tokens: spent on it in all: probes, judging and cancelled work included.
        branches: chains, probes and ratings that were begun.
        stop: why it ended, as `dynasor.result.StopReason`; "": not told.
        message: why it was not answered.
    """

    number: int
    system: str
    kind: str
    question: str
    outcome: Outcome
    at_s: float
    latency_s: float
    level: int = 0
    tenant: str = ""
    lag_s: float = 0.0
    deadline_s: float | None = None
    alone_s: float | None = None
    correct: bool = False
    tokens: int = 0
    branches: int = 0
    stop: str = ""
    message: str = ""

    @property
    def answered(self) -> bool:
        """There is a response, right or wrong."""
        return self.outcome == "answered"

    @property
    def in_time(self) -> bool:
        """Answered within its deadline."""
        return self.answered and self.deadline_s is not None and self.latency_s <= self.deadline_s

    @property
    def unfairness(self) -> float | None:
        """Finish-time fairness (Themis, Mahajan et al. 2020): time taken over time alone. None:
        it was refused or failed, or its time alone is not known."""
        if self.alone_s is None or self.outcome in ("refused", "failed"):
            return None
        return self.latency_s / self.alone_s
