"""What is drawn, from recorded chunks to a console in memory."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cluster.cli.errors import CliError
from cluster.cli.stream import BranchLine, Outcome, Progress, final_progress, read_events
from cluster.cli.views import LiveView, clean, panel


def drawn(progress: Progress, rows: int = 20) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(panel(progress, rows))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def running(*states: str) -> Progress:
    branches = tuple(BranchLine(i, state, 10 * i, None) for i, state in enumerate(states))
    return Progress(0.0, (), 0, branches, 100, 1.0)


def test_panel_shows_branches_certaindex_and_votes(program):
    assert drawn(final_progress(program)) == [
        "#0  stop    100 tokens  39",
        "#1  stop    101 tokens  39",
        "#2  stop    102 tokens  41",
        "#3  stop    103 tokens  39",
        "#4  length  104 tokens",
        "certaindex  ████████████░░░░░░░░░░░░ 0.50",
        "votes       39 x 3, 41 x 1, no answer x 1",
    ]


def test_panel_before_the_first_vote():
    assert drawn(running("waiting"))[-1] == "votes       none yet"


def test_a_low_terminal_keeps_what_still_runs():
    lines = drawn(running("stop", "stop", "running", "running", "waiting"), rows=3)
    assert [line[:2] for line in lines[:3]] == ["#2", "#3", "#4"]
    assert lines[3] == "and 2 more"


def test_a_very_low_terminal_still_gets_a_branch():
    lines = drawn(running("running", "running", "stop"), rows=-2)
    assert [line[:2] for line in lines[:2]] == ["#0", "an"]


def test_live_view_draws_ends_and_prints_the_answer(stream):
    file = io.StringIO()
    view = LiveView(Console(file=file, force_terminal=True, width=80, height=30), quiet=False)
    *before, outcome = read_events(stream())
    with view.running():
        for item in before:
            view.progress(item)
    view.outcome(outcome)
    out = file.getvalue()
    assert "#0" in out
    assert "36 + 3 = 39" in out
    assert "\x1b[31m36" not in out, "the model's own escape codes must not reach the terminal"


def test_answer_falls_back_to_the_chains_text(program):
    file = io.StringIO()
    view = LiveView(Console(file=file, width=80), quiet=True)
    view.outcome(Outcome({**program, "answer": None}, "why", "It depends."))
    assert "answer: It depends." in file.getvalue()
    assert "why" not in file.getvalue()


def test_read_events_gathers_the_chosen_chain(stream, program):
    first, second, outcome = read_events(stream())
    assert (first.generated, second.generated) == (40, 170)
    assert second.votes == (("39", 1),)
    assert outcome == Outcome(program, "12 * 3 = 36\n\x1b[31m36 + 3 = 39", "The answer is 39.")


def test_read_events_refuses_what_is_no_json():
    with pytest.raises(CliError, match="no JSON: <html>"):
        list(read_events(["data: <html>"]))


def test_clean_keeps_lines_and_tabs():
    assert clean("a\tb\nc\x1b[2Jd\x07\x9b") == "a\tb\nc[2Jd"
