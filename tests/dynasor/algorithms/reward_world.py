"""What a program sees of the world, without a core: accepts demanded work as far as a policy grants
it, and ends it in any order. Asserts all that the core may rely on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from dynasor.algorithms import Algorithm, StopHint
from dynasor.answers.answer import Answer
from dynasor.certaindex import Certaindex
from dynasor.work import Finish, Finished, Generate, Score, Started, WorkItem

Grant = Callable[["World"], int | None]
"""The allowance of units, None: all. Asked after every event."""
End = Callable[["World", Generate], Finished]
Judge = Callable[["World", Score], Finished]


def answer(key: str | None) -> Answer | None:
    return None if key is None else Answer(f"${key}$", key)


class World:
    """One program.

    Attributes:
        running: accepted work that has not ended.
        ended: what came of the rest.
        items: all accepted work.
        units: units that have begun.
        chain: branches from the first step to each one, itself included.
    """

    def __init__(
        self, algorithm: Algorithm[Any, Any], rng: Random, grant: Grant, end: End, judge: Judge
    ) -> None:
        self.algorithm, self.rng = algorithm, rng
        self.grant, self.end, self.judge = grant, end, judge
        self.running: dict[int, Generate | Score] = {}
        self.items: dict[int, Generate | Score] = {}
        self.ended: dict[int, Finished] = {}
        self.units = 0
        self.chain: dict[int, tuple[int, ...]] = {}
        self.settled = False
        self._measured = 0

    # What a policy sees.
    @property
    def started(self) -> int:
        return self.units

    @property
    def active(self) -> int:
        return len(self.running)

    @property
    def generated(self) -> int:
        return sum(event.tokens for event in self.ended.values())

    @property
    def stop_hint(self) -> StopHint:
        return self.algorithm.stop_hint

    def certaindex(self) -> Certaindex:
        return self.algorithm.certaindex()

    def run(self) -> World:
        """To the program's end."""
        while not self.settled:
            self._accept()
            self._check()
            if not self.running:
                break
            self._finish(self.rng.choice(sorted(self.running)))
        assert self.settled or not list(self.algorithm.demand()), "wants work that nobody grants"
        return self

    def again(self) -> None:
        """Go on with a copy of the algorithm, made from its snapshot in JSON."""
        copy = type(self.algorithm)(self.algorithm.params)
        copy.restore(msgspec.json.decode(msgspec.json.encode(self.algorithm.snapshot())))
        assert list(copy.demand()) == list(self.algorithm.demand())
        assert copy.certaindex() == self.algorithm.certaindex()
        assert copy.answer() == self.algorithm.answer()
        self.algorithm = copy

    def _accept(self) -> None:
        while True:
            demanded = list(self.algorithm.demand())
            assert demanded == list(self.algorithm.demand()), "a read that changes something"
            numbers = [item.branch for item in demanded]
            assert len(set(numbers)) == len(numbers) and not set(numbers) & set(self.items)
            begins = [bool(_units(item)) for item in demanded]
            assert begins == sorted(begins), "what begins no unit comes first"
            allowance = self.grant(self)
            taken = 0
            for item in demanded:
                units = _units(item)
                if units and allowance is not None and self.units + units > allowance:
                    break
                self._start(item)
                taken += 1
            waiting = list(self.algorithm.demand())
            assert all(item in waiting for item in demanded[taken:]), "repeated until accepted"
            if not taken:
                return

    def _start(self, item: WorkItem) -> None:
        assert isinstance(item, Generate | Score), "nothing is taken back"
        if isinstance(item, Score):
            assert self.ended[item.target].finish in ("stop", "step", "length")
            assert item.scorer == self.algorithm.scorer
        else:
            above: tuple[int, ...] = ()
            if item.parent is not None:
                assert self.ended[item.parent].finish == "step", "goes on where a step ended"
                above = self.chain[item.parent]
            self.chain[item.branch] = (*above, item.branch)
        self.units += _units(item)
        self.items[item.branch] = self.running[item.branch] = item
        self.algorithm.observe(Started(item.branch))

    def _finish(self, branch: int) -> None:
        item = self.running.pop(branch)
        event = self.judge(self, item) if isinstance(item, Score) else self.end(self, item)
        self.ended[branch] = event
        self.algorithm.observe(event)

    def _check(self) -> None:
        index, best = self.algorithm.certaindex(), self.algorithm.answer()
        assert all(0.0 <= signal <= 1.0 for signal in index.signals.values())
        assert self._measured <= index.measured <= self.units, "a unit ends once"
        self._measured = index.measured
        if not self.running:
            assert index.measured == self.units, "policies would wait for ever"
        chains = [
            event
            for event in self.ended.values()
            if event.finish in ("stop", "length") and isinstance(self.items[event.branch], Generate)
        ]
        assert best.answer is None or best.branch is not None
        assert best.branch is None or best.branch in [chain.branch for chain in chains]
        said = Counter(chain.answer.key for chain in chains if chain.answer is not None)
        assert {vote.key: vote.count for vote in index.votes} == said
        assert (best.answer is None) == (not said)


