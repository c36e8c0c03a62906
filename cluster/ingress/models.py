"""Model names: the served model, and a virtual model per algorithm (`abacus:ALGORITHM`)."""

from __future__ import annotations

from typing import Any

from cluster.ingress.errors import model_not_found
from cluster.settings import ModelSettings
from dynasor.algorithms import ALGORITHMS, PLAIN


class Models:
    """Resolves the names that clients put into ``model``."""

    def __init__(self, settings: ModelSettings, created: int) -> None:
        """``created``: Unix time shown as the models' creation, in seconds."""
        self._created = created
        self._max_model_len = settings.max_model_len
        self.base = settings.name
        self._algorithms: dict[str, str | None] = {self.base: None}
        for name in ALGORITHMS:
            if name != PLAIN:
                self._algorithms[self.name(name)] = name

    def name(self, algorithm: str) -> str:
        """The model name that stands for an algorithm."""
        return self.base if algorithm == PLAIN else f"{self.base}:{algorithm.replace('_', '-')}"

    def algorithm(self, name: str) -> str | None:
        """The algorithm a model name stands for; None: the model itself. Raises ApiError (404)."""
        try:
            return self._algorithms[name]
        except KeyError:
            raise model_not_found(name, list(self._algorithms)) from None

    def listing(self) -> dict[str, Any]:
        """All models, as ``GET /v1/models`` answers."""
        return {"object": "list", "data": [self.card(name) for name in self._algorithms]}

    def card(self, name: str) -> dict[str, Any]:
        """One model, as ``GET /v1/models/{id}`` answers. Raises ApiError (404)."""
        algorithm = self.algorithm(name)
        card: dict[str, Any] = {
            "id": name,
            "object": "model",
            "created": self._created,
            "owned_by": "dynasor",
            "root": self.base,
            "parent": None if algorithm is None else self.base,
            "max_model_len": self._max_model_len,
        }
        if algorithm is not None:
            params = ALGORITHMS.get(algorithm, "model").Params
            card["program"] = {"algorithm": algorithm, **params().model_dump(mode="json")}
        return card
