"""The allocator's interface: whether what an algorithm wants next is worth its compute."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from dynasor.algorithms.base import StopHint
from dynasor.certaindex import Certaindex
from dynasor.registry import Params, Registry
from dynasor.value.episode import Family
from dynasor.value.values import ValueModels

Ended = Literal["certain", "price"]


class Market(Protocol):
    """What a policy may know of the cluster: the same for all programs of one moment.

    Attributes:
        price: improvement of the answer (in chance of being the best one) that a token must be
            expected to buy to be worth spending now; 0: compute is free.
        room: branches that could start now without making anybody wait.
        idle: share of the compute that nobody uses, in [0, 1]: free slots, each as far as what
            is generated there is taken from no other branch.
        values: what traffic has taught about the worth of compute.
    """

    @property
    def price(self) -> float: ...

    @property
    def room(self) -> int: ...

    @property
    def idle(self) -> float: ...

    @property
    def values(self) -> ValueModels: ...


class ProgramView(Protocol):
    """What a policy may know of a program. Reading is free of side effects."""

    @property
    def family(self) -> Family:
        """Programs that are alike: they learn from one another."""

    @property
    def max_disagreement(self) -> float | None:
        """The accuracy contract: the share of programs whose answer may differ from the one that
        their full budget gives; None: there is no contract."""

    @property
    def market(self) -> Market: ...

    @property
    def stop_hint(self) -> StopHint: ...

    @property
    def started(self) -> int:
        """Units of the algorithm's knob that have begun."""

    @property
    def active(self) -> int:
        """Work items that run or wait for room."""

    @property
    def generated(self) -> int:
        """Tokens generated so far, all branches."""

    def certaindex(self) -> Certaindex: ...


class Verdict(NamedTuple):
    """What a program gets.

    Attributes:
        allowance: units of its algorithm's knob that it may have begun in all, counted from its
            beginning (saying the same twice grants nothing twice); None: everything it demands.
            Work that belongs to a unit granted earlier needs no further grant.
        stop: end it now: its answer counts as "certain", or what more compute could still improve
            is worth less than its "price"; None: it goes on.
    """

    allowance: int | None
    stop: Ended | None = None

    @property
    def settled(self) -> bool:
        """The program ends."""
        return self.stop is not None


class Policy(ABC):
    """Decides for one program after every event of it. Must be a pure function of the view.

    A program of which nothing is active waits until the next event that concerns it: a policy
    that then neither grants nor settles holds it until its deadline or for ever.
    """

    name: ClassVar[str]
    Params: ClassVar[type[Params]]

    def __init__(self, params: Any) -> None:
        self.params = params

    @property
    def signals(self) -> Mapping[str, Collection[str]]:
        """Signals of a certaindex that its parameters name, by parameter: the algorithm has to
        have them."""
        return {}

    @abstractmethod
    def verdict(self, program: ProgramView) -> Verdict:
        """What the program gets now."""

    @property
    def learns(self) -> bool:
        """Whether it needs value models: a share of its programs is run to the cap for them."""
        return False

    def renew(self, program: ProgramView) -> bool:
        """Whether a running branch whose lease comes to its end gets another; and whether one
        that was taken back may go on. By default a branch that was worth starting is finished.
        """
        return True


POLICIES: Registry[type[Policy]] = Registry("policy")
