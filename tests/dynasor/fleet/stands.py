"""Replicas with a load and a cache of one's choice, and programs to place on them."""

from __future__ import annotations

from dynasor.branch import Branch
from dynasor.fleet import placements
from dynasor.fleet.admission import Admission
from dynasor.fleet.placement import Choice, Context
from dynasor.fleet.prefix import PrefixIndex, block_hashes
from dynasor.fleet.replica import Replica, Run
from dynasor.fleet.roster import Roster
from dynasor.settings import PlacementSettings
from dynasor.work import Generate
from tests.dynasor.simulated import info

PROMPT = tuple(range(160))
LEASE = 64
LIMIT = 4000


def branch(tokens: int = 0) -> Branch:
    return Branch(Generate(0), tokens=list(range(1000, 1000 + tokens)))


def a_run(
    number: int = 0,
    program: str = "q",
    *,
    prompt: int = len(PROMPT),
    tokens: int = 0,
    left: float = LEASE,
    high: float | None = None,
    most: int | None = None,
    estimated: bool = True,
) -> Run:
    """A run with a program's prompt that has so many tokens and is expected to get more."""
    high = left if high is None else high
    return Run(
        number,
        program,
        number,
        prompt,
        prefix=0,
        limit=LIMIT if most is None else most,
        tokens=tokens,
        most=most,
        mean=left,
        high=high,
        estimated=estimated,
    )


class Stand:
    """Replicas, and what placement is asked about them."""

    def __init__(self, settings: PlacementSettings | None = None) -> None:
        self.settings = settings or PlacementSettings()
        self.roster = Roster(5.0)
        self.prefixes = PrefixIndex()
        self.admission = Admission(self.settings.admission)
        self.placement = placements.build(self.settings, self.admission)
        self._runs = 0

    def attach(
        self,
        name: str,
        *,
        load: int = 0,
        cached: tuple[int, ...] = (),
        owner: str = "other",
        each: int = LEASE,
        **what: int,
    ) -> Replica:
        """A replica with ``load`` runs of ``owner``, ``each`` of so many tokens."""
        replica = self.roster.join(name, info(**{"slots": 64, **what}), 0.0)
        self.prefixes.join(replica.seat, 1000)
        self.prefixes.add(replica.seat, block_hashes(cached, replica.info.block_size))
        for _ in range(load):
            self.run_on(replica, a_run(0, owner, prompt=10, left=each, most=each))
        return replica

    def run_on(self, replica: Replica, run: Run) -> Run:
        self._runs += 1
        run.id, before = self._runs, len(replica.runs)
        run.fit(replica.info)
        replica.add(run)
        self.roster.pool(replica.info).changed(replica, before)
        return run

    def choose(self, run: Run | None = None, of: Branch | None = None) -> Choice | None:
        tokens = (*PROMPT, *(of.tokens if of is not None else ()))
        options = []
        for pool in self.roster.offering("generate"):
            hashes = block_hashes(tokens, pool.block_size)
            options.append((pool, Context(len(tokens), hashes, self.prefixes.match(hashes))))
        homes = [one for one in self.roster.replicas.values() if "q" in one.opened]
        run = run or a_run(estimated=False)
        return self.placement.choose(run, options, self.roster.seats, homes, 0.0)

    def chosen(self, run: Run | None = None, of: Branch | None = None) -> str | None:
        choice = self.choose(run, of)
        return choice.replica.id if choice is not None else None
