"""A random world for tree searches: starts what they demand as a program does, ends it in any
order, and checks at every moment what every search promises."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from dynasor.algorithms.base import Algorithm
from dynasor.answers.answer import Answer
from dynasor.work import Finish, Finished, Generate, Score, Started, WorkItem

trees = st.fixed_dictionaries(
    {
        "children": st.integers(1, 4),
        "parallel": st.integers(1, 4),
        "max_depth": st.integers(1, 5),
    }
)
"""Parameters that all searches have."""


class SearchWorld:
    """Answers an algorithm's demand; what happens follows from the seed.

    Args:
        algorithm: may be replaced at any time by one with the same state.
        cap: most units that it may begin.
        trouble: share of branches and scores that fail or are taken back.
    """

    def __init__(
        self, algorithm: Algorithm[Any, Any], cap: int, seed: int = 0, trouble: float = 0.1
    ) -> None:
        self.algorithm = algorithm
        self.cap = cap
        self.random = Random(seed)
        self.trouble = trouble
        self.allowance: int | None = 0
        self.units = 0
        self.active: dict[int, Generate | Score] = {}
        self.started: dict[int, Generate | Score] = {}
        self.ended: dict[int, Finished] = {}

    def score(self, target: int) -> float:
        return self.random.choice([0.0, 0.1, 0.5, 0.9, 1.0, self.random.random()])

    def end(self, item: Generate) -> tuple[Finish, Answer | None]:
        natural: list[Finish] = ["stop", "stop", "length"]
        finish = self.random.choice(natural + ["step"] * 4 if item.until else natural)
        key = self.random.choice(["1", "1", "2", "3", None])
        return finish, Answer(f"${key}$", key) if key and finish != "step" else None

    def run(self) -> None:
        """Until nothing runs and nothing is demanded."""
        while self.step():
            pass

    def step(self) -> bool:
        """Start what is affordable and end one branch, or grant more; False: it is over."""
        self.accept()
        if self.active:
            self.finish(self.random.choice(list(self.active)))
            return True
        index = self.algorithm.certaindex()
        assert index.measured == self.units, "idle, with units that never end"
        if not list(self.algorithm.demand()):
            return False
        assert self.allowance is not None, "all is granted, and yet something is left"
        self.allowance = self.random.choice([self.units + 1, self.units + 3, None])
        return True

    def accept(self) -> None:
        while items := self._affordable():
            for item in items:
                assert not isinstance(item, Generate) or self._can_go_on(item)
                assert not isinstance(item, Score) or item.target in self.ended
                assert item.branch == len(self.started), "numbers ascend, without gaps"
                self.units += item.units
                self.started[item.branch] = self.active[item.branch] = item
                self.algorithm.observe(Started(item.branch))
        assert self.units <= self.cap

    def finish(self, branch: int) -> None:
        item = self.active.pop(branch)
        lost: list[Finish] = ["stopped", "error"]
        if self.random.random() < self.trouble:
            event = Finished(branch, self.random.choice(lost))
        elif isinstance(item, Score):
            event = Finished(branch, "stop", scores=(self.score(item.target),))
        else:
            finish, answer = self.end(item)
            event = Finished(branch, finish, answer, tokens=self.random.randint(0, 99))
        self.ended[branch] = event
        self.algorithm.observe(event)
        self.check()

    def check(self) -> None:
        """What holds after every event."""
        index, best = self.algorithm.certaindex(), self.algorithm.answer()
        assert all(0.0 <= signal <= 1.0 for signal in index.signals.values())
        assert index.measured <= self.units
        assert best.branch is None or best.branch in self.ended
        assert best.answer is None or self.ended[best.branch or 0].answer is not None
        said = [event for event in self.ended.values() if event.answer is not None]
        assert (best.answer is not None) == bool(said), "an answer as soon as one is known"

    def _affordable(self) -> list[Generate | Score]:
        before = msgspec.json.encode(self.algorithm.snapshot())
        demanded = list(self.algorithm.demand())
        assert demanded == list(self.algorithm.demand()), "the same until it is accepted"
        assert before == msgspec.json.encode(self.algorithm.snapshot()), "reading changes nothing"
        items: list[Generate | Score] = []
        begun = self.units
        for item in demanded:
            assert isinstance(item, Generate | Score)
            begun += item.units
            if item.units and self.allowance is not None and begun > self.allowance:
                break
            assert item.units == 0 or item is demanded[-1], "what begins no unit comes first"
            items.append(item)
        return items

    def _can_go_on(self, item: Generate) -> bool:
        return item.parent is None or self.ended[item.parent].finish == "step"


def snapshotted(world: SearchWorld) -> None:
    """Move the algorithm through a snapshot in JSON, as through a file or a wire."""
    copy = type(world.algorithm)(world.algorithm.params)
    copy.restore(msgspec.json.decode(msgspec.json.encode(world.algorithm.snapshot())))
    world.algorithm = copy


def view(algorithm: Algorithm[Any, Any]) -> tuple[list[WorkItem], Any, Any]:
    """All there is to see of an algorithm."""
    return list(algorithm.demand()), algorithm.certaindex(), algorithm.answer()


def goes_on_the_same(one: SearchWorld, other: SearchWorld, seed: int) -> None:
    """Two worlds of the same seed; the second one's algorithm is moved now and then."""
    moves = Random(seed)
    while one.step():
        assert other.step()
        if moves.random() < 0.3:
            snapshotted(other)
        assert view(one.algorithm) == view(other.algorithm)
    assert not other.step()
    assert one.algorithm.snapshot() == other.algorithm.snapshot()
