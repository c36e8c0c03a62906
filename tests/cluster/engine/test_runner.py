"""The runner keeps leases, stops on command, and reports every token exactly once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cluster.engine.runner import Runner
from dynasor.answers import Answer
from dynasor.messages import Close, Extend, Load, Open, Report, RunReport, Start, Stop
from dynasor.phrases import Phrases
from tests.cluster.engine.fake import FakeEngine, LastWord, Sent, runner_of
from tests.waiting import until

OPEN = Open("p", (7, 8, 9), {"temperature": 1.0}, Phrases())


def start(run: int = 1, lease: int = 100, limit: int = 100, **changes: Any) -> Start:
    fields = {"generated": (), "prefix": (), "branch": run, "program": "p", **changes}
    return Start(run=run, lease=lease, max_tokens=limit, **fields)


def make(length: int = 10) -> tuple[Runner, FakeEngine, Sent]:
    engine, sent = FakeEngine(length), Sent()
    return runner_of(engine, LastWord(), sent), engine, sent


async def gather_until_end(runner: Runner) -> list[RunReport]:
    """All reports of one run, up to the one with its end."""
    reports: list[RunReport] = []
    while not reports or reports[-1].end is None:
        await runner.news.wait()
        reports += runner.take_report().runs
    return reports


async def test_a_branch_runs_to_its_end_and_every_token_is_reported_once() -> None:
    runner, engine, _ = make(length=10)
    await runner.apply((OPEN, start()))
    reports = await gather_until_end(runner)
    tokens = [token for report in reports for token in report.tokens]
    assert tokens == list(range(10))
    assert [report.start for report in reports] == [
        sum(len(earlier.tokens) for earlier in reports[:i]) for i in range(len(reports))
    ]
    end = reports[-1].end
    assert end is not None and end.reason == "stop" and end.answer is not None
    assert end.answer.text == "9"
    assert engine.contexts["run-1"] == (7, 8, 9)
    await until(lambda: runner.running == 0)


async def test_a_lease_that_is_not_extended_ends_the_run() -> None:
    runner, engine, _ = make(length=50)
    await runner.apply((OPEN, start(lease=5)))
    reports = await gather_until_end(runner)
    end = reports[-1].end
    assert end is not None and end.reason == "lease" and end.answer is None
    assert 5 <= sum(len(report.tokens) for report in reports) <= 6
    assert not engine.live


async def test_an_extended_lease_goes_on_in_the_same_request() -> None:
    runner, engine, _ = make(length=20)
    engine.paused.clear()
    await runner.apply((OPEN, start(lease=5), Extend(1, 100)))
    engine.paused.set()
    reports = await gather_until_end(runner)
    assert reports[-1].end is not None and reports[-1].end.reason == "stop"
    assert len(engine.contexts) == 1


async def test_a_resumed_branch_continues_after_its_tokens() -> None:
    runner, engine, _ = make(length=4)
    await runner.apply((OPEN, start(generated=(0, 1, 2), prefix=(5,), limit=10)))
    reports = await gather_until_end(runner)
    assert engine.contexts["run-1"] == (7, 8, 9, 5, 0, 1, 2)
    assert engine.sampling["run-1"]["max_tokens"] == 7
    assert reports[0].start == 3


async def test_a_branch_at_its_limit_ends_without_the_engine() -> None:
    runner, engine, _ = make()
    await runner.apply((OPEN, start(generated=(0, 1), limit=2)))
    reports = await gather_until_end(runner)
    assert reports[-1].end is not None and reports[-1].end.reason == "length"
    assert not engine.contexts


async def test_stop_ends_a_run_and_reports_what_it_has() -> None:
    runner, engine, _ = make(length=400)
    await runner.apply((OPEN, start(lease=400, limit=400)))
    await runner.news.wait()
    await runner.apply((Stop(1), Stop(1), Close("p")))
    reports = await gather_until_end(runner)
    assert reports[-1].end is not None and reports[-1].end.reason == "stopped"
    assert not engine.live


async def test_a_stop_in_the_same_batch_as_its_start_is_not_lost() -> None:
    runner, engine, _ = make(length=400)
    await runner.apply((OPEN, start(lease=400, limit=400), Stop(1)))
    reports = await gather_until_end(runner)
    assert reports[-1].end is not None and reports[-1].end.reason == "stopped"
    assert not engine.live


async def test_the_last_tokens_are_reported_with_the_end() -> None:
    runner, engine, _ = make(length=3)
    answered = asyncio.Event()

    class SlowReader(LastWord):
        async def read(self, text: str, *, complete: bool, **how: Any) -> Answer | None:
            await answered.wait()
            return await super().read(text, complete=complete, **how)

    engine.last_with_end = True
    runner = runner_of(engine, SlowReader(), Sent())
    await runner.apply((OPEN, start()))
    await until(lambda: bool(engine.contexts) and not engine.live)
    assert all(2 not in report.tokens for report in runner.take_report().runs)
    answered.set()
    (last,) = await gather_until_end(runner)
    assert last.tokens[-1:] == (2,) and last.end is not None


async def test_min_tokens_counts_what_was_generated_before() -> None:
    runner, engine, _ = make()
    eager = Open("p", (7,), {"min_tokens": 5}, Phrases())
    await runner.apply((eager, start(generated=(0, 1, 2))))
    await gather_until_end(runner)
    assert engine.sampling["run-1"]["min_tokens"] == 2


async def test_commands_for_unknown_runs_do_nothing() -> None:
    runner, _, _ = make()
    await runner.apply((Stop(99), Extend(99, 5), Close("nobody")))
    assert runner.take_report() == Report()


async def test_a_refused_request_ends_as_error_and_others_go_on() -> None:
    runner, _, _ = make()
    cursed = Open("cursed", (666,), {}, Phrases())
    await runner.apply((OPEN, cursed, start(1, program="cursed"), start(2)))
    ends: dict[int, str] = {}
    while len(ends) < 2:
        await runner.news.wait()
        ends |= {run.run: run.end.reason for run in runner.take_report().runs if run.end}
    assert ends == {1: "error", 2: "stop"}
    assert not runner.broken.done()


async def test_an_engine_that_stands_still_is_noticed() -> None:
    runner, engine, _ = make(length=400)
    assert runner.stalled_s == 0.0
    engine.paused.clear()
    await runner.apply((OPEN, start(lease=400, limit=400)))
    await until(lambda: runner.stalled_s > 0.05)
    engine.paused.set()
    await gather_until_end(runner)
    await until(lambda: runner.stalled_s == 0.0)


async def test_a_broken_engine_is_noticed() -> None:
    runner, engine, _ = make(length=400)
    await runner.apply((OPEN, start(lease=400, limit=400)))
    await runner.news.wait()
    engine.failure = RuntimeError("engine core died")
    assert await runner.broken is engine.failure


async def test_an_answer_that_can_not_be_read_costs_its_chain_the_vote_only() -> None:
    class BrokenReader(LastWord):
        async def read(self, text: str, *, complete: bool, **how: Any) -> Answer | None:
            raise RecursionError("a hostile answer")

    runner = runner_of(FakeEngine(length=3), BrokenReader(), Sent())
    await runner.apply((OPEN, start()))
    reports = await gather_until_end(runner)
    assert reports[-1].end is not None and reports[-1].end.reason == "stop"
    assert reports[-1].end.answer is None
    assert not runner.broken.done()


async def test_streamed_text_goes_to_the_sink_with_its_position() -> None:
    runner, _, sent = make(length=3)
    streamed = Open("p", (7,), {}, Phrases(), sink="tcp://user")
    await runner.apply((streamed, start(generated=(0, 1), show=True)))
    await gather_until_end(runner)
    assert {address for address, _ in sent.items} == {"tcp://user"}
    deltas = [item for _, item in sent.items]
    assert "".join(delta.text for delta in deltas) == "0 1 2 "
    assert [delta.start for delta in deltas] == [2, 3, 4]


async def test_dropping_everything_frees_the_engine() -> None:
    runner, engine, _ = make(length=400)
    await runner.apply((OPEN, *(start(run, lease=400, limit=400) for run in range(1, 5))))
    await runner.news.wait()
    await runner.drop_all()
    assert runner.running == 0 and not engine.live
    assert runner.take_report() == Report()


@pytest.mark.parametrize("limit", [1, 3])
async def test_max_tokens_ends_with_length(limit: int) -> None:
    runner, _, _ = make(length=10)
    await runner.apply((OPEN, start(limit=limit)))
    reports = await gather_until_end(runner)
    assert reports[-1].end is not None and reports[-1].end.reason == "length"
    assert sum(len(report.tokens) for report in reports) == limit


async def test_cached_tokens_are_told_once_with_the_first_tokens() -> None:
    runner, _, _ = make(length=10)
    await runner.apply((OPEN, start(prefix=(1, 2, 3))))
    reports = await gather_until_end(runner)
    assert next(report.cached_tokens for report in reports if report.tokens) == 3
    assert [report.cached_tokens for report in reports].count(3) == 1
    assert {report.cached_tokens for report in reports} <= {3, None}


async def test_a_run_that_never_generated_says_nothing_of_the_cache() -> None:
    runner, engine, _ = make()
    engine.paused.clear()
    await runner.apply((OPEN, start(), Stop(1)))
    engine.paused.set()
    (report,) = await gather_until_end(runner)
    assert report.tokens == () and report.cached_tokens is None


async def test_the_engines_load_is_news_and_goes_with_the_next_report() -> None:
    runner, engine, _ = make()
    engine.gauge.set(Load(kv_used=0.5, running=3))
    assert runner.news.is_set() and not runner.urgent.is_set()
    assert runner.take_report() == Report((), Load(kv_used=0.5, running=3))
    assert not runner.news.is_set()
    assert runner.take_report() == Report()
    await runner.drop_all()
    assert runner.take_report().load == Load(kv_used=0.5, running=3)


async def test_an_end_is_told_without_the_growth_of_others_which_is_told_once_later() -> None:
    runner, _, _ = make(length=400)
    await runner.apply((OPEN, start(1, lease=400, limit=400), start(2, lease=3, limit=400)))
    await runner.urgent.wait()
    (ended,) = runner.take_report(growth=False).runs
    assert ended.run == 2 and ended.end is not None and len(ended.tokens) == 3
    assert runner.news.is_set() and not runner.urgent.is_set(), "growth still waits"
    assert runner.take_report(growth=False) == Report(whole=False)
    await runner.apply((Stop(1),))
    first, last = [*runner.take_report().runs, *await gather_until_end(runner)]
    assert (first.run, first.start) == (1, 0) and last.start == len(first.tokens) > 0
