"""Boundaries, injected phrases, measures and streams of generated branches."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.engine.generating import Generating
from cluster.engine.generation import TokenEngine
from cluster.engine.load import Gauge
from cluster.engine.runner import Runner
from dynasor.answers import Answer
from dynasor.messages import Open, RunReport, Start
from dynasor.phrases import Phrases
from dynasor.work import Measure, Measured, Thought
from tests.cluster.engine.fake import FakeEngine, Sent
from tests.cluster.engine.scripted import TEXT_IDS, Scripted
from tests.waiting import until

PHRASES = Phrases(step="\n", think_end="</think>", thoughts=("Wait",), hedges=("hmm",))
OPEN = Open("p", (7, 8), {"temperature": 1.0, "stop": ["STOP"]}, PHRASES, sink="tcp://user")


class Whole:
    """Takes all that it is given for the answer."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def read(self, text: str, **how: Any) -> Answer:
        self.asked.append(how)
        return Answer(text, text)


async def run(engine: TokenEngine, opened: Open = OPEN, **changes: Any) -> list[RunReport]:
    reports, _, _ = await run_all(engine, opened, **changes)
    return reports


async def run_all(
    engine: TokenEngine, opened: Open = OPEN, **changes: Any
) -> tuple[list[RunReport], Sent, Whole]:
    """All reports of one branch, what was streamed, and what was read."""
    sent, reader = Sent(), Whole()

    async def sketch(text: str) -> bytes:
        return text.encode()

    runner = Runner({Start: Generating(engine, reader, sent, sketch)}, Gauge())
    fields = {"prefix": (), "generated": (), "lease": 99, "max_tokens": 99, **changes}
    await runner.apply((opened, Start(run=1, program="p", branch=0, **fields)))
    reports: list[RunReport] = []
    while not reports or reports[-1].end is None:
        await runner.news.wait()
        reports += runner.take_report().runs
    await until(lambda: runner.running == 0)
    return reports, sent, reader


def tokens_of(reports: list[RunReport]) -> int:
    return sum(len(report.tokens) for report in reports)


async def test_a_step_ends_at_its_phrase_and_nobody_reads_it() -> None:
    engine = Scripted("1", "+1", "\n", "more")
    reports = await run(engine, until=("step",))
    end = reports[-1].end
    assert end is not None and (end.reason, end.kept, end.answer) == ("step", 2, None)
    assert tokens_of(reports) == 3, "the phrase is the branch's own"
    assert engine.sampling["run-1"]["stop"] == ["STOP", "\n"]


async def test_the_callers_stop_string_is_a_natural_end() -> None:
    reports, _, _ = await run_all(Scripted("1", "STOP", "x"), until=("step",))
    end = reports[-1].end
    assert end is not None and (end.reason, end.stop_reason) == ("stop", "STOP")


async def test_a_resumed_step_keeps_the_tokens_of_earlier_runs() -> None:
    reports = await run(Scripted("a", "\n"), until=("step",), generated=(50, 51))
    end = reports[-1].end
    assert end is not None and end.kept == 3


async def test_a_probe_ends_at_its_brace_and_is_read_with_what_was_injected() -> None:
    engine = Scripted("6", "2", "}", " and", " so on")
    reports, _, reader = await run_all(
        engine, prefix=(1, 2, 3), injected=1, until=("box",), alone=True
    )
    end = reports[-1].end
    assert end is not None and end.reason == "stop"
    assert end.answer == Answer("[3]62}", "[3]62}")
    assert tokens_of(reports) == 3 and not engine.live
    assert engine.sampling["run-1"]["stop"] == [], "a probe is none of the caller's chains"
    assert reader.asked == [{"complete": True, "kind": "auto", "reference": None}]


async def test_a_chain_is_read_with_all_it_goes_on_from() -> None:
    reports = await run(Scripted("62"), prefix=(1, 2), generated=(3,))
    end = reports[-1].end
    assert end is not None and end.answer == Answer("[1][2][3]62", "[1][2][3]62")


async def test_who_reads_no_answer_gets_none() -> None:
    end = (await run(Scripted("62"), read=False))[-1].end
    assert end is not None and end.answer is None


async def test_a_temperature_of_its_own_goes_before_the_callers() -> None:
    engine = Scripted("62")
    await run(engine, temperature=0.0)
    assert engine.sampling["run-1"]["temperature"] == 0.0


@pytest.mark.parametrize(
    ("measure", "logprobs", "measured"),
    [
        (Measure(), None, Measured()),
        (Measure(probability=True), 1, Measured(log_probability=-0.5)),
        (Measure(group=9, top=5), 5, Measured(bottom=None, tail=2.0, mean=2.0)),
        (
            Measure(group=2, top=5),
            5,
            Measured(lowest=2.0, bottom=2.0, tail=2.0, mean=2.0),
        ),
        (Measure(hedges=True), None, Measured(hedged=True)),
    ],
)
async def test_measures_what_it_is_asked_for(
    measure: Measure, logprobs: int | None, measured: Measured
) -> None:
    engine = Scripted("one ", "hmm ", "two ", "three")
    last = (await run(engine, measure=measure))[-1]
    assert engine.sampling["run-1"].get("logprobs") == logprobs
    assert last.measured is not None
    got = last.measured
    assert (got.lowest, got.tail, got.mean) == (measured.lowest, measured.tail, measured.mean)
    assert got.log_probability == measured.log_probability and got.hedged == measured.hedged


