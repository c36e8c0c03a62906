"""Sketches of embeddings: sign bits of random projections (SimHash, Charikar 2002).

The share of bits in which two sketches differ estimates the angle between the embeddings, so that
comparing two texts costs one XOR wherever the sketches are sent.
"""

from __future__ import annotations

import math


def similarity(a: bytes, b: bytes) -> float:
    """Estimated cosine of the angle between two embeddings, in [-1, 1].

    With 1,024 bits its standard error is about 0.01 at a cosine of 0.95.

    Raises:
        ValueError: the sketches are empty or of different length.
    """
    if len(a) != len(b) or not a:
        raise ValueError(f"sketches must be of one length above 0, got {len(a)} and {len(b)} bytes")
    differing = (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()
    return math.cos(math.pi * differing / (8 * len(a)))
