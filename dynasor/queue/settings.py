"""Every knob of the queue."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dynasor.queue.orders import ORDERS, Order, OrderParams


class TenantSettings(BaseModel):
    """What one tenant gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(
        1.0, gt=0, le=1e6, description="share of the tokens while several tenants wait"
    )


class QueueSettings(BaseModel):
    """The order of programs, shares of tenants, and when the door is closed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order: str = Field("shortest_remaining", description="which program goes first")
    order_params: OrderParams = OrderParams()
    tenants: dict[str, TenantSettings] = Field({}, description="others have the defaults")
    max_waiting: int | None = Field(
        None, ge=1, description="programs that wait for their first branch; more are refused"
    )
    max_wait_s: float | None = Field(
        None, gt=0, description="a query whose forecast wait is longer is refused with 429"
    )

    @field_validator("order")
    @classmethod
    def _known_order(cls, name: str) -> str:
        ORDERS.get(name, "order")
        return name

    def build_order(self) -> Order:
        """The order that is set."""
        return ORDERS.get(self.order, "order")(self.order_params)

    def weight(self, tenant: str) -> float:
        """Its share relative to others."""
        return self.tenants.get(tenant, TenantSettings()).weight
