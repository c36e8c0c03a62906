"""The peer's environment is made once, beside the project's."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from cluster.bench.systems import peer_environment
from cluster.bench.systems.peer_environment import PACKAGES, ray_serve_llm_python


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """What was called, and a folder in place of a real environment."""
    made: list[tuple[str, ...]] = []

    def call(*command: str) -> str:
        made.append(command)
        if "venv" in command:
            (tmp_path / "peer" / "bin").mkdir(parents=True, exist_ok=True)
            (tmp_path / "peer" / "bin" / "python").touch()
        return str(tmp_path / "peer")

    monkeypatch.setattr(peer_environment, "_call", call)
    return made


def test_it_gets_what_it_lacks_and_sees_the_rest(calls: list[tuple[str, ...]], tmp_path: Path):
    python = ray_serve_llm_python(tmp_path / "peer")
    assert python == tmp_path / "peer" / "bin" / "python"
    install = next(call for call in calls if "install" in call)
    assert install[0] == str(python)
    assert {"--no-deps", *PACKAGES} <= set(install)
    assert (tmp_path / "peer" / "shared.pth").read_text().strip() == sysconfig.get_path("purelib")


def test_it_is_made_again_only_when_something_changed(
    calls: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ray_serve_llm_python(tmp_path / "peer")
    once = len(calls)
    ray_serve_llm_python(tmp_path / "peer")
    assert len(calls) == once
    monkeypatch.setattr(peer_environment, "PACKAGES", ("pyarrow==1",))
    ray_serve_llm_python(tmp_path / "peer")
    assert len(calls) > once
