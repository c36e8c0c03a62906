"""The algorithm interface: an anytime state machine that never decides its own budget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import msgspec

from dynasor.answers.answer import Answer
from dynasor.certaindex import Certaindex
from dynasor.registry import Params, Registry
from dynasor.work import Event, WorkItem


class StopHint(NamedTuple):
    """Where the paper measures an algorithm's certaindex and from which value it stops.

    Attributes:
        knob: units of work after which certaindex means something.
        threshold: certaindex from which the answer counts as settled.
    """

    knob: int
    threshold: float


class Best(NamedTuple):
    """The best answer so far: what it is, and the branch whose chain shows it.

    ``branch`` None: no chain has ended; any chain may be shown. ``answer`` None: none says one.
    """

    answer: Answer | None
    branch: int | None


P = TypeVar("P", bound=Params)
S = TypeVar("S", bound=msgspec.Struct)


class Algorithm(ABC, Generic[P, S]):
    """One program's reasoning. Four methods; no clock, no budget, no knowledge of replicas.

    ``demand`` and ``certaindex`` and ``answer`` are pure reads, valid after every event and also
    after none. ``observe`` is the only method that changes ``state``, which is plain data: it can
    be snapshotted, moved and replayed. A new algorithm is one file: subclass, set ``name``,
    ``Params``, ``State`` and ``stop_hint``, decorate with ``@ALGORITHMS.register``.
    """

    name: ClassVar[str]
    Params: ClassVar[type[Params]]
    State: ClassVar[type[msgspec.Struct]]
    """All that changes; built without arguments."""
    stop_hint: ClassVar[StopHint]
    reads_answers: ClassVar[bool] = True
    """Whether replicas should extract an answer from each chain."""

    def __init__(self, params: P) -> None:
        self.params = params
        # Its type is declared twice, for a class variable can't be generic.
        self.state: S = self.State()  # type: ignore[assignment]

    @abstractmethod
    def demand(self) -> Iterator[WorkItem]:
        """Work it would run next, most valuable first; empty: nothing useful is left to start.

        An item is repeated by every call until ``observe(Started(item.branch))``.
        """

    @abstractmethod
    def observe(self, event: Event) -> None:
        """Take one event."""

    @abstractmethod
    def certaindex(self) -> Certaindex:
        """How settled the answer is, with the evidence behind it."""

    @abstractmethod
    def answer(self) -> Best:
        """The best answer so far."""

    def snapshot(self) -> dict[str, Any]:
        """The state as plain data (JSON types)."""
        plain: dict[str, Any] = msgspec.to_builtins(self.state)
        return plain

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state made by `snapshot`. Raises msgspec.ValidationError if it is none."""
        self.state = msgspec.convert(state, self.State)  # type: ignore[assignment]


ALGORITHMS: Registry[type[Algorithm[Any, Any]]] = Registry("algorithm")
