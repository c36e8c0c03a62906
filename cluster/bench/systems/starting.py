"""Starts systems on this machine, each in a Ray cluster of its own, and ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from cluster.bench.systems import peer_server
from cluster.bench.systems.peer_environment import ray_serve_llm_python
from cluster.bench.systems.variant import Variant
from cluster.cli.config import read_config
from cluster.cli.errors import CliError
from cluster.cli.ports import free_port
from cluster.cli.server import Server
from cluster.cli.up import RAY_ENVIRONMENT, bring_up
from cluster.engine.arguments import engine_arguments

START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.25
TAIL_LINES = 25

Say = Callable[[str], None]
"""Takes a line about what is going on."""

HOST = "127.0.0.1"
PEER_CPUS = 0.1
"""CPUs that a replica of the peer reserves besides its engine's."""


@contextmanager
def cluster(variant: Variant, folder: Path, say: Say) -> Iterator[str]:
    """This project's cluster for as long as the context lasts; gives its URL.

    Args:
        folder: for its config, log and pid.

    Raises:
        CliError: it did not come up; nothing is left running then.
    """
    config, server = read_config(variant.write(folder, free_port())), Server(folder)
    took_s = bring_up(config, server, START_TIMEOUT_S, lambda elapsed: None)
    say(f"{folder.name}: ready after {took_s:.0f} s at {config.url}")
    try:
        yield config.url
    finally:
        server.stop(STOP_TIMEOUT_S)


@contextmanager
def ray_serve_llm(variant: Variant, folder: Path, say: Say) -> Iterator[str]:
    """`ray.serve.llm` with the same model, engine arguments and number of replicas; see `cluster`.

    Its environment is made first if it is not there.
    """
    python = ray_serve_llm_python()
    spec = {"host": HOST, "port": free_port(), "llm": llm_arguments(variant)}
    folder.mkdir(parents=True, exist_ok=True)
    told, ready = folder / "spec.json", folder / "ready"
    told.write_text(json.dumps(spec))
    ready.unlink(missing_ok=True)
    server = Server(folder)
    if server.members():
        raise CliError(f"a server runs already, see {server.log}")
    server.forget()
    # RAYLLM_…: it would log every prompt.
    environment = {**RAY_ENVIRONMENT, "RAYLLM_ENABLE_REQUEST_PROMPT_LOGS": "0", **os.environ}
    script = Path(peer_server.__file__)
    # -P: else the script's folder, with modules of ours, would come first on its path.
    command = [str(python), "-P", str(script), str(told), str(ready)]
    process = server.start(command, environment)
    try:
        took_s = _wait(server, process, ready)
        url = f"http://{HOST}:{spec['port']}"
        say(f"{folder.name}: ready after {took_s:.0f} s at {url}")
        yield url
    finally:
        server.stop(STOP_TIMEOUT_S)


def llm_arguments(variant: Variant) -> dict[str, Any]:
    """What `ray.serve.llm.build_openai_app` is given, to serve what a cluster of ours does.

    Its ingress is one replica, as ours is: on two cores more of them only take time from engines.
    """
    settings = variant.settings
    engine = engine_arguments(settings)
    model, name = engine.pop("model"), engine.pop("served_model_name")
    # It chooses one by itself: on CPUs one with a process more than ours.
    engine.pop("distributed_executor_backend", None)
    # Of this project, which is not in its environment.
    engine.pop("worker_cls", None)
    llm: dict[str, Any] = {
        "model_loading_config": {"model_id": name, "model_source": model},
        "engine_kwargs": engine,
        "log_engine_metrics": False,
        "runtime_env": {"env_vars": settings.engine.env},
        "deployment_config": {
            "num_replicas": variant.replicas,
            "ray_actor_options": {"num_cpus": PEER_CPUS},
        },
    }
    if settings.engine.device == "cpu":
        llm["accelerator_config"] = {"kind": "cpu"}
        llm["placement_group_config"] = {"bundles": [{"CPU": settings.engine.num_cpus}]}
    ingress = {
        "num_replicas": 1,
        "autoscaling_config": None,
        "ray_actor_options": {"num_cpus": PEER_CPUS},
    }
    return {"llm_configs": [llm], "ingress_deployment_config": ingress}


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM, too, ends what is going on as Ctrl-C does: else it would leave servers behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def tell(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)


def _wait(server: Server, process: subprocess.Popen[bytes], ready: Path) -> float:
    """Until the file is there; returns for how many seconds. Raises CliError: it never was."""
    started = time.monotonic()
    while not ready.exists():
        elapsed = time.monotonic() - started
        if process.poll() is not None or elapsed > START_TIMEOUT_S:
            why = f"ray.serve.llm does not serve after {elapsed:.0f} s"
            raise CliError(f"{why}; the end of {server.log}:\n{server.tail(TAIL_LINES)}")
        time.sleep(POLL_S)
    return time.monotonic() - started
