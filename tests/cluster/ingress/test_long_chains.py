"""A chain that grows in view: its pieces, its early exit, and the answer it is given."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import openai
import pytest

from cluster.ingress.prompts import Prompts
from cluster.ingress.streaming import ChainStream
from cluster.protocol import TokenDelta
from cluster.stream import Sender
from dynasor.answers import Answer
from dynasor.inputs import Submit
from dynasor.result import Result
from tests.cluster.ingress.fakes import FakeController

USER: Any = [{"role": "user", "content": "2+2?"}]
PROGRAM = {"algorithm": "chain_of_thought"}


def pieces() -> list[TokenDelta]:
    """A branch of three tokens, one that goes on from it with an injected phrase, and a third."""
    return [
        TokenDelta("q", 0, 0, 2, "a"),
        TokenDelta("q", 0, 2, 1, "b"),
        TokenDelta("q", 4, 0, 0, "[wait]", (0, 3)),
        TokenDelta("q", 4, 0, 1, "c", (0, 3)),
        TokenDelta("q", 4, 1, 1, "d", (0, 3)),
        TokenDelta("q", 5, 0, 1, "e", (4, 2)),
    ]


class Unsplit:
    """A task whose chains are all content."""

    marks = None

    class prompt:  # noqa: N801
        thinking = False


def stream() -> ChainStream:
    task: Any = Unsplit()
    return ChainStream(task)


@pytest.mark.parametrize("order", list(itertools.permutations(range(6)))[::37])
def test_pieces_are_shown_in_their_order_whatever_order_they_come_in(
    order: tuple[int, ...],
) -> None:
    # The phrase and the first token of its branch come from one replica, one after the other.
    if order.index(2) > order.index(3):
        return
    shown = stream()
    text = "".join(shown.take(pieces()[index]) for index in order)
    assert text == shown.sent == "ab[wait]cde"


def test_what_comes_twice_is_shown_once() -> None:
    shown = stream()
    text = "".join(shown.take(piece) for piece in pieces() for _ in range(2))
    assert text == "ab[wait]cde"


async def test_a_chain_that_was_left_early_is_given_its_answer(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    async def reply(submit: Submit) -> Result:
        chain = controller.branch(0, "2+2=4\nWait", finish="stopped")
        return controller.result(submit, branches=[chain], answer=Answer("4", "4"), stop="certain")

    controller.reply = reply
    reply_: Any = await client.chat.completions.create(
        model="abacus", messages=USER, extra_body={"program": PROGRAM}
    )
    message = reply_.choices[0].message
    assert message.reasoning == "2+2=4\nWait\n"
    assert message.content == "\\boxed{4}"
    assert reply_.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("said", ["2+2=4\nWait", "2+2=4\nWait, let me"])
async def test_its_stream_ends_with_the_answer_even_if_more_was_shown_than_is_known(
    client: openai.AsyncOpenAI, controller: FakeController, sender: Sender, said: str
) -> None:
    async def reply(submit: Submit) -> Result:
        assert submit.sink is not None and submit.watched
        sender.send(submit.sink, TokenDelta(submit.query_id, 0, 0, 9, said))
        await asyncio.sleep(0.2)
        chain = controller.branch(0, "2+2=4\nWait", finish="stopped")
        return controller.result(submit, branches=[chain], answer=Answer("4", "4"), stop="certain")

    controller.reply = reply
    chunks = await client.chat.completions.create(
        model="abacus", messages=USER, stream=True, extra_body={"program": PROGRAM}
    )
    reasoning, content = "", ""
    async for chunk in chunks:
        delta: Any = chunk.choices[0].delta
        reasoning += getattr(delta, "reasoning", None) or ""
        content += delta.content or ""
    assert reasoning == f"{said}\n"
    assert content == "\\boxed{4}"


async def test_injected_phrases_are_the_models_with_those_of_the_query(
    client: openai.AsyncOpenAI, controller: FakeController, prompts: Prompts
) -> None:
    await client.chat.completions.create(
        model="abacus",
        messages=USER,
        extra_body={"program": {"phrases": {"wait": "Hmm\n"}, "max_branches": 1}},
    )
    (submit,) = controller.submits
    assert submit.phrases.wait == "Hmm\n" and submit.phrases.step == "\n\n"
    assert prompts.decode(submit.injections["wait"]) == "Hmm\n"
    assert set(submit.injections) == {"probe", "close", "wait"}


async def test_a_judge_that_the_cluster_does_not_have_is_refused(
    client: openai.AsyncOpenAI, controller: FakeController
) -> None:
    with pytest.raises(openai.BadRequestError, match=r"program\.scorer.*'reward'.*known: none"):
        await client.chat.completions.create(model="abacus:best-of-n", messages=USER)
    assert not controller.submits
