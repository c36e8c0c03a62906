"""Orders of programs: which one's waiting branches start first. One setting names the order.

A key is a number of seconds, smaller goes first: what the program costs, plus the ageing rate times
the time it was submitted. It changes only when something happens to the program: nobody has to
recompute keys because time passes, for waiting counts by itself against whoever comes later.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from pydantic import Field

from dynasor import registry

TOKEN_RATE = 40.0
"""Tokens per second of one sequence, while nothing has been measured."""

Key = tuple[float, int]
"""Seconds, and the running number of the program's submission: never equal for two programs."""


class Standing(NamedTuple):
    """What an order may know of a program.

    Attributes:
        arrival: running number of its submission.
        submitted_at: seconds.
        attained_tokens: spent so far, all branches.
        remaining_tokens: mean of what it still spends, all branches.
        index_tokens: the inverse of its Gittins index; only there for orders that are `indexed`.
        serial_tokens: it needs for its answer one after the other, when nothing makes it wait.
        priority_s: it goes as if it had been submitted that much earlier.
        deadline_at: seconds; None: no deadline.
    """

    arrival: int
    submitted_at: float
    attained_tokens: float = 0.0
    remaining_tokens: float = 0.0
    index_tokens: float = 0.0
    serial_tokens: float = 0.0
    priority_s: float = 0.0
    deadline_at: float | None = None


class OrderParams(registry.Params):
    """Parameters that all orders share."""

    ageing_rate: float = Field(
        0.1, gt=0, le=100, description="seconds of cost that a second of waiting makes up for"
    )
    max_cost_s: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="what even the costliest program counts at most; divided by the ageing rate, "
        "the time within which somebody submitted later may still go first",
    )


class Order(ABC):
    """One order. Subclasses say what a program costs."""

    name: ClassVar[str]
    indexed: ClassVar[bool] = False
    """Whether it looks at the Gittins index, which costs something to keep."""
    Params: ClassVar[type[registry.Params]] = OrderParams

    def __init__(self, params: OrderParams) -> None:
        self.params = params

    @abstractmethod
    def cost_tokens(self, program: Standing) -> float:
        """Tokens of one sequence that going first would take from others, at least 0."""

    @property
    def overtaken_within_s(self) -> float:
        """Programs submitted later than this after another one never go before it, whatever they
        cost and whatever their deadlines (priorities counted as time of submission)."""
        return self.params.max_cost_s / self.params.ageing_rate

    def key(self, program: Standing, token_rate: float = TOKEN_RATE) -> Key:
        """Its place: ``ageing_rate · start + cost``, cost in [0, max_cost_s).

        ``start`` is the time of submission less the head start of its priority. Costs are bent
        smoothly below the maximum, so that long programs keep an order among themselves.

        With a deadline the key is at most ``ageing_rate · latest``, where ``latest`` is when it
        has to start to be in time: from then on it goes before everyone submitted later. The cost
        so lowered stays at least 0, which keeps the bound.

        Args:
            token_rate: tokens per second of one sequence, above 0.
        """
        rate, most = self.params.ageing_rate, self.params.max_cost_s
        start = program.submitted_at - program.priority_s
        cost = self.cost_tokens(program) / token_rate
        cost = cost / (1.0 + cost / most)
        if program.deadline_at is not None:
            latest = program.deadline_at - program.serial_tokens / token_rate
            cost = min(cost, max(0.0, rate * (latest - start)))
        return rate * start + cost, program.arrival


ORDERS: registry.Registry[type[Order]] = registry.Registry("order")


@ORDERS.register
class Fcfs(Order):
    """First come, first served."""

    name = "fcfs"

    def cost_tokens(self, program: Standing) -> float:
        return 0.0


@ORDERS.register
class LeastAttained(Order):
    """Who has been served least, in queues by powers of two, first come first served within each.

    Program-level attained service (PLAS) of Autellix, arXiv 2502.13965. Needs no estimate; right
    when the chance to end falls with what was spent.
    """

    name = "least_attained"

    def cost_tokens(self, program: Standing) -> float:
        attained = int(program.attained_tokens)
        return float(1 << attained.bit_length() - 1) if attained > 0 else 0.0


@ORDERS.register
class ShortestRemaining(Order):
    """Least expected remaining work first."""

    name = "shortest_remaining"

    def cost_tokens(self, program: Standing) -> float:
        return program.remaining_tokens


@ORDERS.register
class Gittins(Order):
    """Highest chance of an end per token of service first, over the best horizon.

    The Gittins index on the learned distribution. Beats the mean where most programs are short
    and a few are long; the same where what remains is known.
    """

    name = "gittins"
    indexed = True

    def cost_tokens(self, program: Standing) -> float:
        return program.index_tokens
