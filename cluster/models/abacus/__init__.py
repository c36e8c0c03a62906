"""Abacus: a bundled reasoning model for small arithmetic, with everything that made it."""

from __future__ import annotations

from pathlib import Path


def weights_path() -> Path:
    """Return the folder with the model, its tokenizer and chat template, for vLLM to load."""
    return Path(__file__).resolve().parent / "weights"


def values_path() -> Path:
    """Return the file of value models that were learned from this model's traffic."""
    return Path(__file__).resolve().parent / "values.json"
