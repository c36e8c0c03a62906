"""Failures that happen in a simulation, at times of its settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    at_s: float = Field(ge=0, description="since the beginning")


class Loss(_Fault):
    """A replica dies without a word, and may come back empty."""

    kind: Literal["loss"] = "loss"
    replica: int = Field(0, ge=0, description="number of an engine that generates")
    back_s: float | None = Field(None, gt=0, description="time until it is there again")


class Slow(_Fault):
    """A replica's steps take longer for a while."""

    kind: Literal["slow"] = "slow"
    replica: int = Field(0, ge=0, description="number of an engine that generates")
    factor: float = Field(gt=0, le=1000, description="2: twice as long")
    for_s: float = Field(gt=0)


class Restart(_Fault):
    """The controller dies, and a new one is there after a while: it knows nothing."""

    kind: Literal["restart"] = "restart"
    down_s: float = Field(2.0, gt=0)


Fault = Annotated[Loss | Slow | Restart, Field(discriminator="kind")]
