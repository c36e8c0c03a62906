"""What `dynasor up` needs to know of a Serve config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.cli.errors import CliError

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses to listen on that nobody can connect to, and what to connect to instead."""


@dataclass(frozen=True, slots=True)
class Config:
    """A Serve config.

    Attributes:
        host: where the HTTP proxy listens.
        model: the served model's name.
        engines: engine replicas it starts with, at least: those that generate, and scorers.
    """

    path: Path
    host: str
    port: int
    model: str
    engines: int

    @property
    def address(self) -> tuple[str, int]:
        """Where a client on this machine connects."""
        return ANY.get(self.host, self.host), self.port

    @property
    def url(self) -> str:
        """Base URL for a client on this machine."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def read_config(path: Path) -> Config:
    """Read a Serve config; Serve itself checks the rest of it.

    Raises:
        CliError: there is no such file, or it is no Serve config.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise CliError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CliError(f"{path}: no YAML: {error}") from None
    try:
        applications: list[dict[str, Any]] = document["applications"]
        http = document.get("http_options") or {}
        model = ((applications[0].get("args") or {}).get("model") or {}).get("name", "abacus")
        host, port = str(http.get("host", "127.0.0.1")), int(http.get("port", 8000))
        return Config(path, host, port, model, _engines(applications[0]))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise CliError(f"{path}: no Serve config (it needs a list of applications)") from None


def _engines(application: dict[str, Any]) -> int:
    counts = {"Engine": 1}
    if (application.get("args") or {}).get("reward") is not None:
        counts["Scorer"] = 1
    for deployment in application.get("deployments") or ():
        count = deployment.get("num_replicas", 1)
        # Autoscaled ones ("auto") start with as many as their own settings say.
        if deployment.get("name") in counts and isinstance(count, int):
            counts[deployment["name"]] = count
    return sum(counts.values())
