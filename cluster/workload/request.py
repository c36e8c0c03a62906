"""A query of a workload: when it arrives, what is asked, under which terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PREFIX_BLOCK_TOKENS = 512
"""Tokens of a prompt that one of ``Request.prefix_ids`` stands for, as in Mooncake's traces."""


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
        input_tokens: of its prompt, where the arrivals bring lengths of their own; None: the prompt
            is its question's, ``prompt_tokens`` long, and the same in all requests with it.
        prefix_ids: what a prompt with ``input_tokens`` shares: one id for each block of
            ``PREFIX_BLOCK_TOKENS`` tokens, the last of which may be shorter. Prompts that begin
            with the same ids begin with the same tokens. Empty: it shares nothing.
    """

    number: int
    at_s: float
    kind: str
    question: int
    program: dict[str, Any]
    tenant: str = ""
    deadline_s: float | None = None
    seed: int = 0
    input_tokens: int | None = None
    prefix_ids: tuple[int, ...] = ()

    def asked(self, policy: str | dict[str, Any] | None = None) -> dict[str, Any]:
        """The program object of a request under a policy: its tenant and deadline are in it."""
        program = dict(self.program)
        if policy is not None:
            program["policy"] = policy
        if self.tenant:
            program["tenant"] = self.tenant
        if self.deadline_s is not None:
            program["deadline_s"] = self.deadline_s
        return program
