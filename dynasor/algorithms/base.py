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
    """Where an algorithm's certaindex means something, and from which values its answer counts as
    settled.

    Attributes:
        knob: units of work after which certaindex is first looked at.
        thresholds: by signal of the certaindex; the answer is settled when all are reached. Empty:
            it never is, and policies grant all that is demanded.
        wave: units granted at once after that, and looked at when all have ended; None: all that
            is demanded, looked at after each one.
        most: units it can demand in all; None: that depends on what the model writes.
        exchangeable: its units are independent draws that all vote alike: the order in which they
            come says nothing.
    """

    knob: int
    thresholds: dict[str, float]
    wave: int | None
    most: int | None = None
    exchangeable: bool = False


class Best(NamedTuple):
    """The best answer so far: what it is, and the branch whose chain shows it.

    ``branch`` None: no chain has ended; any chain may be shown. ``answer`` None: none says one.
    The chain may end before its answer, as one whose probes said it does.
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
    ``source``, ``Params`` and ``State``, decorate with ``@ALGORITHMS.register``.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    """The paper it comes from."""
    Params: ClassVar[type[Params]]
    State: ClassVar[type[msgspec.Struct]]
    """All that changes; built without arguments."""
    size: ClassVar[str | None] = None
    """The parameter that bounds its compute: units of its knob, or tokens of its thinking."""

    def __init__(self, params: P) -> None:
        self.params = params
        # Its type is declared twice, for a class variable can't be generic.
        self.state: S = self.State()  # type: ignore[assignment]

    @property
    @abstractmethod
    def stop_hint(self) -> StopHint:
        """When a policy may call the answer settled. The same at all times."""

    @property
    def scorer(self) -> str | None:
        """Who judges its branches: "reward", or a verifier's name; None: nobody has to."""
        return None

    @property
    def completions(self) -> int | None:
        """How many chains the caller gets, all of them and as they are; None: the best one."""
        return None

    @abstractmethod
    def demand(self) -> Iterator[WorkItem]:
        """Work it would run next, most valuable first; empty: nothing useful is left to start.

        An item is repeated by every call until ``observe(Started(item.branch))``, or ``Dropped``.
        Items that begin no unit of the knob come first, for they are always accepted.
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
        plain: dict[str, Any] = msgspec.to_builtins(self.state, str_keys=True)
        return plain

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state made by `snapshot`. Raises msgspec.ValidationError if it is none."""
        restored = msgspec.convert(state, self.State, str_keys=True)
        self.state = restored  # type: ignore[assignment]


ALGORITHMS: Registry[type[Algorithm[Any, Any]]] = Registry("algorithm")
