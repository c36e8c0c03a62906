"""Every algorithm on real engines, and what a user sees of it."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from cluster.models.abacus.problems import make_problems
from cluster.models.abacus.reasoner import THINK_HARD
from dynasor.algorithms import ALGORITHMS, PLAIN
from tests.cluster.e2e.conftest import Application

QUESTION = make_problems(level=2, count=1, seed=5)[0]
ASK: Any = [{"role": "user", "content": QUESTION.text}]
HARD: Any = [{"role": "system", "content": THINK_HARD}, *ASK]
REASONING = [name for name in ALGORITHMS if name != PLAIN]


def program_of(reply: Any) -> dict[str, Any]:
    program: dict[str, Any] = reply.program
    return program


@pytest.mark.parametrize("name", REASONING)
def test_every_algorithm_answers(client: openai.OpenAI, name: str) -> None:
    reply = client.chat.completions.create(
        model=f"abacus:{name.replace('_', '-')}", messages=ASK, timeout=120
    )
    program = program_of(reply)
    assert program["algorithm"] == name
    assert program["stop"] in ("complete", "certain")
    # A single chain may be wrong; what is promised is that it is shown what was answered.
    assert program["answer"] is not None
    assert program["answer"] in (reply.choices[0].message.content or "")
    assert 0.0 <= program["certaindex"] <= 1.0 and program["measured"] >= 0
    assert all(branch["finish"] != "error" for branch in program["branches"])
    tokens = program["tokens"]
    assert tokens["generated"] == sum(branch["tokens"] for branch in program["branches"])
    assert tokens["spent"] == tokens["generated"] + tokens["score"]
    judged = [branch for branch in program["branches"] if branch["kind"] == "score"]
    assert all(0.0 <= score <= 1.0 for branch in judged for score in branch["scores"])
    assert (tokens["score"] > 0) == bool(judged)


def test_a_settled_chain_is_left_and_its_answer_given_at_once(client: openai.OpenAI) -> None:
    program = {
        "algorithm": "chain_of_thought",
        "probe_every": 16,
        "window": 2,
        "policy": "threshold",
    }
    stream = client.chat.completions.create(
        model="abacus", messages=HARD, stream=True, extra_body={"program": program}, timeout=120
    )
    reasoning, content, programs = "", "", []
    for chunk in stream:
        told = getattr(chunk, "program", None)
        if told is not None:
            programs.append(told)
        if chunk.choices:
            delta: Any = chunk.choices[0].delta
            assert not (content and getattr(delta, "reasoning", None)), "thinking after the answer"
            reasoning += getattr(delta, "reasoning", None) or ""
            content += delta.content or ""
    last = programs[-1]
    assert last["tokens"]["probe"] > 0
    assert f"\\boxed{{{last['answer']}}}" in content
    assert reasoning.count(" = ") >= 1 and "boxed" not in reasoning


@pytest.mark.parametrize(
    "program",
    [
        {"algorithm": "chain_of_thought", "policy": "even", "probe_every": 64},
        {"algorithm": "budget_forcing", "min_thinking_tokens": 200, "max_waits": 1},
        {"algorithm": "budget_forcing", "max_thinking_tokens": 30, "min_thinking_tokens": 0},
    ],
)
def test_a_streamed_chain_reads_as_one_that_is_not(
    client: openai.OpenAI, program: dict[str, Any]
) -> None:
    """Through its natural end, a pass more, and a forced end."""
    asked: Any = {
        "model": "abacus", "messages": ASK, "temperature": 0, "timeout": 120,
        "extra_body": {"program": program},
    }  # fmt: skip
    whole: Any = client.chat.completions.create(**asked).choices[0].message
    reasoning, content = "", ""
    for chunk in client.chat.completions.create(**asked, stream=True):
        delta: Any = chunk.choices[0].delta
        reasoning += getattr(delta, "reasoning", None) or ""
        content += delta.content or ""
    assert (reasoning, content) == (whole.reasoning, whole.content)
    assert "boxed" in content and reasoning.count(" = ") >= 1


def test_the_end_of_thinking_is_forced_at_the_cap(client: openai.OpenAI) -> None:
    program = {"algorithm": "chain_of_thought", "max_thinking_tokens": 20, "policy": "even"}
    reply = client.chat.completions.create(
        model="abacus", messages=HARD, extra_body={"program": program}, timeout=120
    )
    told = program_of(reply)
    message: Any = reply.choices[0].message
    assert told["answer"] is not None and told["answer"] in message.content
    assert told["tokens"]["kept"] < 20 + 64 and "boxed" not in message.reasoning


def test_a_verifier_judges_by_the_reference(client: openai.OpenAI) -> None:
    program = {
        "algorithm": "best_of_n",
        "scorer": "exact",
        "max_branches": 4,
        "policy": "even",
        "reference": {"answer": str(QUESTION.answer)},
    }
    reply = client.chat.completions.create(
        model="abacus", messages=ASK, extra_body={"program": program}, timeout=120
    )
    told = program_of(reply)
    judged = {b["branch"]: b["scores"] for b in told["branches"] if b["kind"] == "score"}
    assert len(judged) == 4 and all(scores in ([0.0], [1.0]) for scores in judged.values())
    right = [b for b in told["branches"] if b["answer"] == str(QUESTION.answer)]
    assert sum(scores[0] for scores in judged.values()) == len(right)


def test_a_scorer_nobody_has_is_refused(client: openai.OpenAI) -> None:
    program = {"algorithm": "best_of_n", "scorer": "oracle"}
    known = r"program\.scorer.*known: reward, exact"
    with pytest.raises(openai.BadRequestError, match=known):
        client.chat.completions.create(
            model="abacus", messages=ASK, extra_body={"program": program}
        )


def test_the_catalogue_lists_algorithms_with_their_parameters(application: Application) -> None:
    listing = httpx.get(f"{application.url}/v1/programs/algorithms").json()
    entries = {entry["id"]: entry for entry in listing["data"]}
    assert set(entries) == set(ALGORITHMS)
    for name, entry in entries.items():
        assert entry["available"] and entry["source"] and entry["description"]
        for field, schema in entry["parameters"]["properties"].items():
            assert "default" in schema and schema.get("description"), f"{name}.{field}"
    models = httpx.get(f"{application.url}/v1/models").json()
    offered = {model["id"] for model in models["data"]}
    assert {entry["model"] for entry in entries.values()} == offered
