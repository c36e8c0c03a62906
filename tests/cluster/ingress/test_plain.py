"""Plain requests, as a client of vLLM sends them."""

from __future__ import annotations

import httpx
import msgspec
import openai
import pytest

from dynasor.inputs import Submit
from dynasor.result import Result
from dynasor.stats import ContractStats, Stats, TenantStats
from tests.cluster.ingress.fakes import FakeController

USER = [{"role": "user", "content": "2+2?"}]
PARTS = [{"type": "text", "text": "2+"}, {"type": "text", "text": "2?"}]


async def test_chat_splits_reasoning_from_content(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    reply = await client.chat.completions.create(model="abacus", messages=USER)
    message = reply.choices[0].message
    assert (message.content, message.reasoning) == ("The answer is 4.", "2+2=4\n")
    assert reply.choices[0].finish_reason == "stop"
    assert reply.object == "chat.completion" and reply.model == "abacus"
    assert not hasattr(reply, "program")
    submit = controller.submits[0]
    assert reply.id == f"chatcmpl-{submit.query_id}"
    assert controller.prompts.decode(submit.prompt) == "<|user|>2+2?<|end|><|assistant|><think>\n"
    assert submit.sink is None and not submit.watched
    assert (submit.query.program.algorithm, submit.query.program.policy) == ("sample", None)


async def test_an_effort_makes_no_program_of_a_plain_request(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    reply = await client.chat.completions.create(
        model="abacus", messages=USER, n=4, reasoning_effort="low"
    )
    assert len(reply.choices) == 4 and not hasattr(reply, "program")
    program = controller.submits[0].query.program
    assert (program.algorithm, program.terms.effort) == ("sample", None)


async def test_a_submission_names_the_served_model(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    for model in ("abacus", "abacus:self-consistency"):
        await client.chat.completions.create(model=model, messages=USER)
    assert [submit.model for submit in controller.submits] == ["abacus", "abacus"]


async def test_the_cluster_is_shown(http: httpx.AsyncClient, controller: FakeController) -> None:
    controller.numbers = Stats(
        price=0.5,
        granted=100,
        tenants={"me": TenantStats(1, 90)},
        contracts={"abacus/mcts/@0.01": ContractStats(0.02, 5, True)},
    )
    document = (await http.get("/v1/cluster")).json()
    assert document == {
        "object": "cluster",
        "replicas": 1,
        "scorers": 0,
        **msgspec.to_builtins(controller.numbers),
    }
    assert document["tenants"] == {"me": {"programs": 1, "tokens": 90}}


async def test_usage_counts_all_tokens(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    reply = await client.chat.completions.create(model="abacus", messages=USER, n=3)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    usage, text = reply.usage, controller.text
    each = len(controller.tokens(text)) + 1
    assert usage is not None and usage.completion_tokens == 3 * each
    assert usage.prompt_tokens == len(controller.submits[0].prompt)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 3
    reasoning = len(controller.tokens(text.split("</think>")[0] + "</think>"))
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 3 * reasoning


async def test_sampling_reaches_the_engine(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    await client.chat.completions.create(
        model="abacus",
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": "2+"}, {"type": "text", "text": "2?"}],
            }
        ],
        temperature=0.5,
        top_p=0.9,
        max_completion_tokens=17,
        stop="\n",
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        user="someone",
        logprobs=False,
        response_format={"type": "text"},
        extra_body={
            "top_k": 5,
            "min_p": 0.1,
            "repetition_penalty": 1.1,
            "min_tokens": 2,
            "stop_token_ids": [3],
            "ignore_eos": True,
            "top_logprobs": None,
        },
    )
    query = controller.submits[0].query
    assert query.messages is not None and query.messages[0].content == "2+2?"
    assert query.sampling.model_dump() == {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
        "min_p": 0.1,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "repetition_penalty": 1.1,
        "max_tokens": 17,
        "min_tokens": 2,
        "stop": ("\n",),
        "stop_token_ids": (3,),
        "ignore_eos": True,
        "seed": 7,
    }


async def test_null_means_default(http: httpx.AsyncClient, controller: FakeController) -> None:
    body = {"messages": USER, "model": None, "n": None, "stop": None, "max_tokens": None}
    assert (await http.post("/v1/chat/completions", json=body)).status_code == 200
    assert controller.submits[0].query.sampling.max_tokens is None


async def test_completion_returns_the_whole_text(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    reply = await client.completions.create(model="abacus", prompt="2+2?")
    assert reply.choices[0].text == controller.text
    assert reply.object == "text_completion"
    assert reply.id == f"cmpl-{controller.submits[0].query_id}"
    assert controller.submits[0].query.sampling.max_tokens == 16
    assert reply.usage is not None and reply.usage.completion_tokens_details is None


async def test_completion_default_shrinks_to_the_room_left(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    await client.completions.create(model="abacus", prompt=[5] * 506)
    assert controller.submits[0].prompt == (5,) * 506
    assert controller.submits[0].query.sampling.max_tokens == 6


@pytest.mark.parametrize(
    ("stop", "min_tokens", "expected"), [("4", 0, "1 "), ("4", 3, "1 4 "), ("never", 0, "1 4 4")]
)
async def test_text_is_cut_at_the_stop_string(
    client: openai.AsyncOpenAI,
    controller: FakeController,
    stop: str,
    min_tokens: int,
    expected: str,
) -> None:
    async def reply(submit: Submit) -> Result:
        branch = controller.branch(0, "1 4 4", stop_reason=stop)
        return controller.result(submit, branches=[branch])

    controller.reply = reply
    answer = await client.completions.create(
        model="abacus", prompt="x", stop=[stop], extra_body={"min_tokens": min_tokens}
    )
    assert answer.choices[0].text == expected
    assert answer.choices[0].stop_reason == stop


async def test_stop_token_is_not_shown(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    (plus,) = controller.tokens("+")

    async def reply(submit: Submit) -> Result:
        branch = controller.branch(0, "1+", stop_reason=plus)
        return controller.result(submit, branches=[branch])

    controller.reply = reply
    answer = await client.completions.create(
        model="abacus", prompt="x", extra_body={"stop_token_ids": [plus]}
    )
    assert answer.choices[0].text == "1"
    assert answer.choices[0].stop_reason == plus


async def test_thinking_that_never_ends_is_all_reasoning(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    async def reply(submit: Submit) -> Result:
        branch = controller.branch(0, "2+2", finish="length")
        return controller.result(submit, branches=[branch])

    controller.reply = reply
    answer = await client.chat.completions.create(model="abacus", messages=USER, max_tokens=3)
    choice = answer.choices[0]
    assert (choice.message.content, choice.message.reasoning) == ("", "2+2")
    assert choice.finish_reason == "length"


async def test_models_and_health(
    client: openai.AsyncOpenAI, http: httpx.AsyncClient, controller: FakeController
) -> None:
    ids = [model.id async for model in client.models.list()]
    assert "abacus" in ids and "abacus:self-consistency" in ids and "abacus:sample" not in ids
    card = await client.models.retrieve("abacus:self-consistency")
    assert (card.owned_by, card.max_model_len) == ("dynasor", 512)
    assert (await http.get("/health")).json() == {
        "status": "ok",
        "replicas": 1,
        "scorers": 0,
        "programs": 0,
        "runs": 0,
    }
    controller.replicas = 0
    unhealthy = await http.get("/health")
    assert unhealthy.status_code == 503 and "error" in unhealthy.json()
