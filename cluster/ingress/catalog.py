"""What programs may be made of: `GET /v1/programs/algorithms` and `/v1/programs/policies`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from cluster.ingress.models import Models
from dynasor.algorithms import ALGORITHMS
from dynasor.policies import POLICIES
from dynasor.registry import Params


def algorithms(models: Models, scorers: Sequence[str]) -> dict[str, Any]:
    """Every algorithm with its parameters; ``scorers``: who judges chains in this cluster."""
    return _listing([_algorithm(name, models, scorers) for name in ALGORITHMS])


def policies() -> dict[str, Any]:
    """Every allocator policy with its parameters."""
    return _listing([_entry(name, POLICIES.get(name, "policy")) for name in POLICIES])


def _algorithm(name: str, models: Models, scorers: Sequence[str]) -> dict[str, Any]:
    kind = ALGORITHMS.get(name, "algorithm")
    default = kind(kind.Params())
    return {
        **_entry(name, kind),
        "model": models.name(name),
        "source": kind.source,
        "scorer": default.scorer,
        "available": default.scorer is None or default.scorer in scorers,
    }


def _entry(name: str, kind: Any) -> dict[str, Any]:
    params: type[Params] = kind.Params
    description = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    return {
        "id": name,
        "description": " ".join(description.split()),
        "parameters": params.model_json_schema(),
    }


def _listing(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": entries}
