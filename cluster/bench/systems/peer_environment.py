"""An environment of its own for ray.serve.llm: the project's packages, and two that it lacks."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from cluster.cli.errors import CliError

PEERS = Path(".run/peers")
PACKAGES = ("pyarrow==26.0.1", "jsonref==1.1.0")
"""What ray.serve.llm imports beyond ``ray[serve]`` and vLLM; `ray[llm]` pins another vLLM."""


def ray_serve_llm_python(folder: Path = PEERS / "ray-serve-llm") -> Path:
    """The interpreter of that environment, which is made if it is not there or out of date.

    It sees what is installed in the environment that this runs in (4 GB, which are not installed
    twice, so that both have the same Ray, vLLM and torch), but not this project.

    Raises:
        CliError: it can't be made; says what pip said.
    """
    folder = folder.absolute()
    python, mark = folder / "bin" / "python", folder / "made-from"
    recipe = "\n".join([sys.version, sysconfig.get_path("purelib"), *PACKAGES])
    if mark.is_file() and mark.read_text() == recipe and python.is_file():
        return python
    _call(sys.executable, "-m", "venv", "--clear", str(folder))
    _call(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
          "--no-deps", *PACKAGES)  # fmt: skip
    site = Path(_call(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    (site / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    mark.write_text(recipe)
    return python


def _call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CliError(f"{' '.join(command)} failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout.strip()
