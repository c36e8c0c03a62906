"""The step tree."""

from __future__ import annotations

import pytest

from dynasor.algorithms.step_tree import StepTree
from dynasor.work import Finish, Finished, Score
from tests.dynasor.algorithms.reward_world import answer


def test_what_is_wanted_is_wanted_until_it_starts() -> None:
    tree = StepTree(next_branch=5)
    root = tree.plant(0)
    assert tree.finish(Finished(0, "step"), max_depth=9) is None
    child = tree.grow(root)
    assert (child.branch, child.parent, child.depth) == (6, 0, 2)
    score, step = tree.demand(10, "reward")
    assert (score, step.branch) == (Score(5, 0), 6)
    tree.accept(5)
    assert tree.demand(10, "reward") == [step]
    tree.accept(6)
    assert not tree.demand(10, "reward")


@pytest.mark.parametrize(
    ("finish", "says", "outcome"),
    [
        ("stop", None, "terminal"),
        ("stop", "1", "terminal"),
        ("length", "1", "terminal"),
        ("length", None, "dead"),
        ("step", None, "live"),
        ("stopped", None, "dead"),
        ("error", None, "dead"),
    ],
)
def test_what_becomes_of_a_step(finish: Finish, says: str | None, outcome: str) -> None:
    tree = StepTree(next_branch=1)
    node = tree.plant(0)
    settled = tree.finish(Finished(0, finish, answer(says)), max_depth=2)
    assert node.outcome == outcome
    assert settled is (node if outcome == "dead" else None)
    assert bool(tree.demand(1, "reward")) == (outcome != "dead")


def test_a_score_settles_its_step() -> None:
    tree = StepTree(next_branch=1)
    node = tree.plant(0)
    tree.finish(Finished(0, "step"), max_depth=2)
    assert tree.finish(Finished(1, "stop", scores=(0.4,)), max_depth=2) is node
    assert (node.settled, node.reward) == (True, 0.4)