def _units(item: WorkItem) -> int:
    assert isinstance(item, Generate | Score)
    return item.units


def everything(world: World) -> int | None:
    """Grants all."""
    return None


def growing(draw: Callable[[int], int], most: int = 6) -> Grant:
    """Grants some units, and more, at least one, when all of them have ended, or earlier."""

    def grant(world: World) -> int | None:
        if world.algorithm.certaindex().measured == world.units:
            return world.units + 1 + draw(most)
        return world.units + max(0, draw(3 * most) - 2 * most)

    return grant


def by_policy(policy: Any) -> Grant:
    """Grants what a real policy does."""

    def grant(world: World) -> int | None:
        verdict = policy.verdict(world)
        world.settled = verdict.settled
        allowance: int | None = verdict.allowance
        return allowance

    return grant


def chaotic(world: World, item: Generate) -> Finished:
    """Ends of any kind, mostly those that go on."""
    kinds: list[Finish] = ["stop", "length", "stopped", "error"]
    kinds += ["step"] * 8 if item.until else ["stop"] * 4
    finish = world.rng.choice(kinds)
    read = finish in ("stop", "length")
    key = world.rng.choice([None, "1", "2", "3"]) if read else None
    return Finished(item.branch, finish, answer(key), world.rng.randrange(50))


def whims(world: World, item: Score) -> Finished:
    """Scores of any value; some fail."""
    if not world.rng.randrange(8):
        failure: Finish = "error" if world.rng.randrange(2) else "stopped"
        return Finished(item.branch, failure)
    count = 1 + world.rng.randrange(4) if item.steps else 1
    scores = tuple(world.rng.choice([0.0, 1.0, world.rng.random()]) for _ in range(count))
    return Finished(item.branch, "stop", scores=scores)


def wild(algorithm: Algorithm[Any, Any], data: st.DataObject) -> World:
    """A program in which anything happens, under a policy that may do anything."""
    rng = data.draw(st.randoms(use_true_random=False))
    stingy = data.draw(st.booleans())
    grant = growing(rng.randrange) if stingy else everything
    return World(algorithm, rng, grant, chaotic, whims)


class Maze:
    """Chains of ``depth`` steps, each right or wrong by chance; right is only who was never wrong.
    The reward model sees it, mostly."""

    def __init__(self, depth: int, chance: float = 0.5, noise: float = 0.05) -> None:
        self.depth, self.chance, self.noise = depth, chance, noise
        self.right: dict[int, bool] = {}

    def end(self, world: World, item: Generate) -> Finished:
        steps = self.depth if not item.until else 1
        good = all(world.rng.random() < self.chance for _ in range(steps))
        self.right[item.branch] = good and (item.parent is None or self.right[item.parent])
        if item.until and len(world.chain[item.branch]) < self.depth:
            return Finished(item.branch, "step", tokens=10, kept=9)
        # Those that went astray agree, so that the majority is wrong.
        key = "right" if self.right[item.branch] else "wrong"
        return Finished(item.branch, "stop", answer(key), tokens=10)

    def judge(self, world: World, item: Score) -> Finished:
        mean = 0.95 if self.right[item.target] else 0.05
        score = min(1.0, max(0.0, world.rng.gauss(mean, self.noise)))
        return Finished(item.branch, "stop", scores=(score,))


def found(algorithm: Algorithm[Any, Any], seed: int, depth: int, chance: float = 0.5) -> bool:
    """Whether the algorithm answers rightly in a maze."""
    maze = Maze(depth, chance)
    world = World(algorithm, Random(seed), everything, maze.end, maze.judge).run()
    best = world.algorithm.answer().answer
    return best is not None and best.key == "right"
