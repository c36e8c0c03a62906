"""What crosses between the core and the replicas: commands one way, reports the other.

A *run* is one placement of a branch on a replica. Its number is never used twice, so a late
report of a run that was given up can't be taken for news of the branch's next one. Token counts
and offsets are absolute (from the branch's first generated token), so a message that arrives
twice does nothing the second time.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from dynasor.answers.answer import Answer


class Open(msgspec.Struct, frozen=True, tag="open"):
    """A program comes to this replica: what its branches share.

    Attributes:
        prompt: token ids of the prompt, sent once per program and replica.
        sampling: arguments of the engine's sampling parameters.
        read_answers: extract an answer from each chain that ends.
        sink: address to which the engine pushes token text for a streaming user; None: nobody.
    """

    program: str
    prompt: tuple[int, ...]
    sampling: dict[str, Any]
    read_answers: bool
    sink: str | None = None


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Generate a branch until its lease ends.

    Attributes:
        prefix: the algorithm's prefix, without the prompt.
        generated: tokens of the branch from earlier runs, to go on from.
        lease: tokens the branch may have generated in all before it needs a new lease.
        max_tokens: tokens the branch may have generated in all, ever.
        seed: seed of this run; None: unseeded.
    """

    run: int
    program: str
    branch: int
    prefix: tuple[int, ...]
    generated: tuple[int, ...]
    lease: int
    max_tokens: int
    seed: int | None = None


class Extend(msgspec.Struct, frozen=True, tag="extend"):
    """The run's lease is now this many tokens in all."""

    run: int
    lease: int


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Take the run's compute back; it reports its end with the tokens it has."""

    run: int


class Close(msgspec.Struct, frozen=True, tag="close"):
    """The program has ended; forget its prompt."""

    program: str


class Reset(msgspec.Struct, frozen=True, tag="reset"):
    """The core does not know this replica (any more): drop all runs and attach again."""


Command = Open | Start | Extend | Stop | Close | Reset


class ReplicaInfo(msgspec.Struct, frozen=True):
    """What a replica can hold.

    Attributes:
        slots: sequences it runs at once.
        kv_tokens: tokens its KV cache holds.
        block_size: tokens of one KV block; prefixes are shared in whole blocks.
        max_model_len: most tokens of one sequence, prompt included.
    """

    slots: int
    kv_tokens: int
    block_size: int
    max_model_len: int


RunEnd = Literal["stop", "length", "lease", "stopped", "error"]


class End(msgspec.Struct, frozen=True):
    """Why a run is over.

    Attributes:
        reason: "stop" and "length" as in the OpenAI API; "lease": it may go on with a new lease;
            "stopped": on command; "error": the engine refused it.
        stop_reason: the stop string or token id that was met.
        answer: the chain's answer, where one was asked for and found.
        cached_tokens: prompt and prefix tokens the engine found in its cache.
        message: the engine's words, with "error".
    """

    reason: RunEnd
    stop_reason: str | int | None = None
    answer: Answer | None = None
    cached_tokens: int = 0
    message: str = ""


class RunReport(msgspec.Struct, frozen=True):
    """News of one run: tokens from offset ``start`` of the branch on, and its end if it ended."""

    run: int
    start: int
    tokens: tuple[int, ...]
    end: End | None = None


class Report(msgspec.Struct, frozen=True):
    """Everything that happened at a replica since its last report."""

    runs: tuple[RunReport, ...] = ()
