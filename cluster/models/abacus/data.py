"""Endless training batches, the same for the same seed, whatever machine draws them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from cluster.models.abacus.reasoner import Document, make_document
from cluster.models.abacus.tokenizer import END, PAD, mark_id, render_prompt

POOL_DOCUMENTS = 4096
"""Documents drawn at once; within a pool, documents of like length share a batch."""

MICRO_TOKENS = 3328
"""Upper limit of a micro-batch, padding included."""

MICROS_PER_STEP = 2

_PROMPT_WEIGHT = 0.03


@dataclass(frozen=True)
class Micro:
    """Documents side by side: ids (rows, time) and, for each id, its weight in the loss."""

    ids: Tensor
    weights: Tensor


def pool_steps(tokenizer: Tokenizer, seed: int, pool: int) -> Iterator[list[Micro]]:
    """Yield the optimizer steps of one pool, each MICROS_PER_STEP micro-batches."""
    rng = random.Random(f"abacus:{seed}:{pool}")
    documents = [make_document(rng) for _ in range(POOL_DOCUMENTS)]
    rows = sorted(_encode(tokenizer, documents), key=lambda row: len(row[0]))
    micros = _group(rows)
    rng.shuffle(micros)
    pad_id = mark_id(tokenizer, PAD)
    for start in range(0, len(micros) - MICROS_PER_STEP + 1, MICROS_PER_STEP):
        yield [_stack(micro, pad_id) for micro in micros[start : start + MICROS_PER_STEP]]


Row = tuple[list[int], list[float]]


def _encode(tokenizer: Tokenizer, documents: list[Document]) -> list[Row]:
    texts: list[str] = []
    weights: list[list[float]] = []
    for document in documents:
        segments = [
            (render_prompt(document.question, document.system), _PROMPT_WEIGHT),
            *document.segments,
            (END, 1.0),
        ]
        texts += [text for text, _ in segments]
        weights.append([weight for _, weight in segments])
    encodings = iter(tokenizer.encode_batch_fast(texts, add_special_tokens=False))
    rows: list[Row] = []
    for segment_weights in weights:
        ids: list[int] = []
        row_weights: list[float] = []
        for weight in segment_weights:
            part = next(encodings).ids
            ids += part
            row_weights += [weight] * len(part)
        rows.append((ids, row_weights))
    return rows


def _group(rows: list[Row]) -> list[list[Row]]:
    groups: list[list[Row]] = []
    current: list[Row] = []
    for row in rows:
        if current and (len(current) + 1) * len(row[0]) > MICRO_TOKENS:
            groups.append(current)
            current = []
        current.append(row)
    return [*groups, current]


def _stack(rows: list[Row], pad_id: int) -> Micro:
    time = max(len(ids) for ids, _ in rows)
    ids = [ids + [pad_id] * (time - len(ids)) for ids, _ in rows]
    weights = [weights + [0.0] * (time - len(weights)) for _, weights in rows]
    return Micro(torch.tensor(ids), torch.tensor(weights))
