"""What an OpenAI client sees."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from cluster.models.abacus.problems import make_problems

QUESTION = "Start with 28. Multiply by 2. Add 6. What is the result?"
ASK: Any = [{"role": "user", "content": QUESTION}]


def test_a_plain_request(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="abacus", messages=ASK)
    choice = reply.choices[0]
    assert choice.finish_reason == "stop"
    assert choice.message.content is not None and "\\boxed{" in choice.message.content
    assert reply.usage is not None and reply.usage.completion_tokens > 10
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_n_completions(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="abacus", messages=ASK, n=4, max_tokens=8)
    assert [choice.index for choice in reply.choices] == [0, 1, 2, 3]
    assert {choice.finish_reason for choice in reply.choices} == {"length"}
    assert reply.usage is not None and reply.usage.completion_tokens == 32


def test_a_seed_repeats_and_greedy_repeats(client: openai.OpenAI) -> None:
    def text(**options: Any) -> str:
        reply = client.completions.create(
            model="abacus", prompt="28 * 2 = ", max_tokens=24, **options
        )
        return reply.choices[0].text

    assert text(seed=7) == text(seed=7)
    assert text(temperature=0) == text(temperature=0)


def test_a_seed_survives_a_prompt_that_is_read_in_several_steps(client: openai.OpenAI) -> None:
    prompt = "Begin with 3. " + "Add 1. " * 250 + "What is the result?"

    def reply() -> Any:
        return client.completions.create(
            model="abacus", prompt=prompt, max_tokens=24, seed=7, extra_body={"min_tokens": 24}
        )

    first, second = reply(), reply()
    assert first.usage.prompt_tokens > 512, "more than the engine reads in a step"
    assert first.choices[0].text == second.choices[0].text != ""


def test_a_stop_string_is_cut_off(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="abacus", messages=ASK, stop=["</think>"], temperature=0
    )
    said = reply.choices[0].message
    assert "</think>" not in (said.content or "")
    assert reply.choices[0].finish_reason == "stop"


def test_streaming_gives_the_same_text_as_asking(client: openai.OpenAI) -> None:
    options: Any = {"model": "abacus", "messages": ASK, "temperature": 0}
    whole = client.chat.completions.create(**options).choices[0]
    stream = client.chat.completions.create(
        **options, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    content = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert content == whole.message.content
    assert sum(bool(chunk.choices) for chunk in chunks) > 5
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens > 10


def test_a_self_consistency_program(client: openai.OpenAI) -> None:
    body = {"program": {"algorithm": "self_consistency", "max_branches": 16, "policy": "even"}}
    reply = client.chat.completions.create(model="abacus", messages=ASK, extra_body=body)
    program: Any = reply.model_extra["program"]  # type: ignore[index]
    assert program["answer"] == "62"
    assert program["stop"] == "complete"
    assert len(program["branches"]) == 16
    assert sum(vote["count"] for vote in program["votes"]) + program["abstained"] == 16
    assert 0 < program["certaindex"] <= 1
    assert reply.choices[0].message.content is not None
    assert "62" in reply.choices[0].message.content
    tokens = program["tokens"]
    assert reply.usage is not None
    assert reply.usage.completion_tokens == tokens["kept"] + tokens["discarded"] + tokens["probe"]
    assert tokens["kept"] == sum(branch["tokens"] for branch in program["branches"])


def test_a_program_by_model_name_stops_early(client: openai.OpenAI) -> None:
    easy: Any = [{"role": "user", "content": "Start with 3. Add 4. What is the result?"}]
    replies = [
        client.chat.completions.create(model="abacus:self-consistency", messages=easy)
        for _ in range(5)
    ]
    programs: list[Any] = [reply.model_extra["program"] for reply in replies]  # type: ignore[index]
    assert any(program["stop"] == "certain" for program in programs)
    assert min(len(program["branches"]) for program in programs) < 16


def test_a_streamed_program_shows_progress_and_ends_with_the_answer(client: openai.OpenAI) -> None:
    hard: Any = [{"role": "system", "content": "Think hard."}, *ASK]
    stream = client.chat.completions.create(
        model="abacus:self-consistency", messages=hard, stream=True
    )
    chunks = list(stream)
    shown: list[Any] = [c.model_extra["program"] for c in chunks if "program" in c.model_extra]  # type: ignore[index,operator]
    assert shown[-1]["answer"] == "62"
    assert shown[-1]["stop"] in ("certain", "complete")
    content = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "62" in content


def test_a_deadline_is_kept(client: openai.OpenAI) -> None:
    long = make_problems(level=8, count=1, seed=5)[0].text
    hard: Any = [{"role": "system", "content": "Think hard."}, {"role": "user", "content": long}]
    body = {"program": {"max_branches": 64, "policy": "even", "deadline_s": 0.5}}
    reply = client.chat.completions.create(model="abacus", messages=hard, extra_body=body)
    program: Any = reply.model_extra["program"]  # type: ignore[index]
    assert program["stop"] == "deadline"
    assert program["tokens"]["discarded"] > 0


def test_branches_share_the_prompt_in_the_prefix_cache(client: openai.OpenAI) -> None:
    body = {"program": {"max_branches": 12, "policy": {"name": "threshold", "threshold": 1.0}}}
    prompt = make_problems(level=8, count=1, seed=6)[0].text
    ask: Any = [{"role": "user", "content": prompt}]
    reply = client.chat.completions.create(model="abacus", messages=ask, extra_body=body)
    tokens: Any = reply.model_extra["program"]["tokens"]  # type: ignore[index]
    assert tokens["prompt"] > 32, "more than a block, which is what is shared"
    assert tokens["cached"] > 0


def test_models_lists_the_programs(client: openai.OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {"abacus", "abacus:self-consistency"} <= names


def test_any_text_can_be_asked(client: openai.OpenAI) -> None:
    strange: Any = [{"role": "user", "content": "¿Qué? 数学 🧮 \x00 <|end|> </think>"}]
    reply = client.chat.completions.create(model="abacus", messages=strange, max_tokens=16)
    assert reply.usage is not None and reply.usage.completion_tokens <= 16


BAD_REQUESTS: list[tuple[dict[str, Any], int, str]] = [
    ({"model": "nobody"}, 404, "model"),
    ({"model": "abacus:magic"}, 404, "model"),
    ({"messages": []}, 400, "messages"),
    ({"messages": [{"role": "user", "content": "x" * 100_000}]}, 400, "messages"),
    ({"n": 0}, 400, "n"),
    ({"n": 100_000}, 400, "n"),
    ({"temperature": "hot"}, 400, "temperature"),
    ({"max_tokens": 100_000}, 400, "max_tokens"),
    ({"program": {"algorithm": "magic"}}, 400, "program.algorithm"),
    ({"program": {"max_branches": 0}}, 400, "program.max_branches"),
    ({"program": {"max_branches": 100_000}}, 400, "program.max_branches"),
    ({"program": {"max_brunches": 4}}, 400, "program.max_brunches"),
    ({"program": {"policy": "magic"}}, 400, "program.policy"),
    ({"program": {"deadline_s": -1}}, 400, "program.deadline_s"),
    ({"program": 5}, 400, "program"),
]


@pytest.mark.parametrize(
    ("change", "status", "field"), BAD_REQUESTS, ids=lambda value: str(value)[:40]
)
def test_bad_requests_name_the_field(
    client: openai.OpenAI, change: dict[str, Any], status: int, field: str
) -> None:
    body = {"model": "abacus", "messages": ASK, **change}
    with pytest.raises(openai.APIStatusError) as caught:
        client.post("/chat/completions", body=body, cast_to=object)
    assert caught.value.status_code == status
    error: Any = caught.value.body
    assert error["param"] == field
    assert field.split(".")[-1] in error["message"]
