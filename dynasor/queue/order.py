"""Queue order: which program's waiting branches are placed first."""

from __future__ import annotations

from typing import Protocol

from dynasor.program import Program


class Order(Protocol):
    """Programs with a smaller key go first. Total and stable: keys never compare equal."""

    def key(self, program: Program) -> tuple[float, ...]: ...


class Fcfs:
    """First come, first served; a program's branches stay together."""

    def key(self, program: Program) -> tuple[float, ...]:
        return (program.arrival,)
