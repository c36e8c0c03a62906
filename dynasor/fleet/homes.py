"""Which programs were opened where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dynasor.fleet.commands import opening
from dynasor.fleet.replica import Replica
from dynasor.messages import Open
from dynasor.program import Program


@dataclass(slots=True)
class _Home:
    opened: Open
    replicas: list[Replica] = field(default_factory=list)


class Homes:
    """The replicas that were sent a program's prompt, by program."""

    def __init__(self) -> None:
        self._homes: dict[str, _Home] = {}

    def of(self, program_id: str) -> Sequence[Replica]:
        """Where the program was opened; some may be gone."""
        home = self._homes.get(program_id)
        return home.replicas if home is not None else ()

    def open(self, program: Program, replica: Replica) -> Open:
        """The program comes to the replica; returns what that has to be told."""
        home = self._homes.get(program.id)
        if home is None:
            home = self._homes[program.id] = _Home(opening(program))
        home.replicas.append(replica)
        replica.opened.add(program.id)
        return home.opened

    def close(self, program_id: str) -> Sequence[Replica]:
        """The program is over; returns where it was opened."""
        home = self._homes.pop(program_id, None)
        replicas = home.replicas if home is not None else []
        for replica in replicas:
            replica.opened.discard(program_id)
        return replicas
