"""Abacus-prm: a bundled process reward model that judges abacus' thinking line by line."""

from __future__ import annotations

from pathlib import Path


def weights_path() -> Path:
    """Return the folder with the model and its tokenizer, for vLLM's pooling runner to load."""
    return Path(__file__).resolve().parent / "weights"
