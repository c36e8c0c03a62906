"""A query of a workload: when it arrives, what is asked, under which terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One query, drawn before anything is sent, so that every system gets the same.

    Attributes:
        number: of its arrival, from 0 on.
        at_s: when it arrives, since the beginning of the workload.
        kind: name of the kind of query it is of.
        question: place of its question in the workload's recording.
        program: the program object of a request, policy and deadline left out.
        tenant: whose it is; "": nobody's in particular.
        deadline_s: within which it should be answered, from its arrival; None: nothing is asked.
        seed: of everything random about it.
    """

    number: int
    at_s: float
    kind: str
    question: int
    program: dict[str, Any]
    tenant: str = ""
    deadline_s: float | None = None
    seed: int = 0
