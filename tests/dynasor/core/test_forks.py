"""Branches that go on from others, ratings, growth and drops: what the core makes of the items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.certaindex import Certaindex
from dynasor.messages import Rate, Start, Stop
from dynasor.registry import Params
from dynasor.work import Drop, Event, Finished, Generate, Grew, Score, WorkItem
from tests.dynasor.simulated import Chain
from tests.dynasor.world import INJECTIONS, World


class NoParams(Params):
    """None."""


class Plan(msgspec.Struct):
    """Everything that was heard."""

    events: list[Any] = msgspec.field(default_factory=list)


class Planned(Algorithm[NoParams, Plan]):
    """Demands what `plan` says of the events so far, until it is accepted."""

    name = "planned"
    source = "a test"
    Params = NoParams
    State = Plan

    @property
    def stop_hint(self) -> StopHint:
        return StopHint(1, {}, None)

    @staticmethod
    def plan(events: list[Event]) -> Iterator[WorkItem]:
        raise NotImplementedError

    def demand(self) -> Iterator[WorkItem]:
        taken = {
            (type(event).__name__, event.branch)
            for event in self.state.events
            if not isinstance(event, Grew | Finished)
        }
        for item in self.plan(self.state.events):
            kind = "Dropped" if isinstance(item, Drop) else "Started"
            if (kind, item.branch) not in taken:
                yield item

    def observe(self, event: Event) -> None:
        self.state.events.append(event)

    def certaindex(self) -> Certaindex:
        return Certaindex()

    def answer(self) -> Best:
        return Best(None, None)


@pytest.fixture(autouse=True)
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALGORITHMS._entries, "planned", Planned)


def plan(monkeypatch: pytest.MonkeyPatch, made: Any) -> None:
    monkeypatch.setattr(Planned, "plan", staticmethod(made))


def finished(events: list[Event]) -> dict[int, Finished]:
    return {event.branch: event for event in events if isinstance(event, Finished)}


def scorer_world(script: Any, **knobs: Any) -> World:
    there = World(script, **knobs)
    there.attach("a", slots=8)
    there.attach("judge", slots=4, services=("reward",))
    return there


def test_a_branch_goes_on_from_its_parent_and_what_is_injected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made(events: list[Event]) -> Iterator[WorkItem]:
        yield Generate(0, until=("step",))
        if 0 in finished(events):
            yield Generate(1, parent=0, inject="wait", until=("step",))
        if 1 in finished(events):
            yield Generate(2, parent=1, at=finished(events)[1].kept)

    plan(monkeypatch, made)
    there = World(lambda _, branch: Chain(5, "42", step=True))
    there.attach("a")
    result = there.solve(algorithm="planned")
    first, second, third = (placed.start for placed in there.starts())
    tokens = [branch.tokens for branch in result.branches]
    assert first.prefix == ()
    assert second.prefix == (*tokens[0], *INJECTIONS["wait"]) and second.injected == 1
    assert third.prefix == (*second.prefix, *tokens[1][:4])
    assert [branch.prefix for branch in result.branches] == [
        first.prefix, second.prefix, third.prefix,
    ]  # fmt: skip
    assert [branch.finish for branch in result.branches] == ["step", "step", "stop"]
    assert result.tokens.kept == 15


def test_ratings_go_where_they_are_served_and_what_they_read_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Event] = []

    def made(events: list[Event]) -> Iterator[WorkItem]:
        seen[:] = events
        yield Generate(0)
        if 0 in finished(events):
            yield Score(1, target=0, steps=True)

    plan(monkeypatch, made)
    there = scorer_world(lambda _, branch: Chain(9, "42", score=0.25))
    result = there.solve(algorithm="planned")
    (rate,) = there.sent(Rate)
    assert rate.tokens == result.branches[0].tokens and rate.steps
    assert finished(seen)[1].scores == (0.25,)
    assert result.branches[1].replica == "judge" and result.branches[1].scores == (0.25,)
    assert (result.tokens.generated, result.tokens.score, result.tokens.spent) == (9, 9, 18)


def test_branches_that_nobody_serves_hold_up_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(events: list[Event]) -> Iterator[WorkItem]:
        yield Generate(0)
        if 0 in finished(events):
            yield Score(1, target=0, scorer="nobody")

    plan(monkeypatch, made)
    there = World(lambda _, branch: Chain(9, "42"))
    there.attach("a")
    there.submit("stuck", algorithm="planned", deadline_s=60)
    there.steps(8)
    there.submit("other", max_branches=5)
    there.run(until=lambda: "other" in there.results)
    assert there.results["other"].answer is not None


def test_growth_is_told_to_those_that_follow_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Event] = []

    def made(events: list[Event]) -> Iterator[WorkItem]:
        seen[:] = events
        yield Generate(0, follow=True)
        yield Generate(1)

    plan(monkeypatch, made)
    there = World(lambda _, branch: Chain(40, "42"))
    there.attach("a")
    there.solve(algorithm="planned")
    grown = [(event.branch, event.tokens) for event in seen if isinstance(event, Grew)]
    assert grown == [(0, tokens) for tokens in (8, 16, 24, 32, 40)]


@pytest.mark.parametrize("slots", [1, 8])
def test_a_dropped_branch_is_stopped_for_good(monkeypatch: pytest.MonkeyPatch, slots: int) -> None:
    """Whether it runs (8 slots) or waits (1 slot)."""
    seen: list[Event] = []

    def made(events: list[Event]) -> Iterator[WorkItem]:
        seen[:] = events
        yield Generate(0, follow=True)
        yield Generate(1)
        if any(isinstance(event, Grew) for event in events):
            yield Drop(1)

    plan(monkeypatch, made)
    there = World(lambda _, branch: Chain(40, "42"))
    there.attach("a", slots=slots)
    result = there.solve(algorithm="planned")
    assert finished(seen)[1].finish == "stopped"
    assert [branch.finish for branch in result.branches] == ["stop", "stopped"]
    assert len(there.sent(Stop)) == (1 if slots == 8 else 0)
    assert len(result.branches[1].tokens) < 40 and result.stop == "complete"


def test_a_dropped_branch_is_not_placed_again_when_its_replica_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made(events: list[Event]) -> Iterator[WorkItem]:
        yield Generate(0, follow=True)
        if any(isinstance(event, Grew) for event in events):
            yield Drop(0)

    plan(monkeypatch, made)
    there = World(lambda _, branch: Chain(40, "42"), replica_timeout_s=0.4)
    there.attach("a")
    there.submit(algorithm="planned")
    there.steps(2)
    there.die("a")
    there.attach("b")
    there.run()
    assert len(there.starts()) == 1
    assert there.results["q"].branches[0].finish == "stopped"


def test_a_chain_leaves_room_for_what_follows_and_the_limit_is_of_the_whole_chain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made(events: list[Event]) -> Iterator[WorkItem]:
        yield Generate(0, reserve=10)
        if 0 in finished(events):
            yield Generate(1, parent=0, inject="close")

    plan(monkeypatch, made)
    there = World(lambda _, branch: Chain(400, "42"))
    there.attach("a")
    result = there.solve(algorithm="planned", sampling={"max_tokens": 50})
    first, second = result.branches
    assert (first.finish, len(first.tokens)) == ("length", 50 - 10 - 2)
    assert len(second.prefix) + len(second.tokens) == 50


def test_the_context_bounds_a_chain_with_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(events: list[Event]) -> Iterator[WorkItem]:
        yield Generate(0, reserve=10)

    plan(monkeypatch, made)
    there = World(lambda _, branch: Chain(400, "42"))
    there.attach("a", max_model_len=100)
    result = there.solve(algorithm="planned", prompt=32)
    assert len(result.branches[0].tokens) == 100 - 32 - 12


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (Generate(1, parent=0, at=99), "shares 99 tokens"),
        (Generate(1, parent=7), "7"),
        (Score(1, target=9), "9"),
        (Generate(0), "twice"),
    ],
)
def test_an_item_that_makes_no_sense_ends_its_program_alone(
    monkeypatch: pytest.MonkeyPatch, item: Any, words: str
) -> None:
    class Defect(Planned):
        def demand(self) -> Iterator[WorkItem]:
            yield Generate(0) if not self.state.events else item

    monkeypatch.setitem(ALGORITHMS._entries, "planned", Defect)
    there = World(lambda _, branch: Chain(9, "42"))
    there.attach("a")
    result = there.solve(algorithm="planned")
    assert result.stop == "failed" and words in result.fault
    assert there.solve("other").answer is not None


def test_what_injected_text_a_probe_reads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(events: list[Event]) -> Iterator[WorkItem]:
        yield Generate(0, follow=True)
        if any(isinstance(event, Grew) for event in events):
            yield Generate(
                1, kind="probe", parent=0, at=4, inject="probe", until=("box",), max_tokens=5
            )

    plan(monkeypatch, made)
    there = World(lambda _, branch: Chain(20, "42"))
    there.attach("a")
    result = there.solve(algorithm="planned", sampling={"max_tokens": 30})
    chain, probe = (placed.start for placed in there.starts())
    assert isinstance(probe, Start) and probe.alone and not chain.alone
    assert probe.prefix == (*result.branches[0].tokens[:4], *INJECTIONS["probe"])
    assert probe.max_tokens == 5 and result.tokens.probe == 5
    told = {branch.branch: (branch.parent, branch.at) for branch in result.branches}
    assert told == {0: (None, 0), 1: (0, 4)}
