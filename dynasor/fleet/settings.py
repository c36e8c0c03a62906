"""Knobs of admission and balancing; `dynasor.settings.PlacementSettings` holds them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AdmissionSettings(BaseModel):
    """How many runs a replica is given: by its slots, and by what its KV cache will hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kv_headroom: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="share of the KV cache that the forecast leaves free, for half-filled blocks",
    )
    kv_headroom_step: float = Field(
        0.02, ge=0, lt=1, description="by how much more, after a report of preemptions"
    )
    kv_headroom_max: float = Field(
        0.3, ge=0, lt=1, description="most that preemptions add to the share left free"
    )
    kv_headroom_half_life_s: float = Field(
        60, gt=0, le=86_400, description="in which that addition halves while nothing is preempted"
    )
    dispatch_delay_s: float = Field(
        0.05,
        ge=0,
        le=10,
        description="from a run's end at a replica to its successor's start there; a replica holds "
        "as many runs beyond its slots as end in this time",
    )
    max_extra_share: float = Field(
        0.25, ge=0, le=1, description="most runs beyond the slots, as a share of them"
    )


class BalanceSettings(BaseModel):
    """Moving of running branches from a replica with many to one with few, while nobody waits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    period_s: float = Field(0.1, gt=0, le=600, description="least time between two looks")
    ratio: float = Field(
        2.0, ge=1, description="runs on the fullest replica over the emptiest, at which to move"
    )
    margin: float = Field(
        0.5, ge=0, description="by which share of its cost a move has to gain more than that"
    )
    stay_s: float = Field(
        2.0, ge=0, le=3600, description="least time that a branch stays where it was placed"
    )
    max_moves: int = Field(4, ge=0, le=1000, description="moves at once; 0: none ever")
    looked_at: int = Field(
        16, ge=1, le=1000, description="runs of the fullest replica that are considered"
    )
