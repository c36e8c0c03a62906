"""The fleet as a whole: what is counted, extended, corrected and moved."""

from __future__ import annotations

from dynasor.branch import Branch
from dynasor.fleet.fleet import Fleet
from dynasor.messages import Close, Load, Open, Start, Stop
from dynasor.program import Program
from dynasor.settings import CoreSettings
from dynasor.work import Generate
from tests.dynasor.simulated import info
from tests.dynasor.world import World

PROMPT = tuple(range(160))
EXPECTED = (400.0, 900.0)


class Stand:
    """A fleet, and one program that a core would bring."""

    def __init__(self, *replicas: str, **what: int) -> None:
        world = World(policy="even")
        world.submit("q", prompt=PROMPT, max_branches=1)
        self.program = world.core.programs["q"]
        self.fleet = Fleet(CoreSettings(lease_tokens=64))
        for name in replicas:
            self.fleet.attach(name, info(**{"slots": 8, **what}), 0.0)
        self._branches = 100

    def place(self, lease: int | None = None, now: float = 0.0) -> Branch | None:
        """Place one more branch."""
        self._branches += 1
        branch = Branch(Generate(self._branches))
        granted = self.fleet.place(self.program, branch, lease, EXPECTED, now)
        return branch if granted is not None else None

    def place_of(self, program: Program) -> None:
        """Place a branch of another program, and let it end."""
        self.program, own = program, self.program
        branch = self.placed()
        self.cached(branch, 0)
        self.end(branch)
        self.program = own

    def placed(self, lease: int | None = None, now: float = 0.0) -> Branch:
        branch = self.place(lease, now)
        assert branch is not None and branch.run is not None
        return branch

    def end(self, branch: Branch, now: float = 0.0) -> None:
        assert branch.run is not None
        self.fleet.end_run(str(branch.replica), branch.run, now)
        branch.run = None

    def cached(self, branch: Branch, tokens: int) -> None:
        assert branch.run is not None
        self.fleet.found_cached(str(branch.replica), branch.run, tokens)


class TestCounts:
    def test_runs_slots_and_services(self) -> None:
        there = Stand("a", "b", slots=1)
        fleet = there.fleet
        assert (fleet.runs, fleet.free_slots("generate"), fleet.serving("generate")) == (0, 2, 2)
        first, _ = there.placed(), there.placed()
        assert (fleet.runs, fleet.free_slots("generate"), fleet.has_room("generate")) == (
            2,
            0,
            False,
        )
        assert there.place() is None
        there.end(first)
        assert (fleet.runs, fleet.has_room("generate")) == (1, True)
        fleet.detach("b")
        assert (fleet.runs, fleet.serving("generate")) == (0, 1)

    def test_regret_is_what_was_cached_elsewhere(self) -> None:
        there = Stand("a", "b", slots=1)
        there.placed()
        there.placed()
        routing = there.fleet.routing
        assert (routing.placements, routing.context_tokens) == (2, 320)
        assert (routing.best_tokens, routing.achieved_tokens) == (160, 0)

    def test_preemptions(self) -> None:
        there = Stand("a")
        for total in (2, 2, 5):
            there.fleet.take_load("a", Load(preempted=total), 0.0)
        assert there.fleet.preempted == 5


class TestLeases:
    def test_are_no_larger_than_asked_for(self) -> None:
        there = Stand("a")
        branch = there.placed(lease=10)
        run = there.fleet.run("a", branch.run or 0)
        assert run is not None and run.lease == 10
        assert there.fleet.is_due(run, branch)
        assert there.fleet.renew(branch, 5, EXPECTED) == 5
        branch.tokens = [1] * 15
        assert there.fleet.renew(branch, None, EXPECTED) == 64
        assert run.lease == 15 + 64
        assert not there.fleet.is_due(run, branch)
        assert there.fleet.renew(branch, None, EXPECTED) == 0

    def test_the_younger_lapses_when_the_cache_is_short(self) -> None:
        there = Stand("a", kv_tokens=160 + 1000)
        old, young = there.placed(), there.fleet
        other = Branch(Generate(7))
        assert young.place(there.program, other, 64, (10.0, 10.0), 0.0)
        for branch in (old, other):
            branch.tokens = [1] * 60
        assert there.fleet.renew(old, None, (700.0, 700.0)) == 60
        assert there.fleet.renew(other, None, (700.0, 700.0)) == 0
        there.end(old)
        assert there.fleet.renew(other, None, (700.0, 700.0)) == 60


class TestCaches:
    def test_what_was_evicted_is_believed_no_longer(self) -> None:
        there = Stand("a")
        older = World(policy="even")
        older.submit("older", prompt=tuple(range(5000, 5160)), max_branches=1)
        there.place_of(older.core.programs["older"])
        for _ in range(2):
            branch = there.placed()
            there.cached(branch, 0)
            there.end(branch)
        achieved = there.fleet.routing.achieved_tokens
        there.place_of(older.core.programs["older"])
        assert there.fleet.routing.achieved_tokens == achieved, "it was older than what is gone"
        there.placed()
        assert there.fleet.routing.achieved_tokens == achieved + 160, "that was computed again"

    def test_a_sibling_that_was_still_computing_has_broken_no_promise(self) -> None:
        there = Stand("a")
        first, second = there.placed(), there.placed()
        runs = [there.fleet.run("a", branch.run or 0) for branch in (first, second)]
        assert [run.promised for run in runs if run is not None] == [0, 0]
        there.cached(first, 0)
        there.cached(second, 0)
        third = there.placed()
        run = there.fleet.run("a", third.run or 0)
        assert run is not None and run.promised == 144, "all but the block of the last token"


class TestClose:
    def test_reaches_those_that_were_opened_and_live(self) -> None:
        there = Stand("a", "b", "c", slots=1)
        there.placed()
        there.placed()
        there.fleet.detach("a")
        there.fleet.attach("a", info(slots=8), 1.0)
        there.fleet.take_commands()
        there.fleet.close("q")
        assert there.fleet.take_commands() == {"b": (Close("q"),)}
        there.placed()
        (commands,) = there.fleet.take_commands().values()
        assert [type(command) for command in commands] == [Open, Start]


class TestMoves:
    def test_are_named_once_and_go_elsewhere(self) -> None:
        there = Stand("a")
        branches = [there.placed() for _ in range(8)]
        there.fleet.attach("b", info(slots=8), 50.0)
        moving = there.fleet.moves(50.0)
        assert moving and there.fleet.moved == len(moving)
        assert there.fleet.moves(60.0) == [], "not before those have ended"
        there.fleet.take_commands()
        for run in moving:
            branch = next(one for one in branches if one.run == run.id)
            there.fleet.stop(branch)
            there.end(branch, 60.0)
            assert there.fleet.place(there.program, branch, 64, EXPECTED, 60.0) is not None
            assert branch.replica == "b"
        assert sum(isinstance(one, Stop) for one in there.fleet.take_commands()["a"]) == len(moving)
        assert there.fleet.moves(61.0) == []
