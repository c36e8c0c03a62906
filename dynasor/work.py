"""Work items (what an algorithm wants next) and events (what it learns)."""

from __future__ import annotations

from typing import Literal

import msgspec

from dynasor.answers.answer import Answer

BranchKind = Literal["sample", "probe"]
Finish = Literal["stop", "length", "stopped", "error"]


class Generate(msgspec.Struct, frozen=True):
    """Generate one branch: the query's prompt, then ``prefix``, then new tokens.

    Attributes:
        branch: the algorithm's number for it, unique in the program.
        kind: what its tokens are counted as.
        prefix: token ids that stand between the prompt and what is generated.
        max_tokens: most tokens to generate; None: the query's limit.
    """

    branch: int
    kind: BranchKind = "sample"
    prefix: tuple[int, ...] = ()
    max_tokens: int | None = None


WorkItem = Generate


class Started(msgspec.Struct, frozen=True):
    """A work item was accepted; it runs now or as soon as there is room."""

    branch: int


class Finished(msgspec.Struct, frozen=True):
    """A branch has ended and will not go on.

    Attributes:
        finish: "stop" (its natural end), "length" (its limit), "stopped" (taken back for good),
            "error" (the engine refused or failed it).
        answer: what its text says; None: nothing found.
        tokens: number of tokens generated.
    """

    branch: int
    finish: Finish
    answer: Answer | None
    tokens: int


Event = Started | Finished
