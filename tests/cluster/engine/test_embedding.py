"""Sketches of texts: what they say about meaning, and a child that fails."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import numpy as np
import psutil
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from cluster.engine.embedding import Embedder, EmbeddingError
from cluster.engine.sandbox import Sandbox
from dynasor.answers.sketch import similarity

GROUPS = (
    (
        "The denominator must be even because x is even.",
        "Since x is even, the denominator has to be even.",
    ),
    (
        "Let me compute the area of the triangle again.",
        "I will calculate the triangle's area once more.",
    ),
    (
        "The capital of France is Paris.",
        "Paris is the French capital.",
    ),
    (
        "Multiply both sides by three to remove the fraction.",
        "To clear the fraction, both sides are multiplied by 3.",
    ),
)
TEXTS = [text for group in GROUPS for text in group]


@pytest_asyncio.fixture(scope="module")
async def shared() -> AsyncIterator[Embedder]:
    embedder = Embedder()
    yield embedder
    await embedder.close()


@pytest_asyncio.fixture
async def embedder() -> AsyncIterator[Embedder]:
    embedder = Embedder()
    yield embedder
    await embedder.close()


def children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # A child may end while it is looked at.
            if "cluster.engine.embedding_child" in child.cmdline():
                found.append(child)
    return found


async def embeddings(function: str, texts: Sequence[str]) -> NDArray[np.float64]:
    """Embeddings made in a process that takes one core and leaves it to others."""
    sandbox = Sandbox(1, 120.0, 32 << 30)
    try:
        return np.array(await sandbox.call(f"tests.cluster.engine.encoders:{function}", [texts]))
    finally:
        await sandbox.close()


async def test_embeddings_are_those_of_the_reference_implementation() -> None:
    """Of `transformers` with the same weights, averaged over the pieces; the first 6 numbers."""
    expected = {
        TEXTS[0]: (0.03588, 0.01824, 0.00274, 0.12525, 0.05572, -0.06928),
        "": (-0.11884, 0.0483, -0.00255, -0.01101, 0.05195, 0.01029),
        "日本 ümläut 🙂 \\frac{1}{2}": (0.00418, 0.08884, 0.09062, -0.0034, -0.02218, 6e-05),
        "Words to be cut. " * 100: (-0.04137, 0.00648, 0.04634, 0.00969, -0.02518, 0.00619),
    }
    found = await embeddings("together", list(expected))
    np.testing.assert_allclose(found[:, :6], list(expected.values()), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    # What shares a pass changes nothing.
    np.testing.assert_allclose(found, await embeddings("one_by_one", list(expected)), atol=1e-5)


async def test_paraphrases_are_nearer_than_anything_else(shared: Embedder) -> None:
    sketches = {text: await shared.sketch(text) for text in TEXTS}
    within = [similarity(sketches[a], sketches[b]) for a, b in GROUPS]
    between = [
        similarity(sketches[a], sketches[b])
        for one, other in itertools.combinations(GROUPS, 2)
        for a in one
        for b in other
    ]
    assert min(within) > 0.7 > 0.5 > max(between)


async def test_similarities_of_sketches_estimate_cosines(shared: Embedder) -> None:
    vectors = await embeddings("together", TEXTS)
    sketches = await asyncio.gather(*map(shared.sketch, TEXTS))
    errors = []
    for a, b in itertools.combinations(range(len(TEXTS)), 2):
        cosine = float(vectors[a] @ vectors[b])
        errors.append(similarity(sketches[a], sketches[b]) - cosine)
        # The nearer two texts are, the nearer the estimate: it matters there.
        assert abs(errors[-1]) < (0.05 if cosine > 0.7 else 0.15)
    assert abs(np.mean(errors)) < 0.05


async def test_a_sketch_is_the_same_in_every_replica(shared: Embedder, embedder: Embedder) -> None:
    first, second = await shared.sketch(TEXTS[0]), await embedder.sketch(TEXTS[0])
    assert len(first) == 128
    # Rounding may turn the bits of planes that all but hold the embedding.
    assert similarity(first, second) > 0.9999


@pytest.mark.parametrize("text", ["", " ", "\ud800", "\x00", "a" * 100_000, "🙂" * 5000])
async def test_any_text_has_a_sketch(shared: Embedder, text: str) -> None:
    assert len(await shared.sketch(text)) == 128


async def test_nothing_starts_before_the_first_text() -> None:
    before = children()
    embedder = Embedder()
    assert children() == before
    await embedder.close()


async def test_texts_share_passes_and_the_loop_stays_free(embedder: Embedder) -> None:
    before = children()
    await embedder.sketch("start")
    (child,) = (child for child in children() if child not in before)
    asked: list[list[str]] = []
    ask = embedder._asked

    async def counted(batch: list[str]) -> list[bytes]:
        asked.append(batch)
        return await ask(batch)

    embedder._asked = counted  # type: ignore[method-assign]
    sketching = asyncio.gather(*(embedder.sketch(f"text {index % 20}") for index in range(60)))
    turns = 0
    while not sketching.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert len(set(await sketching)) == 20
    assert sum(map(len, asked)) == 20
    assert len(asked) <= 3
    # A loop that waited for its passes would turn once for each.
    assert turns > len(asked)
    await embedder.sketch("text 1")
    assert sum(map(len, asked)) == 20
    assert len(children()) == len(before) + 1
    assert child.nice() > psutil.Process().nice()
    assert child.memory_info().rss < 300 << 20


async def test_a_killed_child_is_replaced(embedder: Embedder) -> None:
    before = children()
    await embedder.sketch("one")
    (first,) = (child for child in children() if child not in before)
    first.kill()
    with suppress(EmbeddingError):  # Its death may be noticed too late for the next text.
        await embedder.sketch("two")
    assert len(await embedder.sketch("three")) == 128
    assert first not in children()


async def test_a_cancelled_text_harms_no_other(embedder: Embedder) -> None:
    tasks = [asyncio.create_task(embedder.sketch("one")) for _ in range(3)]
    await asyncio.sleep(0.05)
    tasks[0].cancel()
    assert await tasks[1] == await tasks[2]
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


async def test_a_text_that_takes_too_long_is_an_error() -> None:
    before = children()
    embedder = Embedder(time_limit_s=0.01)
    with pytest.raises(EmbeddingError, match=r"within 0\.01 s"):
        await embedder.sketch("one")
    await embedder.close()
    assert children() == before
    with pytest.raises(ValueError, match="positive"):
        Embedder(time_limit_s=0)


async def test_a_model_that_is_not_there_is_an_error(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_process(*_: object, **__: object) -> None:
        raise FileNotFoundError("no interpreter")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_process)
    with pytest.raises(EmbeddingError, match="could not start: no interpreter"):
        await embedder.sketch("one")


async def test_closing_ends_the_child_and_refuses_texts() -> None:
    embedder = Embedder()
    await embedder.sketch("one")
    waiting = asyncio.create_task(embedder.sketch("two"))
    await asyncio.sleep(0)
    await embedder.close()
    await embedder.close()
    for sketch in (waiting, embedder.sketch("three")):
        with pytest.raises(EmbeddingError, match="closed"):
            await sketch
    assert await embedder.sketch("one")
