"""How `dynasor ask` shows a program: live on a terminal, as plain lines elsewhere, or as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cluster.cli.stream import Outcome, Progress

BAR_WIDTH = 24
OTHER_LINES = 6
"""Lines of the live display that are no branches, and of the prompt below it."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_STYLES = {"running": "cyan", "stop": "green", "length": "yellow", "error": "red"}
STOPS = {
    "complete": "all its chains ended",
    "certain": "the answer was settled",
    "price": "more compute was not worth its price",
    "budget": "its limit of tokens was reached",
    "deadline": "the deadline was reached",
    "cancelled": "the request was cancelled",
    "failed": "no chain could be run",
}
"""Why a program ended, in words; see `dynasor.result.StopReason`."""


class View(Protocol):
    """What is shown of a program."""

    def running(self) -> AbstractContextManager[object]:
        """Surrounds the time in which `progress` is called."""

    def progress(self, progress: Progress) -> None: ...

    def outcome(self, outcome: Outcome) -> None: ...


class JsonView:
    """The final program object and nothing else."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def running(self) -> AbstractContextManager[object]:
        return nullcontext()

    def progress(self, progress: Progress) -> None:
        pass

    def outcome(self, outcome: Outcome) -> None:
        print(json.dumps(outcome.program, indent=2, ensure_ascii=False), file=self._out)


class PlainView:
    """A line when a branch ends and when certaindex changes; no control characters."""

    def __init__(self, out: TextIO, quiet: bool) -> None:
        self._out = out
        self._quiet = quiet
        self._ended: set[int] = set()
        self._settled = ""

    def running(self) -> AbstractContextManager[object]:
        return nullcontext()

    def progress(self, progress: Progress) -> None:
        for line in progress.branches:
            if line.state not in ("waiting", "running") and line.branch not in self._ended:
                self._ended.add(line.branch)
                said = "no answer" if line.answer is None else f"answer {clean(line.answer)}"
                # A step is no chain: nobody looks for an answer in it.
                said = "" if line.state == "step" else f", {said}"
                self._say(f"branch {line.branch}: {line.state}, {line.tokens} tokens{said}")
        settled = f"certaindex {progress.certaindex:.2f}  votes: {votes_text(progress)}"
        if progress.votes and settled != self._settled:
            self._settled = settled
            self._say(settled)

    def outcome(self, outcome: Outcome) -> None:
        if not self._quiet and outcome.reasoning:
            self._say(f"\nreasoning:\n{clean(outcome.reasoning).strip()}\n")
        self._say(f"answer: {answer_text(outcome)}")
        for line in cost_lines(outcome.program):
            self._say(line)

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)


class LiveView:
    """A display that is redrawn in place."""

    def __init__(self, console: Console, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._live: Live | None = None

    @contextmanager
    def running(self) -> Iterator[object]:
        with Live(Text("waiting for the first branch …"), console=self._console) as self._live:
            yield self._live

    def progress(self, progress: Progress) -> None:
        if self._live is not None:
            self._live.update(panel(progress, self._console.height - OTHER_LINES))

    def outcome(self, outcome: Outcome) -> None:
        out = self._console
        if not self._quiet and outcome.reasoning:
            out.print(Text(f"\n{clean(outcome.reasoning).strip()}", "dim"))
        out.print(Text.assemble("\nanswer: ", (answer_text(outcome), "bold green")))
        for line in cost_lines(outcome.program):
            out.print(Text(line, "dim"))


def panel(progress: Progress, rows: int) -> Group:
    """The live display: at most ``rows`` branches, the certaindex and the votes."""
    table = Table.grid(padding=(0, 2))
    for style in ("dim", "", "", "bold"):
        table.add_column(style=style, no_wrap=True)
    table.columns[2].justify = "right"
    # Those that have ended go first when there is no room: what still runs is of interest.
    waste = len(progress.branches) - max(1, rows)
    ended = [line.branch for line in progress.branches if line.state not in ("waiting", "running")]
    hidden = set(ended[:waste]) if waste > 0 else set()
    shown = [line for line in progress.branches if line.branch not in hidden][: max(1, rows)]
    for line in shown:
        state = Text(line.state, _STYLES.get(line.state, "dim"))
        answer = clean(line.answer or "")
        table.add_row(f"#{line.branch}", state, f"{line.tokens} tokens", Text(answer))
    more = len(progress.branches) - len(shown)
    parts: list[Any] = [table]
    if more > 0:
        parts.append(Text(f"and {more} more", "dim"))
    return Group(*parts, _bar(progress.certaindex), Text(f"votes       {votes_text(progress)}"))


def _bar(certaindex: float) -> Text:
    full = round(certaindex * BAR_WIDTH)
    return Text.assemble(
        "certaindex  ", ("█" * full, "green"), ("░" * (BAR_WIDTH - full), "dim"),
        f" {certaindex:.2f}",
    )  # fmt: skip


def clean(text: str) -> str:
    """Text of a model without what a terminal would take for commands."""
    return _CONTROL.sub("", text)


def votes_text(progress: Progress) -> str:
    """Answers with their votes, in one line."""
    votes = [f"{clean(answer)} x {count}" for answer, count in progress.votes]
    if progress.abstained:
        votes.append(f"no answer x {progress.abstained}")
    return ", ".join(votes) or "none yet"


def answer_text(outcome: Outcome) -> str:
    """The answer; the chosen chain's text if no answer was found in it."""
    answer = outcome.program["answer"]
    return clean(outcome.content.strip() or "(none)" if answer is None else answer)


def cost_lines(program: dict[str, Any]) -> list[str]:
    """What the answer cost and why the program ended."""
    tokens = program["tokens"]
    kinds = ", ".join(f"{tokens[kind]} {kind}" for kind in ("kept", "discarded", "probe"))
    judged = f"; judges read {tokens['score']} tokens" if tokens["score"] else ""
    prompt = f"prompt: {tokens['prompt']} tokens, {tokens['cached']} found in caches"
    why = STOPS.get(program["stop"], program["stop"])
    generated = (branch for branch in program["branches"] if branch["kind"] != "score")
    ran = sum(1 for branch in generated if branch["runs"])
    return [
        f"generated: {tokens['generated']} tokens in {ran} branches ({kinds}){judged}; {prompt}",
        f"{program['algorithm']} under {program['policy']}: {program['elapsed_s']:.2f} s, "
        f"ended because {why}; certaindex {program['certaindex']:.2f}",
    ]
