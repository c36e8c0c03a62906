"""A replica as the core sees it: what runs there, and what that will fill of its KV cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from dynasor.fleet.forecast import Forecast
from dynasor.fleet.pace import Spell
from dynasor.fleet.prefix import Node
from dynasor.messages import Load, ReplicaInfo


@dataclass(slots=True, eq=False)
class Run:
    """One placement of a branch.

    Attributes:
        lease: tokens the branch may have generated in all.
        limit: tokens it may ever generate; no lease goes beyond.
        prompt: tokens of the program's prompt, shared by its runs here.
        prefix: tokens of the algorithm's prefix.
        tokens: generated when it was placed.
        most: tokens that the branch may generate in all wherever it is; None: any number.
        reserve: tokens of the context that it leaves for what follows.
        mean: tokens it was expected to generate yet, before any limit; ``high``: the same at the
            quantile that admission plans for.
        estimated: these are estimates; otherwise they are what its lease allows.
        left: ``mean`` within the limit; ``deviation``: what is more at the quantile.
        steps: the replica's count of steps when it was placed.
        placed_at: when it was placed; None: not told.
        stopping: a stop command is on its way.
        promised: tokens of its context that its replica was taken to hold already.
        stamp: when that was last used, on the prefix index's clock.
        leaf: where its context ends in the prefix index.
    """

    id: int
    program: str
    branch: int
    prompt: int
    prefix: int
    lease: int = 0
    limit: int = 0
    tokens: int = 0
    most: int | None = None
    reserve: int = 0
    mean: float = 0.0
    high: float = 0.0
    estimated: bool = False
    left: float = 0.0
    deviation: float = 0.0
    steps: int = 0
    placed_at: float | None = None
    stopping: bool = False
    promised: int = 0
    stamp: int = 0
    leaf: Node | None = None

    @property
    def held(self) -> int:
        """Tokens of its own that its replica has to hold from its start on."""
        return self.prefix + self.tokens

    def fit(self, info: ReplicaInfo) -> None:
        """Set its limit, and with it what is left, to what such a replica's context allows."""
        limit = info.max_model_len - self.prompt - self.prefix - self.reserve
        if self.most is not None and self.most < limit:
            limit = self.most
        self.limit = limit if limit > 0 else 0
        self.expect(self.mean, self.high, self.tokens)

    def expect(self, mean: float, high: float, tokens: int) -> None:
        """It has ``tokens`` and is expected to generate so many more, within its limit."""
        left = self.limit - tokens
        if left < 0:
            left = 0
        self.left = mean if mean < left else left
        high = high if high < left else left
        self.deviation = high - self.left if high > self.left else 0.0


@dataclass(slots=True, eq=False)
class Replica:
    """A live replica. Only the fleet changes it.

    Attributes:
        heard_at: when it last polled or reported.
        seat: a small number of its own while it lives; its bit in sets of replicas.
        room: most runs to have here: its slots, and those that hide the dispatch delay.
        opened: programs whose prompt it was sent.
        forecast: of its KV cache.
        steps: decoding steps since it attached, as far as its runs' tokens tell.
        unread: runs that may not have computed their context yet, with the prefix index's clock
            at their start.
        ends_per_s: recent rate of ends of runs, as of ``ended_at``.
        caution: share of the KV cache left free because of preemptions, as of ``cautious_at``.
        refused: least need for tokens that was refused since a run ended here.
        lapsing: first run whose renewal was refused since a run ended here.
        load: what it last reported of itself.
        spell: what its runs did since its pace was last learned from.
    """

    id: str
    info: ReplicaInfo
    heard_at: float
    seat: int = 0
    room: int = 0
    runs: dict[int, Run] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    forecast: Forecast = field(default_factory=Forecast)
    steps: int = 0
    unread: dict[int, int] = field(default_factory=dict)
    ends_per_s: float = 0.0
    ended_at: float | None = None
    caution: float = 0.0
    cautious_at: float = 0.0
    refused: float = inf
    lapsing: float = inf
    load: Load | None = None
    spell: Spell = field(default_factory=Spell)

    @property
    def free_slots(self) -> int:
        return self.info.slots - len(self.runs)

    def add(self, run: Run) -> None:
        """The run is here from now on."""
        if run.placed_at is not None:
            self.spell.pass_to(run.placed_at, len(self.runs))
        run.steps = self.steps
        self.runs[run.id] = run
        self.forecast.add(
            run.id,
            run.program,
            run.prompt,
            run.held,
            run.left,
            run.deviation,
            run.prefix + max(run.limit, run.tokens),
            self.steps,
        )

    def remove(self, run: Run, now: float | None = None) -> None:
        """The run is over; ``now``: None: no rates are measured."""
        if now is not None:
            self.spell.pass_to(now, len(self.runs))
        del self.runs[run.id]
        self.unread.pop(run.id, None)
        self.forecast.remove(run.id)
        self.refused = self.lapsing = inf

    def advance(self, run: Run, tokens: int) -> None:
        """The run's branch has so many tokens: all that run here have made as many steps."""
        steps = run.steps + tokens - run.tokens
        if steps > self.steps:
            self.steps = steps
