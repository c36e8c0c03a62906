"""Requests that ask for a program."""

from __future__ import annotations

import pickle
from typing import Any, get_args

import openai
import pytest

from cluster.ingress.solution import Solution
from cluster.ingress.solving import Solver
from dynasor.answers import Answer
from dynasor.budget.effort import Effort
from dynasor.certaindex import Vote
from dynasor.inputs import Submit
from dynasor.query import Query
from dynasor.result import Result, StopReason
from tests.cluster.ingress.fakes import FakeController

USER: Any = [{"role": "user", "content": "2+2?"}]


@pytest.fixture(autouse=True)
def votes(controller: FakeController) -> None:
    async def reply(submit: Submit) -> Result:
        four = Answer("4", "4")
        branches = [
            controller.branch(0, "no idea", finish="stopped"),
            controller.branch(1, "2+2=4\n</think>\n\\boxed{4}", answer=four),
            controller.branch(2, "count</think>4", answer=four),
        ]
        return controller.result(
            submit,
            branches=branches,
            stop="certain",
            votes=[Vote("4", "4", 2, 2.0)],
            answer=four,
            chosen=1,
        )

    controller.reply = reply


async def test_the_chosen_chain_and_the_program(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    reply: Any = await client.chat.completions.create(
        model="abacus",
        messages=USER,
        extra_body={"program": {"algorithm": "self_consistency", "max_branches": 3}},
    )
    assert len(reply.choices) == 1
    assert reply.choices[0].message.content == "\\boxed{4}"
    assert reply.choices[0].message.reasoning == "2+2=4\n"
    program = reply.program
    assert (program["algorithm"], program["policy"]) == ("self_consistency", "threshold")
    assert (program["answer"], program["certaindex"], program["stop"]) == ("4", 0.75, "certain")
    assert (
        program["votes"] == [{"answer": "4", "count": 2, "weight": 2.0}]
        and program["abstained"] == 1
    )
    assert [branch["finish"] for branch in program["branches"]] == ["stopped", "stop", "stop"]
    assert program["branches"][1] == {
        "branch": 1,
        "kind": "sample",
        "finish": "stop",
        "tokens": len(controller.tokens("2+2=4\n</think>\n\\boxed{4}<|end|>")),
        "answer": "4",
        "parent": None,
        "at": 0,
        "confidence": None,
        "replica": "replica-0",
        "runs": 1,
        "scores": [],
    }
    tokens = program["tokens"]
    assert tokens["generated"] == tokens["kept"] + tokens["discarded"] + tokens["probe"]
    assert reply.usage.completion_tokens == tokens["generated"] and tokens["discarded"] > 0
    content = len(controller.tokens("\n\\boxed{4}<|end|>"))
    details = reply.usage.completion_tokens_details
    assert details.reasoning_tokens == tokens["generated"] - content


async def test_a_program_by_model_name(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    model = "abacus:self-consistency"
    reply: Any = await client.chat.completions.create(model=model, messages=USER)
    assert reply.model == model and reply.program["answer"] == "4"
    await client.chat.completions.create(
        model=model, messages=USER, extra_body={"program": {"max_branches": 7}}
    )
    params = [submit.query.program.params.model_dump() for submit in controller.submits]
    assert [each["max_branches"] for each in params] == [16, 7]


async def test_a_program_on_completions_splits_its_text(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    model = "abacus:self-consistency"
    reply: Any = await client.completions.create(model=model, prompt="<|user|>2+2?<think>")
    assert (reply.choices[0].text, reply.choices[0].reasoning) == ("\\boxed{4}", "2+2=4\n")
    assert controller.submits[0].query.sampling.max_tokens is None
    unopened: Any = await client.completions.create(model=model, prompt="2+2?")
    assert unopened.choices[0].text == "2+2=4\n</think>\n\\boxed{4}"


async def test_sample_as_a_program_returns_all_completions(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    controller.reply = controller.finish
    reply: Any = await client.chat.completions.create(
        model="abacus", messages=USER, extra_body={"program": {"algorithm": "sample", "n": 2}}
    )
    assert len(reply.choices) == 2


async def test_the_handle_returns_the_same_solution(
    solver: Solver, client: openai.AsyncOpenAI
) -> None:
    program = {"algorithm": "self_consistency", "max_branches": 3}
    query = Query.model_validate({"messages": USER, "program": program})
    solution = await solver.solve(query)
    assert pickle.loads(pickle.dumps(solution)) == solution
    assert (solution.content, solution.reasoning) == ("\\boxed{4}", "2+2=4\n")
    assert isinstance(solution, Solution) and solution.finish_reason == "stop"
    reply: Any = await client.chat.completions.create(
        model="abacus", messages=USER, extra_body={"program": program}
    )
    assert reply.program == solution.program.model_dump(mode="json")


async def test_an_effort_is_the_programs(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    async def efforts(**request: Any) -> list[Any]:
        for effort in get_args(Effort):
            await client.chat.completions.create(messages=USER, reasoning_effort=effort, **request)
        return [submit.query.program.terms.effort for submit in controller.submits]

    assert await efforts(model="abacus:self-consistency") == list(get_args(Effort))
    controller.submits.clear()
    body = {"program": {"max_branches": 3, "effort": None}}
    assert await efforts(model="abacus", extra_body=body) == list(get_args(Effort))


async def test_the_same_effort_may_be_given_twice(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    await client.chat.completions.create(
        model="abacus",
        messages=USER,
        reasoning_effort="low",
        extra_body={"program": {"effort": "low"}},
    )
    assert controller.submits[0].query.program.terms.effort == "low"


@pytest.mark.parametrize("stop", ["price", "budget"])
async def test_a_program_that_was_cut_shows_the_chain_that_ended(
    client: openai.AsyncOpenAI, controller: FakeController, stop: StopReason
) -> None:
    async def reply(submit: Submit) -> Result:
        four = Answer("4", "4")
        cut = controller.branch(0, "2+", finish="stopped")
        whole = controller.branch(1, "2+2=4\n</think>\n\\boxed{4}", answer=four)
        return controller.result(submit, branches=[cut, whole], stop=stop, answer=four, chosen=1)

    controller.reply = reply
    answer: Any = await client.chat.completions.create(
        model="abacus:self-consistency", messages=USER
    )
    choice = answer.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("\\boxed{4}", "stop")
    assert (answer.program["stop"], answer.program["answer"]) == (stop, "4")


@pytest.mark.parametrize("stop", ["deadline", "budget"])
async def test_a_program_cut_before_it_began_is_empty(
    client: openai.AsyncOpenAI, controller: FakeController, stop: StopReason
) -> None:
    async def reply(submit: Submit) -> Result:
        return controller.result(submit, stop=stop)

    controller.reply = reply
    answer: Any = await client.chat.completions.create(
        model="abacus:self-consistency", messages=USER
    )
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("", "length")
    assert answer.program["stop"] == stop and answer.program["answer"] is None
