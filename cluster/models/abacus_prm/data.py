"""Endless training batches of judged responses, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer
from torch import Tensor

from cluster.models.abacus.data import MICRO_TOKENS, MICROS_PER_STEP
from cluster.models.abacus.tokenizer import PAD, mark_id, render_prompt
from cluster.models.abacus_prm.judge import Piece, judge
from cluster.models.abacus_prm.mistakes import HIGHEST_LEVEL, Document, make_document

POOL_DOCUMENTS = 4096
"""Documents drawn at once; within a pool, documents of like length share a batch."""

NO_ID = -100
"""Stands where no id is known to be exact; `torch.nn.functional.cross_entropy` skips it."""

# In short documents a slip is near its judgement: what a slip is, is learned from them first.
_FIRST_POOLS = ((3, 2), (5, 4))

_EXACT_TOKEN = 0.1
_EXACT_PIECE = 1.0
_INEXACT = -2.0


@dataclass(frozen=True)
class Row:
    """A document's ids and, for each of them, what is to be learned there.

    Attributes:
        scores: weight of the score after the id; above 0 if it should be 1, below 0 if 0.
        sounds: likewise for whether the line is exact so far.
        exact: the id that an exact line would have here, or NO_ID.
    """

    ids: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    sounds: list[float] = field(default_factory=list)
    exact: list[int] = field(default_factory=list)

    def add(self, piece: Piece, ids: Sequence[int], exact: Sequence[int]) -> None:
        """Add a piece, its ids, and the ids of its exact form if it has one."""
        silent = [0.0] * (len(ids) - 1)
        self.ids.extend(ids)
        self.scores.extend([*silent, piece.weight if piece.right else -piece.weight])
        if piece.exact is None:
            self.sounds.extend([*silent, _INEXACT if piece.ends_step else 0.0])
            self.exact.extend([NO_ID] * len(ids))
            return
        for index, token in enumerate(ids):
            known = index < len(exact) and ids[:index] == exact[:index]
            last = index == len(ids) - 1
            self.exact.append(exact[index] if known else NO_ID)
            if known and token == exact[index]:
                self.sounds.append(_EXACT_PIECE if last else _EXACT_TOKEN)
            else:
                self.sounds.append(_INEXACT)


@dataclass(frozen=True)
class Micro:
    """Rows side by side; all of shape (rows, time)."""

    ids: Tensor
    scores: Tensor
    sounds: Tensor
    exact: Tensor


def pool_steps(tokenizer: Tokenizer, seed: int, pool: int) -> Iterator[list[Micro]]:
    """Yield the optimizer steps of one pool, each MICROS_PER_STEP micro-batches."""
    rng = random.Random(f"abacus-prm:{seed}:{pool}")
    highest = next((level for end, level in _FIRST_POOLS if pool < end), HIGHEST_LEVEL)
    rows = encode(tokenizer, [make_document(rng, highest) for _ in range(POOL_DOCUMENTS)])
    micros = _group(sorted(rows, key=lambda row: len(row.ids)))
    rng.shuffle(micros)
    pad_id = mark_id(tokenizer, PAD)
    for start in range(0, len(micros) - MICROS_PER_STEP + 1, MICROS_PER_STEP):
        yield [_stack(micro, pad_id) for micro in micros[start : start + MICROS_PER_STEP]]


def encode(tokenizer: Tokenizer, documents: Sequence[Document]) -> list[Row]:
    """Return a row for each document."""
    pieces = [
        [Piece(render_prompt(each.problem.text, each.system)), *judge(each.problem, each.response)]
        for each in documents
    ]
    texts = [
        text for group in pieces for piece in group for text in (piece.text, piece.exact or "")
    ]
    encodings = iter(tokenizer.encode_batch_fast(texts, add_special_tokens=False))
    rows = []
    for group in pieces:
        row = Row()
        for piece in group:
            row.add(piece, next(encodings).ids, next(encodings).ids)
        rows.append(row)
    return rows


def _group(rows: list[Row]) -> list[list[Row]]:
    groups: list[list[Row]] = []
    current: list[Row] = []
    for row in rows:
        if current and (len(current) + 1) * len(row.ids) > MICRO_TOKENS:
            groups.append(current)
            current = []
        current.append(row)
    return [*groups, current]


def _stack(rows: list[Row], pad_id: int) -> Micro:
    return Micro(
        _padded([row.ids for row in rows], pad_id),
        _padded([row.scores for row in rows], 0.0),
        _padded([row.sounds for row in rows], 0.0),
        _padded([row.exact for row in rows], NO_ID),
    )


def _padded(lists: Sequence[Sequence[float]], filler: float) -> Tensor:
    time = max(len(values) for values in lists)
    return torch.tensor([[*values, *[filler] * (time - len(values))] for values in lists])
