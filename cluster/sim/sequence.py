"""A job inside a simulated engine: how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from cluster.sim.job import Job
from cluster.sim.kv import Extent
from cluster.sim.text import Text


@dataclass(slots=True, eq=False)
class SimSequence:
    """One job, from its submission to its end.

    A decoding sequence generates one token in each step, so that it need not be touched: what it
    has follows from the engine's *clock*, the number of steps that are over.

    Attributes:
        context: what it has to read, before it has generated anything.
        text: all its tokens, also those that it has not generated yet.
        limit: tokens after which it ends.
        made: tokens that it had generated when it last stopped decoding.
        origin: while it decodes, the clock at which it would have had no token; None: it doesn't.
        due: while it decodes, the clock at which it ends.
        target: tokens that it has to read before it generates; known once it runs.
        computed: of these, those that are in the KV cache or come there in the running step.
        order: place among the running ones.
        cached_tokens: found in the cache when it first ran; None: it never did.
        extent: where its own blocks are; None: it does not run.
        ended: it has.
    """

    job: Job
    context: tuple[int, ...] = field(init=False)
    text: Text = field(init=False)
    limit: int = field(init=False)
    made: int = 0
    origin: int | None = None
    due: int | None = None
    target: int = 0
    computed: int = 0
    order: int = 0
    cached_tokens: int | None = None
    extent: Extent | None = None
    ended: bool = False

    def __post_init__(self) -> None:
        self.context = self.job.context
        # Token ids are not negative.
        self.text = Text(0, self.context, self.job.writes, -1 - self.job.id)
        self.limit = self.job.limit

    def generated(self, clock: int) -> int:
        """Tokens that it has generated."""
        return self.made if self.origin is None else clock - self.origin

    def written(self, clock: int) -> int:
        """Tokens of it in the KV cache once the step that begins at this clock is over.

        The last token of those generated so far enters the cache in the step that reads it.
        """
        if self.origin is None:
            return self.computed
        return len(self.context) + clock - self.origin

    def to_read(self) -> tuple[int, ...]:
        """What it has to read before it generates its next token."""
        if not self.made:
            return self.context
        return self.text.read(0, len(self.context) + self.made)
