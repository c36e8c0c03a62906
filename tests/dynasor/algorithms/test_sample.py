"""Plain sampling."""

from __future__ import annotations

from dynasor.algorithms.sample import Sample, SampleParams
from dynasor.answers.answer import Answer
from dynasor.work import Finished


def test_shows_a_chain_that_ended_by_itself() -> None:
    algorithm = Sample(SampleParams(n=3))
    algorithm.observe(Finished(2, "stopped", None, 0))
    algorithm.observe(Finished(1, "error", None, 0))
    assert algorithm.answer() == (None, None)
    algorithm.observe(Finished(0, "length", None, 4))
    assert algorithm.answer() == (None, 0)


def test_is_never_certain() -> None:
    algorithm = Sample(SampleParams(n=3))
    for branch in range(3):
        algorithm.observe(Finished(branch, "stop", Answer("1", "1"), 4))
    assert algorithm.certaindex().value == 0.0
    assert algorithm.certaindex().measured == 3


def test_the_caller_gets_every_chain_unread() -> None:
    algorithm = Sample(SampleParams(n=3))
    assert algorithm.completions == 3
    assert [item.branch for item in algorithm.demand()] == [0, 1, 2]
    assert all(item.show and not item.read for item in algorithm.demand())
