"""What programs may be made of, and what the cluster does with them: `GET /v1/programs/algorithms`,
`/v1/programs/policies` and `/v1/cluster`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import msgspec

from cluster.ingress.models import Models
from cluster.protocol import Status
from dynasor.algorithms import ALGORITHMS
from dynasor.policies import POLICIES
from dynasor.registry import Params
from dynasor.stats import Stats


def algorithms(models: Models, scorers: Sequence[str]) -> dict[str, Any]:
    """Every algorithm with its parameters; ``scorers``: who judges chains in this cluster."""
    return _listing([_algorithm(name, models, scorers) for name in ALGORITHMS])


def policies() -> dict[str, Any]:
    """Every allocator policy with its parameters."""
    return _listing([_entry(name, POLICIES.get(name, "policy")) for name in POLICIES])


def cluster(status: Status, stats: Stats) -> dict[str, Any]:
    """The cluster now: its replicas, and what the controller counts; see `dynasor.stats.Stats`."""
    replicas = {"replicas": status.replicas, "scorers": status.scorers}
    return {"object": "cluster", **replicas, **msgspec.to_builtins(stats)}


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
