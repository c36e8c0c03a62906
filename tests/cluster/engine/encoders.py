"""Embeddings, for a process of one thread."""

from collections.abc import Sequence

from cluster.engine.embedding_child import load


def together(texts: Sequence[str]) -> list[list[float]]:
    embeddings: list[list[float]] = load().encode(texts).tolist()
    return embeddings


def one_by_one(texts: Sequence[str]) -> list[list[float]]:
    encoder = load()
    return [encoder.encode([text])[0].tolist() for text in texts]
