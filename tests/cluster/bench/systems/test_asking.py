"""A system is asked as its users would ask it, and what it says becomes comparable."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.bench.systems import asking
from cluster.bench.systems.asking import chains_of, target
from cluster.bench.systems.catalog import systems
from cluster.bench.systems.said import majority
from cluster.cli.errors import CliError
from cluster.workload.driver import Driven, open_loop
from cluster.workload.workload import Workload
from tests.cluster.bench.systems.stands import Server, asked_number, completions, program, workload


def asked(system: str, server: Server, questions: Workload) -> Driven:
    async def run() -> Driven:
        (chosen,) = systems([system])
        async with target(chosen, "http://there", questions, server.transport) as there:
            await there.empty()
            return await open_loop(questions.requests(), there.ask, system)

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SETTLE_S", 0.0)
    monkeypatch.setattr(asking, "LOOK_EVERY_S", 0.001)


def test_a_policy_is_asked_as_a_program(tmp_path: Path):
    server = Server(lambda body: program(str(asked_number(body))))
    server.busy = 3
    driven = asked("beta", server, workload(tmp_path))
    assert all(one.correct and one.answered and one.tokens == 30 for one in driven.served)
    assert {one.stop for one in driven.served} == {"certain"}
    assert {one.branches for one in driven.served} == {4}
    for body in server.bodies:
        assert body["program"] == {
            "algorithm": "self_consistency",
            "max_branches": 4,
            "policy": "beta",
        }
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert "n" not in body


def test_the_peers_client_asks_once_for_all_chains_and_votes(tmp_path: Path):
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        right = f"so \\boxed{{{asked_number(body)}}}"
        return completions(["\\boxed{-1}", right, "no idea", right], tokens=44)

    server = Server(answer)
    driven = asked("ray-serve-llm", server, workload(tmp_path))
    assert len(server.bodies) == 8
    assert all(body["n"] == 4 and "program" not in body for body in server.bodies)
    assert all(one.correct and one.tokens == 44 and one.branches == 4 for one in driven.served)


def test_the_peers_client_may_ask_for_one_chain_at_a_time(tmp_path: Path):
    server = Server(lambda body: completions([f"\\boxed{{{asked_number(body)}}}"], tokens=10))
    driven = asked("ray-serve-llm-single", server, workload(tmp_path))
    assert len(server.bodies) == 8 * 4
    assert all("n" not in body for body in server.bodies)
    assert all(one.correct and one.tokens == 40 for one in driven.served)


@pytest.mark.parametrize(("system", "told"), [("value", False), ("value-deadline", True)])
def test_only_systems_that_say_so_are_told_deadlines(system: str, told: bool, tmp_path: Path):
    server = Server(lambda body: program("0"))
    questions = workload(tmp_path, deadline={"slo_scale": 4, "base_s": 0.5})
    driven = asked(system, server, questions)
    assert all(("deadline_s" in body["program"]) == told for body in server.bodies)
    assert all(one.deadline_s is not None for one in driven.served)
    for one in driven.served:
        assert one.alone_s == pytest.approx((one.deadline_s or 0) / 4)


def test_refused_and_failed_queries_are_told_apart(tmp_path: Path):
    def answer(body: dict[str, Any]) -> httpx.Response | dict[str, Any]:
        number = asked_number(body)
        if number < 3:
            return httpx.Response(429, json={"error": {"message": "full"}})
        return program(str(number)) if number < 6 else {"choices": []}

    driven = asked("value", Server(answer), workload(tmp_path))
    outcomes = sorted(one.outcome for one in driven.served)
    assert outcomes == ["answered"] * 3 + ["failed"] * 2 + ["refused"] * 3


@pytest.mark.parametrize(
    ("texts", "answer"),
    [
        (["\\boxed{1}", "\\boxed{2}", "\\boxed{2.0}"], "2"),
        (["\\boxed{1}", "\\boxed{2}"], "1"),
        (["nothing here to be found: ", ""], None),
    ],
)
def test_the_majority_groups_equal_answers(texts: list[str], answer: str | None):
    assert majority([(text, True) for text in texts]) == answer


def test_a_client_votes_over_plain_chains_only():
    assert chains_of({"max_branches": 5}) == 5
    for program_object in ({"algorithm": "rebase"}, {"weights": "confidence"}):
        with pytest.raises(CliError, match="vote"):
            chains_of(program_object)


def test_an_unknown_system_is_named():
    with pytest.raises(CliError, match=r"nobody.*ray-serve-llm"):
        systems(["even", "nobody"])


def test_who_spends_the_full_budget():
    names = ["even", "baseline", "ray-serve-llm", "ray-serve-llm-single", "value", "even-deadline"]
    assert [system.full for system in systems(names)] == [True] * 4 + [False] * 2
