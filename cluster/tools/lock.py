"""Print the lock file of the CPU environment (`make lock`).

pip resolves the project with its `cpu` and `dev` extras; what can't be used beside a CPU torch is
left out, and local version labels (`+cpu`) too, for indexes differ in them.
"""

from __future__ import annotations

import json
import subprocess
import sys

UNWANTED = frozenset({"dynasor", "torchaudio", "torchcodec", "torchvision"})
"""The project itself, and packages that exist for CUDA only; no text model needs them."""


def resolve() -> list[str]:
    """``name==version`` of every package. Raises CalledProcessError when pip finds no solution."""
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    done = subprocess.run(
        [*pip, "--report", "-", ".[cpu,dev]"], check=True, stdout=subprocess.PIPE, text=True
    )
    packages = [item["metadata"] for item in json.loads(done.stdout)["install"]]
    names = {item["name"].lower().replace("_", "-"): item["version"] for item in packages}
    return [
        f"{name}=={version.split('+')[0]}"
        for name, version in sorted(names.items())
        if name not in UNWANTED
    ]


if __name__ == "__main__":
    print(*resolve(), sep="\n")
