"""Models that ship with the package."""

from __future__ import annotations

from pathlib import Path

from cluster.models import abacus, abacus_prm

BUNDLED = {"abacus": abacus.weights_path, "abacus-prm": abacus_prm.weights_path}

VALUES = {"abacus": abacus.values_path}


def model_path(model_id: str) -> str:
    """Where a model's files are: the bundled ones by name, any other id unchanged."""
    return str(BUNDLED[model_id]()) if model_id in BUNDLED else model_id


def values_path(name: str) -> Path:
    """The file of value models: the bundled ones by the model's name, any other is a path."""
    return VALUES[name]() if name in VALUES else Path(name)
