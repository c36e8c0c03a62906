"""What of pip's resolution goes into the lock file."""

from typing import Any

from cluster.tools.lock import needed


def package(name: str, *requires: str, version: str = "1.0") -> dict[str, Any]:
    return {"name": name, "version": version, "requires_dist": list(requires)}


def test_what_only_unwanted_packages_ask_for_is_left_out() -> None:
    packages = [
        package("dynasor", "Weights", 'torch; extra == "cpu"', 'gpu_only; extra == "gpu"'),
        package("weights", "sentence_transformers>=2", "both"),
        package("sentence-transformers", "scikit-learn", "both", "torch"),
        package("scikit-learn"),
        package("both"),
        package("torch", "typing_extensions", version="2.0+cpu"),
        package("typing-extensions"),
        package("gpu-only"),
    ]
    assert needed(packages) == ["both==1.0", "torch==2.0", "typing-extensions==1.0", "weights==1.0"]


def test_extras_bring_what_they_ask_for_also_when_they_are_found_late() -> None:
    packages = [
        package("dynasor", "a", "b"),
        package("a", 'x; extra == "more_things"', "b"),
        package("b", "a[more-things]", 'y; python_version < "3"'),
        package("x"),
        package("y"),
    ]
    assert needed(packages) == ["a==1.0", "b==1.0", "x==1.0"]
