"""A simulated engine: batches, chunks prompts, shares prefixes, takes back and lets go as vLLM."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cluster.sim.engine import Done, Job
from cluster.sim.profile import StepCost
from tests.cluster.sim.engines import engine, job, run


def ends(done: Sequence[Done]) -> dict[int, float]:
    return {one.id: one.at_s for one in done}


def test_the_step_that_reads_the_prompt_gives_the_first_token() -> None:
    sim = engine()
    sim.submit(job(1, 10, 5), 2.0)
    assert sim.next_at == 3.0
    sim.advance(3.0)
    assert sim.generated(1) == 1
    assert run(sim) == [Done(1, 7.0, 5, 0, False)]


def test_a_rating_ends_when_its_context_is_read() -> None:
    sim = engine(batched=8)
    sim.submit(job(1, 20, 0), 0.0)
    assert run(sim) == [Done(1, 3.0, 0, 0, False)]


def test_a_step_costs_what_it_computes() -> None:
    step = StepCost(
        base_s=1.0,
        per_sequence_s=0.5,
        per_context_token_s=0.125,
        per_prefill_token_s=0.25,
        per_attention_s=0.0625,
    )
    sim = engine(step=step)
    sim.submit(job(1, 8, 3), 0.0)
    read = 1 + 8 * 0.25 + 8 * 4 * 0.0625
    decode = 2 * 1.5 + (9 + 10) * 0.125
    assert run(sim)[0].at_s == read + decode


def test_a_long_prompt_is_read_beside_those_that_decode() -> None:
    sim = engine(slots=2, batched=8)
    sim.submit(job(1, 4, 6), 0.0)
    sim.submit(job(2, 14, 1), 0.0)
    # Four tokens of it beside the first prompt, seven beside the first's token, then the rest.
    assert ends(run(sim)) == {2: 3.0, 1: 6.0}


def test_what_comes_during_a_step_begins_with_the_next() -> None:
    sim = engine()
    sim.submit(job(1, 4, 20), 0.0)
    sim.submit(job(2, 4, 1), 5.5)
    sim.submit(job(3, 4, 1), 10.0)
    assert ends(run(sim)) == {2: 7.0, 3: 11.0, 1: 20.0}


def test_first_come_first_served_while_there_are_slots() -> None:
    sim = engine(slots=2)
    for number in (1, 2, 3, 4):
        sim.submit(job(number, 4, 2 + number), 0.0)
    assert (sim.load.running, sim.load.waiting) == (2, 2)
    assert ends(run(sim)) == {1: 3.0, 2: 4.0, 3: 8.0, 4: 10.0}


def test_a_prompt_read_before_is_found_but_for_its_last_token() -> None:
    sim = engine(block_size=4)
    sim.submit(job(1, 12, 2), 0.0)
    sim.submit(job(2, 12, 2, like=1), 0.0)
    sim.submit(job(3, 14, 2, like=1), 0.5)
    assert [one.cached_tokens for one in run(sim)] == [0, 8, 12]


def test_who_goes_on_finds_what_was_generated() -> None:
    sim = engine(block_size=4)
    first = job(1, 6, 10)
    sim.submit(first, 0.0)
    run(sim)
    # The last of its 16 tokens was never read.
    context = first.context + tuple(first.writes)
    sim.submit(Job(2, context, 1), 20.0)
    sim.submit(Job(3, (*context[:9], 5, 5, 5, 5, 5), 1), 30.0)
    assert [one.cached_tokens for one in run(sim)] == [12, 8]


def test_a_probe_finds_the_chain_that_still_runs() -> None:
    sim = engine(block_size=4)
    chain = job(1, 6, 40)
    sim.submit(chain, 0.0)
    sim.advance(11.0)
    sim.submit(Job(2, (*chain.context, *chain.writes[:11], 7, 7), 1), 11.0)
    assert sim.advance(12.0) == [Done(2, 12.0, 1, 16, False)]


def test_what_was_not_said_to_be_written_is_like_nothing_else() -> None:
    sim = engine(block_size=4)
    sim.submit(Job(1, (1, 2, 3, 4), 9), 0.0)
    run(sim)
    sim.submit(Job(2, (1, 2, 3, 4, *range(9)), 9), 20.0)
    assert run(sim)[0].cached_tokens == 4


def test_what_was_used_longest_ago_goes_first_its_end_before_its_beginning() -> None:
    sim = engine(block_size=4, kv_tokens=32)
    sim.submit(job(1, 16, 0), 0.0)
    sim.submit(job(2, 8, 0), 10.0)
    sim.submit(job(3, 16, 0), 20.0)
    # Of eight blocks two of the first had to go.
    sim.submit(job(4, 16, 0, like=1), 30.0)
    assert [one.cached_tokens for one in run(sim)] == [0, 0, 0, 8]


def test_the_last_begun_is_taken_back_and_read_again() -> None:
    sim = engine(block_size=4, kv_tokens=32, batched=16)
    sim.submit(job(1, 8, 16), 0.0)
    sim.submit(job(2, 8, 16), 0.0)
    done = run(sim)
    assert [(one.id, one.generated) for one in done] == [(1, 16), (2, 16)]
    assert sim.load.preempted == 1
    # After nine tokens of each one goes on alone; the other finds what is left of it, and goes on.
    assert done[0].at_s == 16.0
    assert done[1].at_s == 16.0 + 7


def test_a_prompt_begins_only_when_all_of_it_fits() -> None:
    sim = engine(block_size=4, kv_tokens=32, batched=8)
    sim.submit(job(1, 8, 8), 0.0)
    sim.submit(job(2, 24, 1), 0.0)
    sim.advance(4.0)
    assert (sim.load.running, sim.load.waiting) == (1, 1)
    assert ends(run(sim)) == {1: 8.0, 2: 11.0}


def test_an_abort_waits_for_the_running_step_and_loses_its_token() -> None:
    sim = engine()
    sim.submit(job(1, 4, 50), 0.0)
    sim.submit(job(2, 4, 50), 0.0)
    sim.abort([1, 99], 5.5)
    assert sim.generated(1) == 5
    assert sim.advance(5.9) == []
    assert sim.advance(6.0) == [Done(1, 6.0, 5, 0, True)]
    sim.abort([1, 2], 7.0)
    assert run(sim) == [Done(2, 8.0, 7, 0, True)]


def test_one_that_waits_can_be_aborted() -> None:
    sim = engine(slots=1)
    sim.submit(job(1, 4, 50), 0.0)
    sim.submit(job(2, 4, 50), 0.0)
    sim.submit(job(3, 4, 1), 0.0)
    sim.abort([2], 1.5)
    assert sim.advance(2.0) == [Done(2, 2.0, 0, 0, True)]
    assert ends(run(sim)) == {1: 50.0, 3: 51.0}


def test_a_limit_can_be_raised_and_lowered() -> None:
    sim = engine()
    for number in (1, 2, 3):
        sim.submit(job(number, 4, 10), 0.0)
    sim.set_limit(1, 12, 4.5)
    sim.set_limit(2, 7, 4.5)
    sim.set_limit(3, 2, 4.5)
    assert ends(run(sim)) == {3: 5.0, 2: 7.0, 1: 12.0}
    sim.set_limit(1, 30, 20.0)


def test_a_limit_can_be_set_before_it_begins() -> None:
    sim = engine(slots=1)
    sim.submit(job(1, 4, 2), 0.0)
    sim.submit(job(2, 4, 2), 0.0)
    sim.set_limit(2, 5, 0.5)
    assert ends(run(sim)) == {1: 2.0, 2: 7.0}


def test_a_change_of_speed_counts_from_the_running_step_on() -> None:
    sim = engine()
    sim.submit(job(1, 4, 10), 0.0)
    sim.set_speed(2.0, 4.5)
    assert sim.next_at == 4.5 + 5.5 * 2
    sim.advance(5.4)
    assert sim.generated(1) == 4
    sim.advance(5.5)
    assert sim.generated(1) == 5
    assert ends(run(sim)) == {1: 15.5}


def test_load_is_of_the_last_instant_named() -> None:
    sim = engine(block_size=4, kv_tokens=64)
    sim.submit(job(1, 8, 20), 0.0)
    sim.advance(0.5)
    assert sim.load.kv_used == 2 / 16
    sim.advance(5.5)
    assert sim.load.kv_used == 4 / 16
    run(sim)
    assert (sim.load.kv_used, sim.load.running, sim.load.waiting) == (0.0, 0, 0)


def test_what_ended_while_nobody_asked_is_told_at_once() -> None:
    sim = engine()
    sim.submit(job(1, 4, 2), 0.0)
    sim.abort([9], 5.0)
    assert sim.next_at == 5.0
    assert sim.advance(5.0) == [Done(1, 2.0, 2, 0, False)]
    assert sim.next_at is None


def test_bad_input_says_what_is_allowed() -> None:
    sim = engine(kv_tokens=64)
    with pytest.raises(ValueError, match="at most 64 tokens"):
        sim.submit(job(1, 60, 5), 0.0)
    with pytest.raises(ValueError, match="context"):
        sim.submit(Job(1, (), 5), 0.0)
    sim.submit(job(1, 10, 0), 0.0)
    with pytest.raises(ValueError, match="only reads"):
        sim.set_limit(1, 5, 0.0)
    sim.submit(job(2, 10, 5), 0.0)
    with pytest.raises(ValueError, match="at most 64 tokens"):
        sim.set_limit(2, 60, 0.0)
    with pytest.raises(ValueError, match="positive"):
        sim.set_speed(0.0, 0.0)
    sim.advance(1.0)
    with pytest.raises(ValueError, match="go back"):
        sim.advance(0.5)
    with pytest.raises(ValueError, match="at least slots"):
        engine(slots=9, batched=8)


def test_it_says_when_a_job_has_so_many_tokens() -> None:
    sim = engine()
    sim.submit(job(1, 4, 20), 0.0)
    assert sim.reaches_at(1, 5) is None, "its prompt is not read yet"
    sim.advance(1.0)
    assert (sim.reaches_at(1, 5), sim.reaches_at(1, 1)) == (5.0, 1.0)
    assert sim.reaches_at(1, 30) is None
    sim.advance(5.0)
    assert sim.generated(1) == 5


def test_tokens_that_nobody_got_count_as_generated() -> None:
    sim = engine()
    sim.submit(job(1, 4, 20), 0.0)
    sim.advance(6.5)
    assert sim.generated_in_all == 6
    sim.abort([1], 6.5)
    assert run(sim)[0].generated == 6
    assert sim.generated_in_all == 7
