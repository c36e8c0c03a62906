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
from dynasor.answers.kinds import AnswerKind
from dynasor.phrases import Phrases
from dynasor.token_ids import unpack_tokens
from dynasor.work import Boundary, Measure, Measured


class Open(msgspec.Struct, frozen=True, gc=False, tag="open"):
    """A program comes to this replica: what its branches share.

    Attributes:
        prompt: token ids of the prompt, sent once per program and replica.
        sampling: arguments of the engine's sampling parameters.
        answers: what kind of answers its chains give.
        phrases: by name, what ends its steps and thoughts.
        question: the query's own words, for verifiers.
        reference: what the caller gave for verifiers.
        sink: address to which the engine pushes the text of shown branches; None: nobody watches.
    """

    program: str
    prompt: tuple[int, ...]
    sampling: dict[str, Any]
    phrases: Phrases
    answers: AnswerKind = "auto"
    question: str = ""
    reference: Any = None
    sink: str | None = None


class Start(msgspec.Struct, frozen=True, gc=False, tag="start"):
    """Generate a branch until its lease ends.

    Attributes:
        prefix: what it goes on from, after the prompt: its parents' tokens and injected ones.
        injected: how many of the prefix's last tokens were injected for this branch.
        unseen: how many of the prefix's last tokens belong to what a user is shown of this branch.
        generated: tokens of the branch from earlier runs, to go on from.
        lease: tokens the branch may have generated in all before it needs a new lease.
        max_tokens: tokens the branch may have generated in all, ever.
        seed: seed of this run; None: unseeded.
        temperature: of its sampling; None: the program's.
        until: see `dynasor.work.Generate`; so are the next two.
        read: find its answer when it ends by itself.
        alone: its answer stands in what was injected and its own text; otherwise in the chain.
        measure: None: nothing.
        show: stream its text to the program's sink.
        after: branch and number of its tokens whose text the user sees before this one's.
    """

    run: int
    program: str
    branch: int
    prefix: tuple[int, ...]
    generated: tuple[int, ...]
    lease: int
    max_tokens: int
    injected: int = 0
    unseen: int = 0
    seed: int | None = None
    temperature: float | None = None
    until: tuple[Boundary, ...] = ()
    read: bool = True
    alone: bool = False
    measure: Measure | None = None
    show: bool = False
    after: tuple[int, int] | None = None


class Rate(msgspec.Struct, frozen=True, gc=False, tag="rate"):
    """Judge a chain: ``tokens`` after the prompt; one score per step, or one for its end."""

    run: int
    program: str
    branch: int
    tokens: tuple[int, ...]
    scorer: str
    steps: bool = False


class Extend(msgspec.Struct, frozen=True, gc=False, tag="extend"):
    """The run's lease is now this many tokens in all."""

    run: int
    lease: int


class Stop(msgspec.Struct, frozen=True, gc=False, tag="stop"):
    """Take the run's compute back; it reports its end with the tokens it has."""

    run: int


class Close(msgspec.Struct, frozen=True, gc=False, tag="close"):
    """The program has ended; forget its prompt."""

    program: str


class Reset(msgspec.Struct, frozen=True, gc=False, tag="reset"):
    """The core does not know this replica (any more): drop all runs and attach again."""


Command = Open | Start | Rate | Extend | Stop | Close | Reset


class ReplicaInfo(msgspec.Struct, frozen=True, gc=False):
    """What a replica can hold.

    Attributes:
        slots: sequences it runs at once.
        kv_tokens: tokens its KV cache holds.
        block_size: tokens of one KV block; prefixes are shared in whole blocks.
        max_model_len: most tokens of one sequence, prompt included.
        services: what it does: "generate", "reward", names of verifiers.
    """

    slots: int
    kv_tokens: int
    block_size: int
    max_model_len: int
    services: tuple[str, ...] = ("generate",)


RunEnd = Literal["stop", "step", "length", "lease", "stopped", "error"]


class End(msgspec.Struct, frozen=True, gc=False):
    """Why a run is over.

    Attributes:
        reason: "stop" and "length" as in the OpenAI API; "step": a boundary of its item; "lease":
            it may go on with a new lease; "stopped": on command; "error": the engine refused it.
        stop_reason: the stop string or token id that was met.
        kept: tokens of the branch before the boundary's phrase, with "step".
        answer: the chain's answer, where one was asked for and found.
        cached_tokens: prompt and prefix tokens the engine found in its cache.
        scores: of a `Rate`.
        read_tokens: tokens that a reward model had to read for them, without cached ones.
        message: the engine's words, with "error".
    """

    reason: RunEnd
    stop_reason: str | int | None = None
    kept: int = 0
    answer: Answer | None = None
    cached_tokens: int = 0
    scores: tuple[float, ...] = ()
    read_tokens: int = 0
    message: str = ""


class RunReport(msgspec.Struct, frozen=True, gc=False):
    """News of one run: tokens from offset ``start`` of the branch on, packed as by
    `dynasor.token_ids`, and its end if it ended.

    ``measured`` is of this run alone, up to these tokens; of the thoughts, those not reported yet.
    ``cached_tokens``: how much of its context the engine found in its cache, as soon as it knows;
    with any one report of the run.
    """

    run: int
    start: int
    packed: bytes
    end: End | None = None
    measured: Measured | None = None
    cached_tokens: int | None = None

    @property
    def tokens(self) -> tuple[int, ...]:
        """Token ids from ``start`` on."""
        return unpack_tokens(self.packed)


class Load(msgspec.Struct, frozen=True, gc=False):
    """How busy an engine is.

    Attributes:
        kv_used: share of its KV cache that running sequences hold, in [0, 1].
        waiting: sequences it was given and has not begun.
        running: sequences in its batch.
        preempted: how often it took a running sequence's KV back, since it started.
    """

    kv_used: float = 0.0
    waiting: int = 0
    running: int = 0
    preempted: int = 0


class Report(msgspec.Struct, frozen=True, gc=False):
    """What happened at a replica since its last report.

    Attributes:
        load: None: as before.
        whole: it is everything; else what runs that go on have generated is told later.
    """

    runs: tuple[RunReport, ...] = ()
    load: Load | None = None
    whole: bool = True
