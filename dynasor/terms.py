"""Terms: what the caller of a query wants, and what it may cost, whatever algorithm answers it."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from dynasor.budget.effort import EFFORTS, Effort, EffortLevel
from dynasor.registry import Params

MAX_DEADLINE_S = 86_400.0
DEFAULT_TENANT = "default"


class Terms(Params):
    """Fields of a program object beside the algorithm and its parameters. All may be left out."""

    model_config = ConfigDict(allow_inf_nan=False)

    deadline_s: float | None = Field(
        None,
        gt=0,
        le=MAX_DEADLINE_S,
        description="seconds from submission after which the best answer so far is returned",
    )
    effort: Effort | None = Field(
        None, description="caps the compute and says how sure to be; OpenAI's reasoning_effort"
    )
    max_disagreement: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="accuracy contract: the share of answers that may differ from those of the "
        "full budget; policy 'value' keeps it",
    )
    max_total_tokens: int | None = Field(
        None, ge=1, description="tokens to spend in all: chains, probes, judging, cancelled work"
    )
    priority_s: float = Field(
        0.0, ge=-600, le=600, description="queued as if it had arrived that much earlier"
    )
    tenant: str = Field(
        DEFAULT_TENANT, min_length=1, max_length=128, description="whose share of the cluster"
    )
    tag: str = Field("", max_length=64, description="what the query is about: alike ones learn")

    @property
    def level(self) -> EffortLevel:
        """What its effort stands for."""
        return EFFORTS[self.effort or "high"]

    @property
    def contract(self) -> float | None:
        """The disagreement that it accepts; its own, or its effort's; None: it does not say."""
        if self.max_disagreement is not None or self.effort is None:
            return self.max_disagreement
        return EFFORTS[self.effort].max_disagreement
