"""Print the lock file of the CPU environment (`make lock`).

pip resolves the project with its `cpu` and `dev` extras; what can't be used beside a CPU torch or
is not needed is left out, with all that only it asks for. Local version labels (`+cpu`) are left
out too, for indexes differ in them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

PROJECT = canonicalize_name("dynasor")
EXTRAS = frozenset({"cpu", "dev"})

UNWANTED = frozenset({"sentence-transformers", "torchaudio", "torchcodec", "torchvision"})
"""The audio and vision packages exist for CUDA only, and no text model needs them. The sentence
embedder's weights are read without the library that their package asks for."""


def resolve() -> list[dict[str, Any]]:
    """Metadata of all packages, as pip reports it.

    Raises CalledProcessError when pip finds no solution.
    """
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    target = f".[{','.join(sorted(EXTRAS))}]"
    done = subprocess.run(
        [*pip, "--report", "-", target], check=True, stdout=subprocess.PIPE, text=True
    )
    return [item["metadata"] for item in json.loads(done.stdout)["install"]]


def needed(packages: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return ``name==version`` of what the project needs without what is unwanted, by name."""
    by_name = {canonicalize_name(package["name"]): package for package in packages}
    reached: dict[NormalizedName, set[str]] = {}
    waiting: list[tuple[NormalizedName, frozenset[str]]] = [(PROJECT, EXTRAS)]
    while waiting:
        name, extras = waiting.pop()
        if name in UNWANTED or name not in by_name:
            continue
        known = reached.get(name)
        if known is not None and extras <= known:
            continue
        reached[name] = set(extras) | (known or set())
        for line in by_name[name].get("requires_dist", ()):
            requirement = Requirement(line)
            if _applies(requirement, reached[name]):
                wanted = frozenset(map(canonicalize_name, requirement.extras))
                waiting.append((canonicalize_name(requirement.name), wanted))
    return [
        f"{name}=={by_name[name]['version'].split('+')[0]}"
        for name in sorted(reached)
        if name != PROJECT
    ]


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


if __name__ == "__main__":
    print(*needed(resolve()), sep="\n")
