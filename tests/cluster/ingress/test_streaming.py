"""Server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest

from cluster.ingress import solving
from cluster.ingress.controller import ControllerLost
from cluster.protocol import Refused, TokenDelta
from cluster.stream import Sender
from dynasor.answers import Answer
from dynasor.certaindex import Certaindex, Vote
from dynasor.inputs import Submit
from dynasor.result import BranchView, Progress, Result
from tests.cluster.ingress.fakes import FakeController, OpenInbox

USER: Any = [{"role": "user", "content": "2+2?"}]


class Engine:
    """Delivers text for a submission, then lets the controller answer."""

    def __init__(self, controller: FakeController, inbox: OpenInbox) -> None:
        self.controller = controller
        self.inbox = inbox
        self.release = asyncio.Event()
        self.runs = 1
        self.pieces: list[tuple[int, int, int, str]] = []
        controller.reply = self.reply

    async def reply(self, submit: Submit) -> Result:
        assert submit.sink is not None
        for branch, start, count, text in self.pieces:
            self.inbox.deliver(TokenDelta(submit.query_id, branch, start, count, text))
        await self.release.wait()
        n = submit.query.program.params.model_dump()["n"]
        branches = [
            self.controller.branch(number, self.controller.text, runs=self.runs)
            for number in range(n)
        ]
        return self.controller.result(submit, branches=branches)


@pytest.fixture
def engine(controller: FakeController, inbox: OpenInbox) -> Engine:
    return Engine(controller, inbox)


async def collect(stream: Any, index: int = 0) -> tuple[str, str]:
    reasoning = content = ""
    async for chunk in stream:
        for choice in chunk.choices:
            if choice.index == index:
                reasoning += getattr(choice.delta, "reasoning", None) or ""
                content += choice.delta.content or ""
    return reasoning, content


async def events(lines: AsyncIterator[str]) -> list[Any]:
    return [line.removeprefix("data: ") async for line in lines if line.startswith("data: ")]


async def test_text_is_shown_as_it_comes_and_joins_to_the_whole(
    client: openai.AsyncOpenAI, engine: Engine
) -> None:
    engine.controller.text = "2+2=4</think>It is 4."
    engine.pieces = [(0, 0, 3, "2+2"), (0, 3, 3, "=4</th"), (0, 6, 1, "ink>It")]
    stream = await client.chat.completions.create(
        model="abacus", messages=USER, stream=True, stream_options={"include_usage": True}
    )
    chunks = []
    async for chunk in stream:
        chunks.append(chunk)
        if chunk.choices and chunk.choices[0].delta.content == "It":
            engine.release.set()
    first = chunks[0].choices[0].delta
    assert (first.role, first.content) == ("assistant", "")
    deltas: Any = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    reasoning = [d.reasoning for d in deltas if getattr(d, "reasoning", None)]
    assert "".join(reasoning) == "2+2=4"
    assert "".join(d.content or "" for d in deltas) == "It is 4."
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert (
        chunks[-1].usage.completion_tokens
        == len(engine.controller.tokens("2+2=4</think>It is 4.")) + 1
    )
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="nothing arrived before the result"),
        pytest.param([(0, 0, 2, "2+"), (0, 0, 2, "2+"), (0, 2, 1, "2")], id="sent twice"),
        pytest.param([(0, 2, 1, "2"), (0, 0, 2, "2+")], id="overtaken"),
        pytest.param([(0, 0, 1, "2"), (0, 2, 1, "2")], id="one is missing"),
        pytest.param([(0, 0, 3, "2+2"), (0, 1, 3, "+2=")], id="partly known"),
        pytest.param([(0, 0, 9, "2+2=")], id="text lags behind its tokens"),
    ],
)
async def test_no_text_is_lost_or_doubled(
    client: openai.AsyncOpenAI, engine: Engine, pieces: list[tuple[int, int, int, str]]
) -> None:
    engine.pieces, engine.runs = pieces, 2
    engine.release.set()
    stream = await client.chat.completions.create(model="abacus", messages=USER, stream=True)
    assert await collect(stream) == ("2+2=4\n", "The answer is 4.")


async def test_choices_are_interleaved(client: openai.AsyncOpenAI, engine: Engine) -> None:
    engine.pieces = [(1, 0, 3, "2+2"), (0, 0, 1, "2"), (1, 3, 1, "=")]
    engine.release.set()
    stream = await client.chat.completions.create(model="abacus", messages=USER, n=2, stream=True)
    chunks = [chunk async for chunk in stream]
    for index in (0, 1):
        mine: Any = [c.choices[0] for c in chunks if c.choices[0].index == index]
        assert mine[0].delta.role == "assistant" and mine[-1].finish_reason == "stop"
        text = "".join(getattr(c.delta, "reasoning", None) or "" for c in mine)
        assert text == "2+2=4\n"


async def test_a_chain_that_took_another_turn_is_an_error(
    http: httpx.AsyncClient, engine: Engine
) -> None:
    engine.pieces, engine.runs = [(0, 0, 2, "7*")], 2
    engine.release.set()
    body = {"messages": USER, "stream": True}
    async with http.stream("POST", "/v1/chat/completions", json=body) as reply:
        *_, error, done = await events(reply.aiter_lines())
    assert json.loads(error)["error"]["code"] == "stream_diverged" and done == "[DONE]"


async def test_completions_stream_plain_text(client: openai.AsyncOpenAI, engine: Engine) -> None:
    engine.pieces = [(0, 0, 3, "2+2"), (0, 3, 2, "=4")]
    engine.release.set()
    stream = await client.completions.create(model="abacus", prompt="x", stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].text for c in chunks) == engine.controller.text
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_a_program_shows_progress_then_the_chosen_chain(
    client: openai.AsyncOpenAI, controller: FakeController, sender: Sender
) -> None:
    shown = asyncio.Event()

    async def reply(submit: Submit) -> Result:
        assert submit.sink is not None and submit.watched
        four = Certaindex({"entropy": 0.5}, 2, (Vote("4", "4", 1, 1.0),))
        views = (
            BranchView(0, "sample", "stop", 9, "4"),
            BranchView(1, "sample", "running", 3, None),
        )
        sender.send(submit.sink, Progress(submit.query_id, four, views, 12, 0.1))
        await shown.wait()
        chain = controller.branch(0, controller.text, answer=Answer("4", "4"))
        return controller.result(
            submit, branches=[chain], answer=Answer("4", "4"), votes=four.votes, stop="certain"
        )

    controller.reply = reply
    stream = await client.chat.completions.create(
        model="abacus:self-consistency", messages=USER, stream=True
    )
    programs, reasoning, content = [], "", ""
    async for chunk in stream:
        program = getattr(chunk, "program", None)
        if program is not None:
            programs.append(program)
            shown.set()
        delta: Any = chunk.choices[0].delta
        reasoning += getattr(delta, "reasoning", None) or ""
        content += delta.content or ""
    assert (reasoning, content) == ("2+2=4\n", "The answer is 4.")
    assert programs[0] == {
        "algorithm": "self_consistency",
        "certaindex": 0.5,
        "signals": {"entropy": 0.5},
        "measured": 2,
        "votes": [{"answer": "4", "count": 1, "weight": 1.0}],
        "abstained": 0,
        "branches": [
            {"branch": 0, "kind": "sample", "state": "stop", "tokens": 9, "answer": "4"},
            {"branch": 1, "kind": "sample", "state": "running", "tokens": 3, "answer": None},
        ],
        "generated": 12,
        "elapsed_s": 0.1,
    }
    assert programs[-1]["stop"] == "certain" and programs[-1]["answer"] == "4"


async def test_a_refusal_is_a_status_also_with_stream(
    http: httpx.AsyncClient, controller: FakeController
) -> None:
    async def reply(submit: Submit) -> Refused:
        return Refused("full", 2.5)

    controller.reply = reply
    refused = await http.post("/v1/chat/completions", json={"messages": USER, "stream": True})
    assert refused.status_code == 429 and refused.headers["retry-after"] == "3"


async def test_a_lost_controller_is_an_error_once_text_was_shown(
    http: httpx.AsyncClient, controller: FakeController, sender: Sender
) -> None:
    lost = asyncio.Event()

    async def reply(submit: Submit) -> Result:
        assert submit.sink is not None
        sender.send(submit.sink, TokenDelta(submit.query_id, 0, 0, 1, "2"))
        await lost.wait()
        raise ControllerLost

    controller.reply = reply
    body = {"messages": USER, "stream": True}
    shown = []
    async with http.stream("POST", "/v1/chat/completions", json=body) as reply_:
        async for event in reply_.aiter_lines():
            shown.append(event)
            if '"reasoning"' in event:
                lost.set()
    assert '"code":"unavailable"' in shown[-4] and shown[-2] == "data: [DONE]"
    assert len(controller.submits) == 1 and len(controller.cancelled) == 1


async def test_a_silent_stream_is_kept_alive(
    http: httpx.AsyncClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solving, "KEEP_ALIVE_S", 0.01)
    body = {"messages": USER, "stream": True}
    async with http.stream("POST", "/v1/chat/completions", json=body) as reply:
        lines = [line async for line in until_released(reply.aiter_lines(), engine)]
    assert ": keep-alive" in lines and "data: [DONE]" in lines


async def until_released(lines: AsyncIterator[str], engine: Engine) -> AsyncIterator[str]:
    async for line in lines:
        if line == ": keep-alive":
            engine.release.set()
        yield line
