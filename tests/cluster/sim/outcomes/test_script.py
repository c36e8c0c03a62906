"""What branches do comes from the recording, whatever asks and in which world."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.sim.outcomes.assumed import Assumed
from cluster.sim.outcomes.script import Script, right_answers
from cluster.sim.tokens import generated, injections
from dynasor.messages import Rate, Start
from dynasor.replay.recording import ROOT, Chain, Probe, Question, Sample, Step
from dynasor.work import Measure

SAMPLES = tuple(
    Sample(str(number % 3), 10 + number, number % 3 == 0, confidence=0.5, reward=number / 10)
    for number in range(6)
)
CHAIN = Chain(
    100,
    "0",
    True,
    (Probe(20, "2", 5, 0.3), Probe(40, None, 5), Probe(60, "0", 7, 0.9)),
)
STEPS = (
    Step(ROOT, 10, 0.8),
    Step(0, 11, 0.9, "stop", "0", True),
    Step(0, 12, 0.2, "stop", "1", False),
    Step(ROOT, 13, 0.1),
)
QUESTION = Question(SAMPLES, gold="0", chains=(CHAIN,), steps=STEPS)
BARE = Question(tuple(Sample(str(n % 2), 200, n % 2 == 0) for n in range(8)), gold="0")
WAIT = injections({"wait": 3})["wait"]
PROBE = injections({"probe": 4})["probe"]


def start(branch: int, prefix: tuple[int, ...] = (), **fields: Any) -> Start:
    return Start(1, "q", branch, prefix, (), 1000, 1000, **fields)


def script(question: Question = QUESTION, seed: int = 0) -> Script:
    return Script(question, seed, Assumed(answer_tokens=12, step_tokens=20))


def all_of(branch: int, tokens: int, shift: int = 0) -> tuple[int, ...]:
    return tuple(generated(branch, 0, tokens, shift))


def test_chains_are_the_samples_in_an_order_of_the_querys_own() -> None:
    orders = set()
    for seed in range(5):
        one = script(seed=seed)
        traces = [one.trace(start(branch)) for branch in range(12)]
        for turn in (traces[:6], traces[6:]):
            assert sorted(trace.tokens for trace in turn) == [10, 11, 12, 13, 14, 15]
        orders.add(tuple(trace.tokens for trace in traces))
        assert [script(seed=seed).trace(start(branch)) for branch in range(12)] == traces
    assert len(orders) == 5


def test_a_branch_does_the_same_however_often_it_is_started() -> None:
    one = script()
    first = one.trace(start(3))
    assert one.trace(start(3)) is first
    assert one.right(3) == first.right and not one.right(4) and not one.right(None)


def test_thinking_is_the_chain_without_its_answer_which_follows() -> None:
    one = script()
    thinking = one.trace(start(0, until=("think_end",), measure=Measure(thoughts=True)))
    assert (thinking.tokens, thinking.finish, thinking.thoughts) == (88, "step", (20, 40, 60))
    answer = one.trace(start(1, all_of(0, 88)))
    assert (answer.tokens, answer.answer, answer.right) == (12, "0", True)


@pytest.mark.parametrize(
    ("at", "answer", "tokens"),
    [(10, None, 8), (20, "2", 5), (39, "2", 5), (50, None, 5), (70, "0", 7)],
)
def test_a_probe_says_what_the_last_recorded_one_said(
    at: int, answer: str | None, tokens: int
) -> None:
    one = script()
    one.trace(start(0, until=("think_end",)))
    prefix = (*all_of(0, at), *PROBE)
    trace = one.trace(start(1, prefix, injected=4, alone=True, until=("box",)))
    assert (trace.answer, trace.tokens) == (answer, tokens)


def test_a_chain_that_is_made_to_go_on_is_another_ones_end() -> None:
    one = script(BARE)
    first = one.trace(start(0, until=("think_end",)))
    again = one.trace(start(1, (*all_of(0, first.tokens), *WAIT), injected=3, until=("think_end",)))
    assert 0 < again.tokens < first.tokens
    assert one.trace(start(2, all_of(1, again.tokens))).answer in ("0", "1")


def test_steps_are_the_recorded_ones_each_once() -> None:
    one = script()
    first = [one.trace(start(branch, until=("step",))) for branch in range(2)]
    assert sorted(trace.tokens for trace in first) == [10, 13]
    good = next(branch for branch, trace in enumerate(first) if trace.tokens == 10)
    below = [one.trace(start(branch, all_of(good, 10), until=("step",))) for branch in range(2, 4)]
    assert {trace.answer for trace in below} == {"0", "1"}
    right = next(branch for branch, trace in enumerate(below, 2) if trace.answer == "0")
    rate = Rate(9, "q", 50, (*all_of(good, 10), *all_of(right, 11)), "reward")
    assert one.scores(rate) == (0.9,)
    assert one.scores(Rate(9, "q", 51, rate.tokens, "exact")) == (1.0,)


def test_a_path_without_recorded_steps_is_a_sample_in_pieces() -> None:
    one = script(BARE)
    prefix: tuple[int, ...] = ()
    traces = []
    for branch in range(10):
        traces.append(one.trace(start(branch, prefix, until=("step",))))
        prefix = (*prefix, *all_of(branch, traces[-1].tokens))
    assert {trace.tokens for trace in traces} == {20}
    assert [trace.finish for trace in traces] == ["step"] * 9 + ["stop"]
    assert traces[-1].answer in ("0", "1")
    wrong = [not trace.right for trace in traces]
    assert wrong == sorted(wrong), "what has gone wrong stays wrong"
    rest = one.trace(start(20, all_of(0, 20)))
    assert (rest.tokens, rest.finish) == (180, "stop")


def test_a_wrong_path_never_becomes_right_where_nearly_all_samples_are() -> None:
    easy = Question((Sample("1", 200, False), *[Sample("0", 200, True)] * 39), gold="0")
    wrong = 0
    for seed in range(200):
        one, right = script(easy, seed), True
        prefix: tuple[int, ...] = ()
        for branch in range(10):
            trace = one.trace(start(branch, prefix, until=("step",)))
            assert right or not trace.right
            assert trace.answer is None or (trace.answer == "0") == trace.right
            right = trace.right
            prefix = (*prefix, *all_of(branch, trace.tokens, seed))
        wrong += not right
    assert wrong


def test_rewards_that_nobody_recorded_tell_right_from_wrong_on_average() -> None:
    sums: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(60):
        one = script(BARE, seed)
        for branch in range(4):
            trace = one.trace(start(branch))
            rate = Rate(9, "q", 50 + branch, all_of(branch, 5, seed), "reward", steps=True)
            sums[trace.right].append(one.scores(rate)[-1])
    means = {right: sum(values) / len(values) for right, values in sums.items()}
    assert means[True] > means[False] + 0.1


def test_confidence_of_a_chain_falls_where_it_is_weakest() -> None:
    measure = Measure(group=4, probability=True)
    trace = script().trace(start(0, measure=measure))
    early = trace.measured(measure, 0, trace.weak_at - 1, ended=False)
    late = trace.measured(measure, 0, trace.tokens, ended=True)
    assert late.lowest is not None and late.mean is not None and late.lowest < late.mean
    assert early.bottom is None and late.bottom is not None
    assert late.log_probability == pytest.approx(-0.693, abs=0.001)


def test_sketches_tell_the_answer_only_near_the_end() -> None:
    measure = Measure(thoughts=True, sketches=True)
    seen: dict[int, set[tuple[str | None, bytes]]] = {}
    for seed in range(40):
        trace = script(BARE, seed).trace(start(0, measure=measure))
        for thought in trace.measured(measure, 0, trace.tokens, ended=True).thoughts:
            seen.setdefault(thought.end, set()).add((trace.answer, thought.sketch))
    shared = {
        at: {sketch for said, sketch in ones if said == "0"}
        & {sketch for said, sketch in ones if said == "1"}
        for at, ones in seen.items()
    }
    assert shared[64] and not shared[192]


def test_right_answers_are_those_that_any_part_calls_right() -> None:
    assert right_answers(QUESTION) == {"0"}
    assert right_answers(Question((Sample("4", 1, True), Sample("5", 1, False)))) == {"4"}
