"""Dynasor-CoT (arXiv 2412.20993, section 4): a chain of thought that is probed as it grows.

Every so many tokens the chain is asked for its answer, beside its further growth. Once the probes
agree, more thinking would not change the answer.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, StopHint
from dynasor.algorithms.probing import ProbedChain, ProbingParams, answers, same
from dynasor.work import Finished, Grew, Measure


class ChainOfThoughtParams(ProbingParams):
    """Parameters of the probed chain of thought.

    The public code's levels of effort are pairs of ``window`` and ``probe_every``: mild (8, 64),
    low (5, 64), mid (3, 64), high (2, 64) and crazy (2, 32).
    """

    probe_every: int = Field(64, ge=1, le=65_536, description="tokens between two probes")
    probe_at: Literal["token", "thought"] = Field(
        "token",
        description="where after these tokens: at once, as in the paper, or where the thought ends "
        "that is under way, for models that answer badly in the middle of a line",
    )
    probe_growth: float = Field(
        1.0,
        ge=1.0,
        le=2.0,
        description="least ratio of a probe's position to the one before: above 1, long chains "
        "are probed less often",
    )
    probe_temperature: float | None = Field(
        None, ge=0.0, le=2.0, description="temperature of the probes; None: the query's"
    )
    probability: bool = Field(
        False, description="also measure how probable the probes were, which changes nothing"
    )
    window: int = Field(3, ge=1, le=256, description="newest probes that are compared")
    agreement: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="share of the window that has to agree with the newest probe",
    )


@ALGORITHMS.register
class ChainOfThought(ProbedChain[ChainOfThoughtParams]):
    """Agreement is ``C_k``: the share of the last ``window`` probes that say what the newest says.

    Probes that hedge, or say nothing, are left out of the window; one that isn't full yet lacks
    the agreement of those that are missing.
    """

    name = "chain_of_thought"
    source = "Dynasor-CoT, Fu et al. 2024, arXiv 2412.20993"
    Params = ChainOfThoughtParams
    signal = "agreement"

    @property
    def probe_measure(self) -> Measure:
        return Measure(hedges=True, probability=self.params.probability)

    @property
    def chain_measure(self) -> Measure | None:
        return Measure(thoughts=True) if self.params.probe_at == "thought" else None

    @property
    def stop_hint(self) -> StopHint:
        params = self.params
        return StopHint(knob=params.window, thresholds={self.signal: params.agreement}, wave=1)

    @property
    def probe_temperature(self) -> float | None:
        return self.params.probe_temperature

    def newest_due(self, event: Grew) -> int:
        due = self.state.due
        if self.params.probe_at == "thought":
            thoughts = event.measured.thoughts if event.measured is not None else ()
            for thought in thoughts:
                due = thought.end if thought.end >= self._after(due) else due
            return due
        while (following := self._after(due)) <= event.tokens:
            due = following
        return due

    def counts(self, probe: Finished) -> bool:
        return probe.measured is None or not probe.measured.hedged

    def evidence(self) -> list[Finished]:
        return self.state.answered[-self.params.window :]

    def sureness(self, answered: list[Finished]) -> float:
        said = answers(answered[-self.params.window :])
        return sum(same(answer, said[-1]) for answer in said) / self.params.window

    def _after(self, position: int) -> int:
        params = self.params
        return max(position + params.probe_every, math.ceil(position * params.probe_growth))
