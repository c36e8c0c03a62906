"""DVTS: subtrees that know nothing of each other."""

from __future__ import annotations

from dynasor.algorithms.dvts import Dvts, DvtsParams
from dynasor.work import Finished, Generate, Score, Started


def judged(algorithm: Dvts, rewards: dict[int, float]) -> None:
    for branch in rewards:
        algorithm.observe(Finished(branch, "step"))
    for item in list(algorithm.demand()):
        if isinstance(item, Score):
            algorithm.observe(Started(item.branch))
            done = Finished(item.branch, "stop", scores=(rewards[item.target],))
            algorithm.observe(done)


def parents(algorithm: Dvts) -> list[int | None]:
    items = algorithm.demand()
    return [item.parent for item in items if isinstance(item, Generate) and not item.units]


def search(width: int, beam: int) -> Dvts:
    algorithm = Dvts(DvtsParams(width=width, beam=beam))
    for branch in range(width):
        algorithm.observe(Started(branch))
    return algorithm


def test_each_subtree_keeps_its_own_best() -> None:
    algorithm = search(8, 4)
    judged(algorithm, {0: 0.9, 1: 0.8, 2: 0.95, 3: 0.7, 4: 0.1, 5: 0.2, 6: 0.15, 7: 0.0})
    assert parents(algorithm) == [2] * 4 + [5] * 4


def test_a_subtree_waits_for_no_other() -> None:
    algorithm = search(8, 4)
    judged(algorithm, {4: 0.1, 5: 0.2, 6: 0.15, 7: 0.0})
    assert parents(algorithm) == [5] * 4


def test_a_subtree_that_dies_leaves_nothing_to_the_others() -> None:
    algorithm = search(8, 4)
    for branch in range(4):
        algorithm.observe(Finished(branch, "error"))
    judged(algorithm, {4: 0.1, 5: 0.2, 6: 0.15, 7: 0.0})
    assert parents(algorithm) == [5] * 4
    assert algorithm.certaindex().measured == 4


def test_the_knob_is_made_of_whole_subtrees() -> None:
    assert Dvts(DvtsParams(width=18, beam=4)).stop_hint.knob == 12
    assert Dvts(DvtsParams(width=3, beam=4)).stop_hint.knob == 3
