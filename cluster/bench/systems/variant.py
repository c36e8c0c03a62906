"""A Serve config with changes, at a free port of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cluster.cli.config import read_config
from cluster.cli.errors import CliError
from cluster.settings import Settings
from dynasor.errors import first_invalid

BASELINE: dict[str, Any] = {
    "controller": {
        "policy": "even",
        "queue": {"order": "fcfs"},
        "placement": {"policy": "round_robin"},
    }
}
"""What a cluster without any of this project's scheduling does: all of it, in order, in turn."""


class Variant:
    """The application of a Serve config, with other settings.

    Attributes:
        settings: of the application, changes included.
        replicas: engines that generate.
    """

    def __init__(
        self, path: Path, changes: Mapping[str, Any] | None = None, reward: bool = True
    ) -> None:
        """
        Args:
            changes: to ``args`` of the application, as deep as they go.
            reward: False: leave out the reward model and its engines.

        Raises:
            CliError: the config can't be read, or is no config of this application.
        """
        read_config(path)
        self._document: dict[str, Any] = yaml.safe_load(path.read_text())
        application = self._document["applications"][0]
        args = _merged(application.get("args") or {}, changes or {})
        deployments = application.get("deployments") or []
        if not reward:
            args["reward"] = None
            deployments = [one for one in deployments if one["name"] != "Scorer"]
        application["args"], application["deployments"] = args, deployments
        try:
            self.settings = Settings.model_validate(args)
        except ValidationError as error:
            raise CliError(f"{path}: {first_invalid(error, 'args')}") from None
        counts = {one["name"]: one.get("num_replicas", 1) for one in deployments}
        self.replicas = counts.get("Engine", 1)
        if not isinstance(self.replicas, int):
            raise CliError(f"{path}: num_replicas of Engine must be a number, to compare systems")

    def write(self, folder: Path, port: int) -> Path:
        """Write it as a Serve config that listens at a port of this machine; returns its path."""
        http = {**(self._document.get("http_options") or {}), "host": "127.0.0.1", "port": port}
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump({**self._document, "http_options": http}))
        return path


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged
