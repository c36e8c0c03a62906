"""Budget forcing (s1, Muennighoff et al. 2025, arXiv 2501.19393): thinking of a given length.

Where the thinking would end too early, its end is suppressed and "Wait" makes it go on; at the
cap its end is forced.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.algorithms.thinking import MAX_TOKENS, Chain, ThinkingParams
from dynasor.certaindex import Certaindex
from dynasor.work import Event, Finished, Generate, Started


class BudgetForcingParams(ThinkingParams):
    """Parameters of budget forcing. The cap goes before what is wanted at least."""

    min_thinking_tokens: int = Field(
        1024, ge=0, le=MAX_TOKENS, description="tokens before which the thinking is made to go on"
    )
    max_waits: int = Field(2, ge=0, le=64, description="most times it is made to go on")


class BudgetForcingState(msgspec.Struct):
    """The chain so far."""

    chain: Chain = msgspec.field(default_factory=Chain)


@ALGORITHMS.register
class BudgetForcing(Algorithm[BudgetForcingParams, BudgetForcingState]):
    """One chain is one unit: nothing is known of its answer before its end."""

    name = "budget_forcing"
    source = "s1, Muennighoff et al. 2025, arXiv 2501.19393"
    Params = BudgetForcingParams
    State = BudgetForcingState
    size = "max_thinking_tokens"

    @property
    def stop_hint(self) -> StopHint:
        return StopHint(knob=1, thresholds={}, wave=None)

    def demand(self) -> Iterator[Generate]:
        piece = self._next()
        return iter([] if piece is None else [piece])

    def observe(self, event: Event) -> None:
        chain = self.state.chain
        match event:
            case Started():
                piece = self._next()
                assert piece is not None, "only what is demanded is started"
                chain.begin(piece)
            case Finished():
                chain.finish(event)

    def certaindex(self) -> Certaindex:
        return Certaindex(measured=int(self.state.chain.over))

    def answer(self) -> Best:
        return self.state.chain.best()

    def _next(self) -> Generate | None:
        chain, params = self.state.chain, self.params
        branch, end = len(chain.pieces), chain.end
        if not chain.pieces:
            return self._thinking(branch, units=1)
        if end is None or not self._too_early(end):
            return chain.conclusion(branch, params)
        # Without the tokens of the mark, for to the model the thinking has not ended.
        return msgspec.structs.replace(
            self._thinking(branch, units=0), parent=end.branch, at=end.kept, inject="wait"
        )

    def _too_early(self, end: Finished) -> bool:
        chain, params = self.state.chain, self.params
        if end.finish != "step" or chain.answering or len(chain.pieces) > params.max_waits:
            return False
        wanted = params.min_thinking_tokens
        cap = params.max_thinking_tokens
        return chain.spent < (wanted if cap is None else min(wanted, cap))

    def _thinking(self, branch: int, units: int) -> Generate:
        cap = self.params.max_thinking_tokens
        return Generate(
            branch,
            units=units,
            until=("think_end",),
            max_tokens=None if cap is None else cap - self.state.chain.spent,
            reserve=self.params.answer_tokens,
            show=True,
        )
