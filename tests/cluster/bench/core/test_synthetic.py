"""Synthetic replicas report as real ones do."""

from __future__ import annotations

from random import Random

import pytest

from cluster.bench.core.synthetic import CHUNK, LENGTHS, SyntheticReplica
from dynasor.messages import Extend, Rate, Reset, RunReport, Start, Stop


def replica() -> SyntheticReplica:
    return SyntheticReplica("a", Random(0), fresh=False)


def start(run: int, generated: int = 0, lease: int = 1000, max_tokens: int = 1000) -> Start:
    return Start(run, "q", run, (), tuple(range(generated)), lease, max_tokens)


def life(there: SyntheticReplica, run: int) -> list[RunReport]:
    """All that is reported of a run, to its end."""
    found: list[RunReport] = []
    while not found or found[-1].end is None:
        growth, ends = there.advance()
        found += [news for news in (*growth.runs, *ends.runs) if news.run == run]
    return found


def test_a_chain_grows_in_chunks_without_gaps_and_ends_with_an_answer():
    there = replica()
    there.carry_out([start(1)])
    told = life(there, 1)
    at = 0
    for news in told:
        assert news.start == at
        at += len(news.tokens)
        assert len(news.tokens) <= CHUNK
    assert LENGTHS[0] <= at <= LENGTHS[1]
    assert told[-1].end.reason == "stop" and told[-1].end.answer is not None
    assert there.runs == {}


def test_a_lease_holds_and_an_extension_lets_it_go_on():
    there = replica()
    there.carry_out([start(1, lease=40), start(2, lease=40), Extend(2, 1000), Extend(9, 1)])
    first = life(there, 1)
    assert sum(len(news.tokens) for news in first) == 40
    assert first[-1].end.reason == "lease"
    assert life(there, 2)[-1].end.reason == "stop"


def test_a_run_that_goes_on_reports_from_where_it_was():
    there = replica()
    there.carry_out([start(1, generated=50)])
    assert life(there, 1)[0].start == 50


def test_no_more_than_the_limit():
    there = replica()
    there.carry_out([start(1, max_tokens=10)])
    assert sum(len(news.tokens) for news in life(there, 1)) == 10


def test_a_stopped_run_ends_with_what_it_has():
    there = replica()
    there.carry_out([start(1)])
    there.advance()
    there.carry_out([Stop(1), Stop(7)])
    growth, ends = there.advance()
    assert growth.runs == ()
    assert [(news.start, news.tokens, news.end.reason) for news in ends.runs] == [
        (CHUNK, (), "stopped")
    ]


def test_a_rating_ends_at_once():
    there = replica()
    there.carry_out([Rate(1, "q", 0, (), "reward")])
    assert there.advance().ends.runs[0].end.reason == "stop"


def test_a_reset_is_an_error():
    with pytest.raises(RuntimeError, match="has reset replica a"):
        replica().carry_out([Reset()])
