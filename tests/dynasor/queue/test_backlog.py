"""The forecast, and the door: who is refused, and when to come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.queue.backlog import Backlog, Door, Load
from dynasor.queue.settings import QueueSettings

loads = st.builds(Load, st.integers(0, 200), st.integers(0, 100), st.floats(0, 1e6))
limits = st.builds(
    QueueSettings,
    max_waiting=st.none() | st.integers(1, 50),
    max_wait_s=st.none() | st.floats(0.1, 1000),
)
deadlines = st.none() | st.floats(0.1, 1e4)


class TestBacklog:
    @given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.floats(-5, 1e6))))
    def test_is_the_sum_over_programs(self, changes: list[tuple[int, float | None]]) -> None:
        backlog, model = Backlog(), dict[str, int]()
        for number, tokens in changes:
            if tokens is None:
                backlog.drop(f"p{number}")
                model.pop(f"p{number}", None)
            else:
                backlog.set(f"p{number}", tokens)
                model[f"p{number}"] = max(0, round(tokens))
        assert backlog.tokens == sum(model.values())

    def test_is_worked_off_at_the_token_rate(self) -> None:
        backlog = Backlog()
        backlog.set("a", 5000)
        assert backlog.wait_s(100.0) == 50.0
        assert backlog.wait_s(0.0) == 0.0, "nothing is known yet"


class TestDoor:
    @given(limits, loads, deadlines)
    def test_says_when_to_come_back(
        self, settings: QueueSettings, load: Load, deadline_s: float | None
    ) -> None:
        refusal = Door(settings, max_programs=100).check(load, deadline_s)
        if refusal is not None:
            assert 1 <= refusal.retry_after_s <= 60 and refusal.retry_after_s % 1 == 0
            assert refusal.reason

    @given(limits, st.integers(0, 99), st.floats(0, 1e6), deadlines)
    def test_nobody_is_refused_while_nothing_waits(
        self, settings: QueueSettings, programs: int, wait_s: float, deadline_s: float | None
    ) -> None:
        load = Load(programs, 0, wait_s)
        assert Door(settings, max_programs=100).check(load, deadline_s) is None

    @given(limits, loads, deadlines, st.floats(0, 1), st.integers(0, 100))
    def test_who_is_taken_would_be_taken_under_less_load(
        self,
        settings: QueueSettings,
        load: Load,
        deadline_s: float | None,
        share: float,
        fewer: int,
    ) -> None:
        door = Door(settings, max_programs=100)
        less = Load(max(0, load.programs - fewer), load.waiting, share * load.wait_s)
        if door.check(load, deadline_s) is None:
            assert door.check(less, deadline_s) is None

    @given(st.floats(0.5, 50), st.floats(0, 100))
    def test_is_open_again_when_it_says(self, limit: float, wait_s: float) -> None:
        door = Door(QueueSettings(max_wait_s=limit), max_programs=100)
        refusal = door.check(Load(10, 5, wait_s))
        if refusal is not None and refusal.retry_after_s < 60:
            assert door.check(Load(10, 5, wait_s - refusal.retry_after_s)) is None

    def test_refuses_what_cannot_start_before_its_deadline(self) -> None:
        door = Door(QueueSettings(), max_programs=100)
        assert door.check(Load(10, 5, 20.0), deadline_s=30.0) is None
        refusal = door.check(Load(10, 5, 20.0), deadline_s=12.5)
        assert refusal is not None
        assert refusal.retry_after_s == 8

    @pytest.mark.parametrize("load", [Load(100, 0, 0.0), Load(60, 50, 200.0)])
    def test_bounds_what_is_in_progress_and_what_waits(self, load: Load) -> None:
        refusal = Door(QueueSettings(max_waiting=50), max_programs=100).check(load)
        assert refusal is not None
        assert 1 <= refusal.retry_after_s <= 4