async def test_thoughts_are_reported_once_with_their_places_and_sketches() -> None:
    engine = Scripted("first ", "thought ", "Wait", " no ", "Wait", " yes ", "and so on")
    reports = await run(engine, measure=Measure(thoughts=True, sketches=True))
    thoughts = [t for report in reports if report.measured for t in report.measured.thoughts]
    assert thoughts[0] == Thought(2, b"first thought")
    assert [thought.end for thought in thoughts] in ([2], [2, 4])


async def test_a_shown_branch_is_streamed_with_what_was_injected() -> None:
    _, sent, _ = await run_all(
        Scripted("6", "2"), prefix=(1, 5), injected=1, unseen=1, show=True, after=(3, 17)
    )
    deltas = [item for _, item in sent.items]
    assert [(delta.start, delta.count, delta.text) for delta in deltas] == [
        (0, 0, "[5]"), (0, 1, "6"), (1, 1, "2"),
    ]  # fmt: skip
    assert {delta.after for delta in deltas} == {(3, 17)}


async def test_a_branch_that_is_not_shown_is_not_streamed() -> None:
    _, sent, _ = await run_all(Scripted("6", "2"))
    assert not sent.items


async def test_a_resumed_branch_does_not_show_the_injected_phrase_again() -> None:
    _, sent, _ = await run_all(
        FakeEngine(length=2), prefix=(5,), injected=1, unseen=1, generated=(TEXT_IDS,), show=True
    )
    assert [item.start for _, item in sent.items] == [1, 2]


async def test_a_resumed_box_knows_how_deep_it_is() -> None:
    engine = Scripted("2", "}", "}", "x")
    braces = Scripted("\\frac{1}{")
    engine.decode = braces.decode  # type: ignore[method-assign]
    reports = await run(engine, until=("box",), alone=True, generated=(TEXT_IDS,))
    assert tokens_of(reports) == 3


@pytest.mark.parametrize(
    ("prefix", "generated", "limit", "expected"),
    [(0, 0, 99, 9), (4, 2, 99, 3), (4, 9, 99, 0), (0, 0, 5, 5)],
)
async def test_the_least_length_is_that_of_the_whole_chain(
    prefix: int, generated: int, limit: int, expected: int
) -> None:
    engine = Scripted("6")
    opened = Open("p", (7,), {"min_tokens": 9}, PHRASES)
    await run(engine, opened, prefix=(1,) * prefix, generated=(2,) * generated, max_tokens=limit)
    assert engine.sampling["run-1"]["min_tokens"] == expected


async def test_a_thought_is_never_reported_before_the_tokens_it_ends_at() -> None:
    engine = Scripted("first ", "Wait", " a second thought ", "Wait", " and a third one, ", "long")
    known = 0
    for report in await run(engine, measure=Measure(thoughts=True)):
        known += len(report.tokens)
        thoughts = report.measured.thoughts if report.measured is not None else ()
        assert all(thought.end <= known for thought in thoughts)


UNSEEN = Open("p", (7, 8), {"temperature": 1.0}, PHRASES)


async def test_what_nobody_looks_at_comes_several_tokens_at_a_time() -> None:
    engine = Scripted("a", "b")
    reports = await run(engine, UNSEEN, show=True)
    assert engine.sampling["run-1"]["stream_interval"] > 1
    assert engine.sampling["run-1"]["detokenize"] is False, "nobody wants text piece by piece"
    end = reports[-1].end
    assert end is not None and end.answer == Answer("ab", "ab"), "its answer is read in the end"


async def test_a_long_lease_ends_early_rather_than_late() -> None:
    engine = Scripted(*["a"] * 400)
    reports = await run(engine, UNSEEN, read=False, lease=200, max_tokens=400)
    end, interval = reports[-1].end, engine.sampling["run-1"]["stream_interval"]
    assert end is not None and end.reason == "lease" and interval > 1
    assert 200 - interval < tokens_of(reports) <= 200


@pytest.mark.parametrize(
    ("opened", "changes"),
    [
        (Open("p", (7, 8), {}, PHRASES, sink="tcp://user"), {"show": True}),
        (Open("p", (7, 8), {"stop": ["STOP"]}, PHRASES), {}),
        (UNSEEN, {"lease": 98}),
        (UNSEEN, {"until": ("box",)}),
        (UNSEEN, {"until": ("step",)}),
        (UNSEEN, {"measure": Measure(probability=True)}),
    ],
)
async def test_what_is_looked_at_comes_token_by_token(
    opened: Open, changes: dict[str, Any]
) -> None:
    engine = Scripted("a", "}")
    await run(engine, opened, read=False, **changes)
    assert not {"stream_interval", "detokenize"} & engine.sampling["run-1"].keys()
