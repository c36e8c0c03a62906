"""What a query may cost, who asks, and what the cluster says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import httpx
import openai
import pytest

from dynasor.stats import Stats
from dynasor.value.values import ValueModels
from tests.cluster.e2e.conftest import VALUES, Application
from tests.waiting import until

HARD: Any = [
    {"role": "system", "content": "Think hard."},
    {"role": "user", "content": "Start with 28. Multiply by 2. Add 6. What is the result?"},
]


def ask(client: openai.OpenAI, program: dict[str, Any], **request: Any) -> Any:
    reply: Any = client.chat.completions.create(
        model="abacus", messages=HARD, extra_body={"program": program}, **request
    )
    return reply.program


@pytest.mark.parametrize(("effort", "branches"), [("none", 1), ("low", 8), ("high", 16)])
def test_an_effort_caps_the_branches(client: openai.OpenAI, effort: Any, branches: int) -> None:
    program = ask(client, {"max_branches": 16, "policy": "even"}, reasoning_effort=effort)
    assert sum(branch["runs"] > 0 for branch in program["branches"]) == branches
    assert program["stop"] == "complete"


def test_a_plain_request_with_an_effort_is_a_plain_request(client: openai.OpenAI) -> None:
    reply: Any = client.chat.completions.create(
        model="abacus", messages=HARD, n=2, reasoning_effort="minimal"
    )
    assert len(reply.choices) == 2 and "program" not in reply.model_extra


def test_a_limit_of_tokens_is_kept(client: openai.OpenAI) -> None:
    program = ask(client, {"max_branches": 16, "policy": "even", "max_total_tokens": 300})
    assert program["stop"] == "budget"
    assert 0 < program["tokens"]["spent"] <= 300


def test_value_spends_less_than_the_whole_budget_on_what_is_settled(client: openai.OpenAI) -> None:
    program = ask(client, {"max_branches": 32, "policy": "value"})
    assert program["answer"] == "62"
    # One in fifty programs is run to its cap, to learn from it.
    assert program["stop"] in ("certain", "price", "complete")


def test_a_contract_is_kept_and_told(application: Application, client: openai.OpenAI) -> None:
    terms = {"policy": "value", "max_disagreement": 0.25, "tag": "contract"}
    program = ask(client, {"max_branches": 8, **terms})
    assert program["stop"] in ("certain", "complete")
    contracts = httpx.get(f"{application.url}/v1/cluster").json()["contracts"]
    assert any(name.endswith("*8@0.25") for name in contracts)
    assert all(0 <= contract["bound"] <= 1 for contract in contracts.values())


def test_a_tenants_tokens_are_counted(application: Application, client: openai.OpenAI) -> None:
    program = ask(client, {"max_branches": 4, "policy": "even", "tenant": "e2e", "tag": "sums"})
    cluster = httpx.get(f"{application.url}/v1/cluster").json()
    assert cluster["tenants"]["e2e"] == {"programs": 0, "tokens": program["tokens"]["spent"]}
    assert cluster["replicas"] == 2 and set(Stats.__struct_fields__) < set(cluster)
    assert cluster["granted"] >= cluster["used"] > 0 and cluster["prefix_best"] >= 0


def test_the_command_line_shows_the_cluster(application: Application) -> None:
    command = [sys.executable, "-m", "cluster.cli", "status", "--url", application.url]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "2 generate, 1 judge" in shown
    document = json.loads(subprocess.check_output([*command, "--json"]))
    assert document["object"] == "cluster"


async def test_what_traffic_teaches_is_kept(application: Application) -> None:
    kept = application.home / VALUES
    await until(kept.exists, seconds=10)
    document = json.loads(kept.read_text())
    assert ValueModels.from_document(document).document() == document
