"""Places are started when they are needed, and all of them are ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from cluster.bench.systems.stage import Stage


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def place(self, name: str) -> Iterator[str]:
        self.lines.append(f"+{name}")
        try:
            yield f"http://{name}"
        finally:
            self.lines.append(f"-{name}")


def test_all_run_beside_each_other():
    log = Log()
    with Stage({"dynasor": lambda: log.place("a"), "baseline": lambda: log.place("b")}) as stage:
        assert stage.url("dynasor") == stage.url("dynasor") == "http://a"
        assert stage.url("baseline") == "http://b"
    assert sorted(log.lines[:2]) == ["+a", "+b"]
    assert sorted(log.lines[2:]) == ["-a", "-b"]


def test_one_at_a_time_where_there_is_no_room():
    log = Log()
    starters = {"dynasor": lambda: log.place("a"), "baseline": lambda: log.place("b")}
    with Stage(starters, together=False) as stage:  # type: ignore[arg-type]
        stage.url("dynasor")
        stage.url("baseline")
        stage.url("dynasor")
    assert log.lines == ["+a", "-a", "+b", "-b", "+a", "-a"]


def test_everything_ends_when_the_benchmark_breaks():
    log = Log()
    with (
        pytest.raises(KeyboardInterrupt),
        Stage({"dynasor": lambda: log.place("a"), "baseline": lambda: log.place("b")}) as stage,
    ):
        stage.url("dynasor")
        stage.url("baseline")
        raise KeyboardInterrupt
    assert sorted(log.lines[2:]) == ["-a", "-b"]


def test_what_runs_elsewhere_is_used_and_left_alone():
    log = Log()
    with Stage({"dynasor": lambda: log.place("a")}) as stage:
        stage.put("dynasor", nullcontext("http://elsewhere"))
        assert stage.url("dynasor") == "http://elsewhere"
    assert not log.lines
