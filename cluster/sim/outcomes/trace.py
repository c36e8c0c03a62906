"""What becomes of a branch if nobody stops it."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from random import Random
from typing import Literal

from cluster.sim.outcomes.tree import Node
from dynasor.work import Measure, Measured, Thought

GROUP_LEAST, GROUP_SPAN = 5.0, 15.0
"""Confidences of DeepConf run from about 5, of a model that knows nothing, to 20 nats."""

SKETCH_BYTES = 128
IDEAS = 4
"""Different thoughts that chains have at the same place."""

NEAR_END = 0.8
"""Share of a chain from which on its thoughts tell which answer it comes to."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A branch up to its natural end.

    Attributes:
        tokens: generated in all when it ends.
        kind: which piece of which kind of reasoning it is.
        right: what it says, or has said so far, is right.
        confidence: mean probability of its tokens.
        weak_at: place of its least confident tokens.
        thoughts: tokens of the branch up to the end of each thought.
        chain: number of the long chain that it belongs to.
        node: of the step tree.
        reward: of the chain up to its end, where it is recorded.
    """

    tokens: int
    finish: Literal["stop", "step", "length"]
    kind: Literal["sample", "thinking", "answer", "step"]
    answer: str | None = None
    right: bool = False
    confidence: float = 0.5
    weak_at: int = 0
    thoughts: tuple[int, ...] = ()
    chain: int = 0
    node: Node | None = None
    reward: float | None = None

    def thoughts_between(self, start: int, end: int) -> tuple[int, ...]:
        """Ends of thoughts after ``start`` tokens, up to ``end``."""
        return self.thoughts[bisect_right(self.thoughts, start) : bisect_right(self.thoughts, end)]

    def thought_after(self, tokens: int) -> int | None:
        """End of the first thought after so many tokens; None: there is none."""
        place = bisect_right(self.thoughts, tokens)
        return self.thoughts[place] if place < len(self.thoughts) else None

    def measured(self, measure: Measure, told: int, tokens: int, ended: bool) -> Measured:
        """What is measured of it so far; thoughts since it had ``told`` tokens.

        Confidences fall once, at its weakest place; a real one's go up and down.
        """
        group = GROUP_LEAST + GROUP_SPAN * self.confidence if measure.group else None
        weak = None
        if group is not None and tokens >= measure.group:
            dip = (1 - self.confidence) * (1.0 if tokens >= self.weak_at else 0.5)
            weak = group - GROUP_LEAST * dip
        thoughts = self.thoughts_between(told, tokens) if measure.thoughts else ()
        return Measured(
            lowest=weak,
            bottom=weak if ended else None,
            tail=group,
            mean=group,
            log_probability=math.log(self.confidence) if measure.probability else None,
            thoughts=tuple(
                Thought(at, self._sketch(at) if measure.sketches else b"") for at in thoughts
            ),
        )

    def _sketch(self, at: int) -> bytes:
        number = self.thoughts.index(at)
        idea = Random(self.tokens * 4099 + number).randrange(IDEAS)
        said = self.answer if at >= NEAR_END * self.tokens else ""
        return Random(f"sketch:{said}:{number}:{idea}").randbytes(SKETCH_BYTES)
