"""One running application for all end-to-end tests, started as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest
import yaml

from cluster.cli.ports import free_port

ROOT = Path(__file__).parents[3]

# Makes Ray take 127.0.0.1 as this node's address, and so listen there only, also on Linux; both
# the application and a driver that joins it need to agree on it.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

VALUES = "values.json"
"""Where the controller keeps what it learns, in the application's home."""


@dataclass
class Application:
    """The running application.

    Attributes:
        pid: the process that `dynasor up` started.
        event_log: folder of the controller's log of all inputs and decisions.
    """

    url: str
    home: Path
    pid: int
    event_log: Path

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0)

    async def health(self) -> dict[str, Any]:
        async with httpx.AsyncClient(verify=False) as http:
            status: dict[str, Any] = (await http.get(f"{self.url}/health", timeout=10)).json()
        return status

    async def holds(self, **expected: int) -> bool:
        """Whether the cluster's status says this now."""
        status = await self.health()
        return all(status.get(key) == value for key, value in expected.items())

    async def all_busy(self) -> bool:
        """Whether more runs than one of the two engines has slots for."""
        return int((await self.health()).get("runs", 0)) > 64

    def log(self) -> str:
        return (self.home / ".run" / "serve.log").read_text(errors="replace")

    def replicas(self, deployment: str = "Engine") -> list[psutil.Process]:
        """The processes of a deployment's replicas."""
        everything = psutil.Process(self.pid).children(recursive=True)
        title = f"ray::ServeReplica:dynasor:{deployment}"
        return [process for process in everything if title in _command(process)]

    def engine_cores(self) -> list[psutil.Process]:
        """The processes in which vLLM computes, children of the replicas.

        vLLM gives them a title of their own, but not at once and not always.
        """
        children = [child for replica in self.replicas() for child in _children(replica)]
        titles = ("VLLM::EngineCore", "spawn_main")
        return [child for child in children if any(title in _command(child) for title in titles)]


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    home = tmp_path_factory.mktemp("application")
    config = yaml.safe_load((ROOT / "serve_configs" / "local.yaml").read_text())
    port = free_port()
    config["http_options"]["port"] = port
    event_log = home / "events"
    controller = config["applications"][0]["args"]["controller"]
    controller["event_log"] = str(event_log)
    controller["value_model_save"] = str(home / VALUES)
    controller["value_model_save_s"] = 1
    (home / "config.yaml").write_text(yaml.safe_dump(config))
    dynasor = [sys.executable, "-m", "cluster.cli"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*dynasor, "up", "config.yaml"], cwd=home, env=env, check=True, timeout=240)
    try:
        pid = int((home / ".run" / "serve.pid").read_text().split()[0])
        yield Application(f"http://127.0.0.1:{port}", home, pid, event_log)
    finally:
        subprocess.run([*dynasor, "down"], cwd=home, env=env, check=True, timeout=120)


@pytest.fixture
def client(application: Application) -> openai.OpenAI:
    return application.client


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the application, and comes last: unit tests fail sooner."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker("cluster")
    items[:] = [item for item in items if item not in here] + here
