"""The core is pure: it can be imported, read and tested without an engine, a cluster or a clock."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dynasor

ROOT = Path(dynasor.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
HEAVY = {"ray", "vllm", "torch", "transformers", "cluster"}
IMPURE = {
    "asyncio",
    "concurrent",
    "datetime",
    "http",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "queue",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval"}


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of what a source imports, wherever the statement stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def called(tree: ast.AST) -> Iterator[str]:
    """Names of the plain functions a source calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def test_importing_everything_pulls_in_no_engine_and_no_cluster() -> None:
    modules = [
        ".".join(source.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        for source in SOURCES
    ]
    assert "dynasor.core" in modules and "dynasor" in modules
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {modules}]; "
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT.parent
    )
    assert not HEAVY & set(run.stdout.split())


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_clock_no_thread_no_io(source: Path) -> None:
    tree = ast.parse(source.read_text())
    assert not (HEAVY | IMPURE) & set(imported(tree))
    assert not IMPURE_CALLS & set(called(tree))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_chance_without_a_seed(source: Path) -> None:
    tree = ast.parse(source.read_text())
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                assert all(name.name != "random" for name in names), "import Random from it"
            case ast.ImportFrom(module="random", names=names):
                assert [name.name for name in names] == ["Random"]
            case ast.Call(func=ast.Name(id="Random"), args=arguments):
                assert arguments, "a seed"
