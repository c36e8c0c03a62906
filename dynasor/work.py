"""Work items (what an algorithm wants next) and events (what it learns)."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from dynasor.answers.answer import Answer

BranchKind = Literal["sample", "probe", "score"]
Finish = Literal["stop", "step", "length", "stopped", "error"]
Injection = Literal["", "probe", "close", "wait"]
INJECTIONS = tuple(name for name in get_args(Injection) if name)
Boundary = Literal["step", "think_end", "box"]

REWARD = "reward"
"""The scorer that is a reward model, served by replicas of its own."""


class Measure(msgspec.Struct, frozen=True, gc=False):
    """What the replica measures of a branch beside its answer.

    Attributes:
        group: tokens of one confidence group (DeepConf, arXiv 2508.15260); 0: none is measured.
        top: most probable tokens whose log-probabilities a token's confidence is the mean of.
        probability: how probable the most probable token was, on the mean.
        thoughts: where thoughts end: at the program's transition phrases.
        sketches: a sketch of each thought's embedding as well.
        hedges: whether the text holds one of the program's hedge words.
    """

    group: int = 0
    top: int = 20
    probability: bool = False
    thoughts: bool = False
    sketches: bool = False
    hedges: bool = False


class Thought(msgspec.Struct, frozen=True, gc=False):
    """A thought: tokens of the branch up to its end, and the sketch of its embedding, if any."""

    end: int
    sketch: bytes = b""


class Measured(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What was measured so far; None where it was not asked for, or nothing is known yet.

    Confidences are those of DeepConf: of a token, minus the mean log-probability of the ``top``
    most probable ones; of a group, the mean over its tokens.

    Attributes:
        lowest: least group confidence; None until one group is full.
        bottom: mean of the lowest tenth of the groups.
        tail: confidence of the newest group, full or not.
        mean: mean confidence of all tokens.
        log_probability: mean log-probability of the most probable token at each position.
        thoughts: thoughts that have ended, in order.
        hedged: the text holds a hedge word.
    """

    lowest: float | None = None
    bottom: float | None = None
    tail: float | None = None
    mean: float | None = None
    log_probability: float | None = None
    thoughts: tuple[Thought, ...] = ()
    hedged: bool = False


class Generate(msgspec.Struct, frozen=True, gc=False):
    """Generate one branch: the query's prompt, what it shares with its parent, an injected phrase,
    then new tokens.

    Attributes:
        branch: the algorithm's number for it, unique in the program.
        kind: what its tokens are counted as.
        units: units of the algorithm's knob that begin with it; 0: it belongs to a unit that was
            granted already.
        parent: branch it goes on from; None: the prompt.
        at: tokens of the parent, from its first generated one, that it shares; None: all that the
            parent has when the item is accepted.
        inject: phrase of the program that is put in before the new tokens; "": none.
        until: where it ends before its natural end: after the program's phrase of that name, or
            with "box" at the closing brace of the box that the injected phrase opens.
        max_tokens: most tokens to generate; None: the query's limit.
        reserve: tokens of the query's limit and of the context to leave for what goes on from it;
            the longest injected phrase comes on top. At most half of the query's limit is left.
        temperature: of its sampling; None: the query's.
        read: find an answer in it when it ends by itself.
        follow: report its growth to the algorithm.
        show: the chain a streaming user sees, or the next piece of it.
    """

    branch: int
    kind: Literal["sample", "probe"] = "sample"
    units: int = 1
    parent: int | None = None
    at: int | None = None
    inject: Injection = ""
    until: tuple[Boundary, ...] = ()
    max_tokens: int | None = None
    reserve: int = 0
    temperature: float | None = None
    read: bool = True
    measure: Measure | None = None
    follow: bool = False
    show: bool = False


class Score(msgspec.Struct, frozen=True, gc=False):
    """Let a reward model or verifier judge a branch that has ended, with all it goes on from.

    Attributes:
        branch: the algorithm's number for this item, unique in the program.
        target: the branch to judge.
        scorer: `REWARD`, or a verifier's name.
        steps: one score for each step of the whole chain; otherwise one, for its end.
        units: see `Generate`.
    """

    branch: int
    target: int
    scorer: str = REWARD
    steps: bool = False
    units: int = 0


class Drop(msgspec.Struct, frozen=True, gc=False):
    """Take a branch back for good: its compute is worth nothing any more. Costs nothing."""

    branch: int


WorkItem = Generate | Score | Drop


class Started(msgspec.Struct, frozen=True, gc=False):
    """A `Generate` or `Score` item was accepted; it runs now or as soon as there is room."""

    branch: int


class Dropped(msgspec.Struct, frozen=True, gc=False):
    """A `Drop` item was accepted; ``Finished`` follows when the branch has stopped."""

    branch: int


class Grew(msgspec.Struct, frozen=True, gc=False):
    """A followed branch has this many tokens now. News is coalesced: steps may be skipped."""

    branch: int
    tokens: int
    measured: Measured | None = None


class Finished(msgspec.Struct, frozen=True, gc=False):
    """A work item has ended and will not go on.

    Attributes:
        finish: "stop" (its natural end, or a box that closed, or a score that came), "step" (a
            boundary of its item), "length" (its limit), "stopped" (taken back for good), "error"
            (the engine or the scorer refused or failed it).
        answer: what its text says; None: nothing found, or not read.
        tokens: number of tokens generated.
        kept: number of them before the boundary's phrase, where it ended at one; else all.
        scores: in [0, 1], of a `Score` item that ended by "stop"; one per step or one.
    """

    branch: int
    finish: Finish
    answer: Answer | None = None
    tokens: int = 0
    kept: int = 0
    measured: Measured | None = None
    scores: tuple[float, ...] = ()


Event = Started | Dropped | Grew | Finished
