"""What is done by the clock goes on whatever fails, and is done a last time at the end."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.controller import chores
from cluster.controller.chores import Chores
from dynasor.stats import Stats
from tests.waiting import until


class FakeShell:
    def __init__(self) -> None:
        self.document: dict[str, Any] = {"episodes": 0}
        self.asked = 0
        self.broken = False

    def stats(self) -> Stats:
        self.asked += 1
        if self.broken:
            raise RuntimeError("no numbers")
        return Stats(programs=self.asked)

    def learned(self) -> dict[str, Any]:
        return dict(self.document)


class FakeFile:
    def __init__(self) -> None:
        self.saved: list[dict[str, Any]] = []

    async def save(self, document: dict[str, Any]) -> None:
        self.saved.append(document)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "METRICS_PERIOD_S", 0.001)


async def test_values_are_saved_again_and_again_and_at_the_end() -> None:
    shell, file = FakeShell(), FakeFile()
    running = Chores(shell, file, 0.001)  # type: ignore[arg-type]
    await until(lambda: len(file.saved) >= 2)
    shell.document = {"episodes": 9}
    await running.close()
    assert file.saved[-1] == {"episodes": 9}


async def test_the_end_does_not_wait_for_the_next_time() -> None:
    shell, file = FakeShell(), FakeFile()
    await Chores(shell, file, 3600).close()  # type: ignore[arg-type]
    assert file.saved == [{"episodes": 0}]


async def test_a_chore_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    shell, file = FakeShell(), FakeFile()
    shell.broken = True
    running = Chores(shell, file, 0.001)  # type: ignore[arg-type]
    await until(lambda: shell.asked >= 3 and len(file.saved) >= 1)
    await running.close()
    assert "no numbers" in caplog.text
