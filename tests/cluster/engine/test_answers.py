"""Reading answers in an asyncio program, with a parser that hangs, dies or is slow."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
import pytest_asyncio

from cluster.engine.answers import AnswerReader
from dynasor.answers import Answer, answer_of, canonical
from dynasor.answers.kinds import AnswerKind
from dynasor.phrases import Phrases

HANGS = r"\boxed{9^{9^{9}}}"


@pytest_asyncio.fixture
async def reader() -> AsyncIterator[AnswerReader]:
    reader = AnswerReader(timeout_s=1.0)
    yield reader
    await reader.close()


def workers() -> list[int]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # A child may end while it is looked at.
            if "cluster.engine.answer_child" in child.cmdline():
                found.append(child.pid)
    return found


async def all_workers_gone() -> None:
    async with asyncio.timeout(10):
        while workers():  # noqa: ASYNC110 - a process that ends sets no event
            await asyncio.sleep(0.01)


async def test_simple_answers_need_no_worker(reader: AnswerReader) -> None:
    assert await reader.read(r"\boxed{0.50}", complete=True) == Answer("0.50", "1/2")
    assert await reader.read("nothing", complete=True) is None
    assert await reader.read("it is 5", complete=False) is None
    assert workers() == []


async def test_a_worker_makes_the_same_key_as_any_other_process(reader: AnswerReader) -> None:
    texts = (r"\boxed{x(x+1)}", r"\boxed{x^2+x}", r"\boxed{\{y, x, z\}}", r"\boxed{é+}")
    answers = [await reader.read(text, complete=True) for text in texts]
    assert all(answer and answer.key == canonical(answer.text) for answer in answers)
    assert len(workers()) == 1


async def test_a_hanging_parse_is_cut_and_the_next_one_works(reader: AnswerReader) -> None:
    assert await reader.read(HANGS, complete=True) == Answer("9^{9^{9}}", "9^{9^{9}}")
    await all_workers_gone()
    async with asyncio.timeout(0.5):
        assert await reader.read(HANGS, complete=True) == Answer("9^{9^{9}}", "9^{9^{9}}")
    after = await reader.read(r"\boxed{\sqrt8}", complete=True)
    assert after == Answer(r"\sqrt8", canonical(r"2\sqrt2"))


async def test_a_killed_worker_is_replaced(reader: AnswerReader) -> None:
    await reader.read(r"\boxed{x+1}", complete=True)
    (before,) = workers()
    os.kill(before, signal.SIGKILL)
    answer = await reader.read(r"\boxed{x+2}", complete=True)
    assert answer == Answer("x+2", canonical("2+x"))
    (after,) = workers()
    assert after != before


async def test_a_cancelled_read_leaves_no_reply_for_the_next(reader: AnswerReader) -> None:
    await reader.read(r"\boxed{x+1}", complete=True)
    cancelled = asyncio.create_task(reader.read(HANGS, complete=True))
    await asyncio.sleep(0)
    cancelled.cancel()
    answer = await reader.read(r"\boxed{x+3}", complete=True)
    assert answer == Answer("x+3", canonical("x+3"))
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_concurrent_reads_share_the_worker_and_the_loop_stays_free(
    reader: AnswerReader,
) -> None:
    reads = asyncio.gather(
        *(reader.read(rf"\boxed{{x+{index % 3}y}}", complete=True) for index in range(12))
    )
    turns = 0
    while not reads.done():
        await asyncio.sleep(0.01)
        turns += 1
    answers = await reads
    assert len({answer.key for answer in answers if answer}) == 3
    assert len(workers()) == 1
    # Starting a worker takes most of a second: a loop that waited for it would hardly turn.
    assert turns > 10


async def test_closing_ends_the_workers_and_refuses_slow_reads() -> None:
    reader = AnswerReader(timeout_s=30.0)
    await reader.read(r"\boxed{x+1}", complete=True)
    hanging = asyncio.create_task(reader.read(HANGS, complete=True))
    await asyncio.sleep(0)
    await reader.close()
    await reader.close()
    assert workers() == []
    with pytest.raises(RuntimeError, match="closed"):
        await hanging
    with pytest.raises(RuntimeError, match="closed"):
        await reader.read(r"\boxed{x+4}", complete=True)
    assert await reader.read(r"\boxed{5}", complete=True) == Answer("5", "5")


def test_senseless_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="timeout_s"):
        AnswerReader(timeout_s=0)
    with pytest.raises(ValueError, match="workers"):
        AnswerReader(workers=0)


PROGRAM = "```python\ndef f(x):\n    return x + x\n```"
REFERENCE = {"entry": "f", "inputs": [[1], [2]]}
PROSE = r"\boxed{\text{The treaty was never signed by both of the sides}}"


class Callee:
    """Stands for an embedder or a sandbox; keeps what it was asked."""

    def __init__(self, reply: Any) -> None:
        self.reply = reply
        self.asked: list[Any] = []

    async def __call__(self, *question: Any) -> Any:
        self.asked.append(question)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


async def test_free_text_is_embedded_and_other_answers_are_not() -> None:
    embed = Callee(b"sketch")
    reader = AnswerReader(embed=embed)
    for kind in ("text", "auto"):
        answer = await reader.read(PROSE, complete=True, kind=kind)
        assert answer and answer.sketch == b"sketch"
        assert answer.key == "treaty was never signed by both of sides"
    assert embed.asked == [(answer.text,)] * 2
    for text in (r"\boxed{5}", r"\boxed{B}", r"\boxed{\text{Paris}}", "nothing"):
        answer = await reader.read(text, complete=True)
        assert answer is None or answer.sketch is None
    assert len(embed.asked) == 2


@pytest.mark.parametrize("embed", [None, Callee(None), Callee(OSError("gone"))])
async def test_without_an_embedding_the_words_have_the_vote(embed: Callee | None) -> None:
    answer = await AnswerReader(embed=embed).read(PROSE, complete=True)
    assert answer and answer.key == "treaty was never signed by both of sides"
    assert answer.sketch is None


@pytest.mark.parametrize("kind", ["code", "auto"])
async def test_programs_are_keyed_by_what_they_do(kind: AnswerKind) -> None:
    behave = Callee("2,4")
    reader = AnswerReader(behave=behave)
    answer = await reader.read(PROGRAM, complete=True, kind=kind, reference=REFERENCE)
    code = "def f(x):\n    return x + x"
    assert answer == Answer(code, "behaviour:2,4")
    assert behave.asked == [(code, "f", [[1], [2]])]
    assert workers() == []


@pytest.mark.parametrize("behave", [None, Callee(None), Callee(OSError("gone"))])
async def test_programs_that_cannot_be_tried_are_keyed_by_their_form(
    behave: Callee | None,
) -> None:
    reader = AnswerReader(behave=behave)
    answer = await reader.read(PROGRAM, complete=True, reference=REFERENCE)
    other = PROGRAM.replace("x + x", "(x+x)  # twice")
    assert answer and answer == answer_of(PROGRAM)
    same = await reader.read(other, complete=True, reference=REFERENCE)
    assert same and same.key == answer.key
    await reader.close()


@pytest.mark.parametrize(
    "reference",
    [
        None,
        "f",
        {"entry": "f"},
        {"entry": 1, "inputs": [[1]]},
        {"entry": "f", "inputs": [1]},
        {"entry": "f", "inputs": []},
        {"entry": "f", "inputs": "abc"},
    ],
)
async def test_a_reference_for_something_else_is_not_tried(reference: Any) -> None:
    behave = Callee("2,4")
    reader = AnswerReader(behave=behave)
    answer = await reader.read(PROGRAM, complete=True, reference=reference)
    assert answer and answer.key.startswith("code:")
    assert (await reader.read(r"\boxed{5}", complete=True, reference=REFERENCE)) == Answer("5", "5")
    assert behave.asked == []
    await reader.close()


async def test_the_kind_that_a_query_asks_for_is_read(reader: AnswerReader) -> None:
    text = "The treaty has 5 pages. The answer is (B)"
    answers = [await reader.read(text, complete=True, kind=kind) for kind in ("choice", "text")]
    assert answers == [Answer("(B)", "B"), Answer("(B)", "b")]


async def test_a_probe_is_read_from_its_injected_phrase_on(reader: AnswerReader) -> None:
    answer = await reader.read(Phrases().probe + "42", complete=False)
    assert answer == Answer("42", "42")
    answer = await reader.read(Phrases().probe + "B} \\]", complete=True, kind="choice")
    assert answer == Answer("B", "B")
