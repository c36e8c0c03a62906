"""Every knob of the core. Units are in the names; ranges are checked when the model is built."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from dynasor.budget.ledger import LimitSettings
from dynasor.budget.price import PriceSettings
from dynasor.fleet.settings import AdmissionSettings, BalanceSettings
from dynasor.policies import POLICIES, Policy
from dynasor.queue.settings import QueueSettings

PlacementPolicy = Literal["completion", "round_robin"]


class PlacementSettings(BaseModel):
    """Which replica a branch runs on, and the cost model of that: what a token costs where. Measure
    on the engine at hand; only the ratio of the two costs matters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: PlacementPolicy = Field(
        "completion",
        description="completion: where it is expected to end first; round_robin: in turn, to "
        "compare with",
    )

    prefill_s_per_token: float = Field(
        2e-4, gt=0, le=1, description="time to prefill one prompt token that is not cached"
    )
    decode_s_per_sequence: float = Field(
        1.4e-4, ge=0, le=1, description="how much one more running sequence lengthens each step"
    )
    expected_tokens: int = Field(128, ge=1, description="tokens a branch is expected to generate")
    prefix_blocks: int = Field(
        65_536,
        ge=1,
        description="most blocks remembered per replica as probably in its prefix cache; never "
        "more than that cache holds",
    )
    max_refusals: int = Field(
        8, ge=1, description="replicas without room in the KV cache that are asked for one branch"
    )
    admission: AdmissionSettings = AdmissionSettings()
    balance: BalanceSettings = BalanceSettings()


class CoreSettings(BaseModel):
    """The controller's logic: leases, liveness, limits, placement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: str = Field("threshold", description="allocator policy of queries that name none")
    policy_params: dict[str, Any] = Field({}, description="its parameters; others: the defaults")
    lease_tokens: int = Field(
        256, ge=8, le=65_536, description="tokens of one lease; smaller takes compute back sooner"
    )
    renew_at: float = Field(
        0.5, gt=0, le=1, description="a lease is renewed when this share of it is left or less"
    )
    max_programs: int = Field(
        4096, ge=1, le=1_000_000, description="programs in progress; more are refused with 429"
    )
    replica_timeout_s: float = Field(
        5.0, gt=0, le=600, description="a replica silent for this long counts as lost"
    )
    max_losses: int = Field(
        4,
        ge=0,
        le=1000,
        description="how often a branch whose replica was lost is placed again; then it ends as "
        "an error, for it may be what kills replicas",
    )
    settle_s: float = Field(
        0.1,
        ge=0,
        le=10,
        description="how long an ended program waits for its stopped branches' last tokens, so "
        "that usage is exact; deadlines start this much early",
    )
    progress_period_s: float = Field(
        0.1, ge=0.01, le=60, description="least time between two progress reports of a program"
    )
    reports_per_s: float = Field(
        400, gt=0, le=100_000, description="reports the controller takes per second, all replicas"
    )
    explore_share: float = Field(
        0.02,
        ge=0,
        le=1,
        description="share of programs that are run to their cap, where their policy learns what "
        "compute is worth",
    )
    placement: PlacementSettings = PlacementSettings()
    queue: QueueSettings = QueueSettings()
    limits: LimitSettings = LimitSettings()
    price: PriceSettings = PriceSettings()

    @field_validator("policy")
    @classmethod
    def _known_policy(cls, name: str) -> str:
        POLICIES.get(name, "policy")
        return name

    @field_validator("policy_params")
    @classmethod
    def _of_that_policy(cls, params: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "policy" in info.data:
            POLICIES.parse(info.data["policy"], params, "policy", "policy_params")
        return params

    def build_policy(self) -> Policy:
        """The policy of a query that names none."""
        kind = POLICIES.get(self.policy, "policy")
        return kind(kind.Params.model_validate(self.policy_params))
