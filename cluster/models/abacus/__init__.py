"""Abacus: a bundled reasoning model for small arithmetic, with everything that made it."""

from __future__ import annotations

from pathlib import Path


def weights_path() -> Path:
    """Return the folder with the model, its tokenizer and chat template, for vLLM to load."""
    return Path(__file__).resolve().parent / "weights"
