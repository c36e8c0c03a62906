"""A simulated cluster answers every query once, whatever happens to it, and the same each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.sim.settings import System
from cluster.sim.simulation import simulate, with_deadlines
from tests.cluster.sim.small import VOTE, profile, world

ALGORITHMS: list[dict[str, Any]] = [
    {"algorithm": "sample", "n": 2},
    {"algorithm": "self_consistency", "max_branches": 6, "weights": "confidence"},
    {"algorithm": "best_of_n", "max_branches": 4, "aggregate": "mean"},
    {"algorithm": "best_of_n", "max_branches": 4, "scorer": "exact"},
    {"algorithm": "deepconf", "max_branches": 8, "warmup": 3},
    {"algorithm": "slim_sc", "max_branches": 6},
    {"algorithm": "chain_of_thought"},
    {"algorithm": "chain_of_thought", "probe_at": "thought", "max_thinking_tokens": 120},
    {"algorithm": "deer"},
    {"algorithm": "budget_forcing"},
    {"algorithm": "rebase", "width": 6},
    {"algorithm": "beam_search", "width": 6},
    {"algorithm": "dvts", "width": 6},
    {"algorithm": "particle_filtering", "width": 6},
    {"algorithm": "mcts", "rollouts": 6},
    {"algorithm": "a_star", "max_expansions": 8},
]
FAULTS = [
    {"kind": "loss", "at_s": 2, "replica": 1, "back_s": 4},
    {"kind": "slow", "at_s": 3, "replica": 0, "factor": 4, "for_s": 3},
    {"kind": "restart", "at_s": 5, "down_s": 1},
    {"kind": "restart", "at_s": 9, "down_s": 2},
]
EVEN = System(name="even", controller={"policy": "even"})


def _system(policy: str) -> System:
    return System(name=policy, controller={"policy": policy})


def _kinds() -> list[dict[str, Any]]:
    return [{"name": f"{place}", "program": program} for place, program in enumerate(ALGORITHMS)]


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "assumed"])
def test_every_algorithm_comes_to_a_sane_end(tmp_path: Path, recorded: bool) -> None:
    parts = {} if recorded else {"chains": 0, "steps": 0}
    questions = {"parametric": {"questions": 30, "tokens": 100, **parts}}
    found = simulate(
        world(tmp_path, queries=64, kinds=_kinds(), questions=questions), _system("threshold")
    )
    assert len({one.kind for one in found.served}) > 12
    assert found.tally.outcomes == {"answered": 64}
    assert set(found.tally.stops) <= {"complete", "certain", "price"}
    assert all(one.tokens > 0 and one.branches > 0 for one in found.served)
    assert found.tally.accuracy > 0.5


def test_nothing_accepted_is_ever_lost(tmp_path: Path) -> None:
    quiet = simulate(world(tmp_path, queries=60, kinds=_kinds()), EVEN)
    shaken = simulate(world(tmp_path, queries=60, kinds=_kinds(), faults=FAULTS), EVEN)
    assert shaken.tally.outcomes == quiet.tally.outcomes == {"answered": 60}
    assert sorted(one.number for one in shaken.served) == list(range(60))
    assert set(shaken.tally.stops) == {"complete"}
    assert shaken.figures["mean_s"] > quiet.figures["mean_s"]


def test_deadlines_pass_during_a_long_restart(tmp_path: Path) -> None:
    faults = [{"kind": "restart", "at_s": 4, "down_s": 30}]
    deadline = {"slo_scale": 1.0, "base_s": 5.0}
    found = simulate(world(tmp_path, faults=faults, deadline=deadline), EVEN)
    assert found.tally.number == 60
    assert found.tally.outcomes["failed"] > 0
    assert all("controller" in one.message for one in found.served if one.outcome == "failed")


def test_an_answer_that_was_cut_off_is_not_right(tmp_path: Path) -> None:
    questions = {"parametric": {"questions": 40, "tokens": 100, "alpha": 100, "beta": 0.01}}
    plain = [{"name": "plain", "program": {"algorithm": "sample"}}]
    cut = world(tmp_path, questions=questions, kinds=plain, max_tokens=5)
    assert simulate(cut, EVEN).tally.accuracy == 0
    search = [{"name": "search", "program": {"algorithm": "rebase", "width": 4}}]
    late = {"slo_scale": 1.0, "base_s": 0.2}
    found = simulate(world(tmp_path, questions=questions, kinds=search, deadline=late), EVEN)
    assert found.tally.stops == {"deadline": 60} and found.tally.accuracy == 0


def test_the_door_refuses_as_it_is_told_to(tmp_path: Path) -> None:
    found = simulate(world(tmp_path, rate=100, controller={"max_programs": 10}), EVEN)
    refused = [one for one in found.served if one.outcome == "refused"]
    assert refused and len(refused) == found.tally.outcomes["refused"]
    assert all(one.message and not one.correct for one in refused)


def test_an_adaptive_policy_spends_less_than_an_even_one(tmp_path: Path) -> None:
    scenario = world(tmp_path, queries=100)
    even, beta = simulate(scenario, EVEN), simulate(scenario, _system("beta"))
    assert even.figures["branches"] == 8
    assert beta.figures["tokens"] < 0.95 * even.figures["tokens"]
    assert beta.tally.accuracy > even.tally.accuracy - 0.06


def test_a_slow_replica_makes_queries_slower_and_a_busy_host_too(tmp_path: Path) -> None:
    plain = simulate(world(tmp_path), EVEN)
    slow = [{"kind": "slow", "at_s": 0, "replica": 0, "factor": 3, "for_s": 1000}]
    slowed = simulate(world(tmp_path, faults=slow), EVEN)
    shared = profile(tmp_path, crowding=0.8, replicas_per_host=2)
    crowded = simulate(world(tmp_path, profile=str(shared)), EVEN)
    for other in (slowed, crowded):
        assert other.figures["mean_s"] > 1.1 * plain.figures["mean_s"]
        assert other.figures["tokens"] == plain.figures["tokens"]


def test_deadlines_are_a_multiple_of_what_a_query_takes_alone(tmp_path: Path) -> None:
    scenario = with_deadlines(world(tmp_path, deadline={"slo_scale": 4.0}))
    deadline = scenario.workload.deadline
    assert deadline is not None and isinstance(deadline.base_s, dict)
    alone = simulate(world(tmp_path, queries=10, rate=0.01), EVEN)
    assert deadline.base_s["vote"] == pytest.approx(alone.figures["mean_s"], rel=0.5)
    found = simulate(scenario, EVEN)
    assert 0 < found.figures["in_time"] <= 1
    assert all(one.deadline_s is not None for one in found.served)


def test_of_very_many_queries_a_regular_sample_is_kept(tmp_path: Path) -> None:
    all_of_them = simulate(world(tmp_path, queries=100), EVEN)
    found = simulate(world(tmp_path, queries=100, keep=30), EVEN)
    assert [one.number for one in sorted(found.served, key=lambda one: one.number)] == list(
        range(0, 100, 4)
    )
    assert found.figures == all_of_them.figures


def test_the_timeline_says_who_had_how_many_branches(tmp_path: Path) -> None:
    timeline = {"period_s": 0.25, "samples": 20, "programs": 5}
    found = simulate(world(tmp_path, timeline=timeline), EVEN)
    shares = [sample for sample in found.timeline if "program" in sample]
    whole = [sample for sample in found.timeline if "program" not in sample]
    assert {sample["program"] for sample in shares} <= set(range(5))
    assert any(sample["running"] > 0 for sample in shares)
    assert 5 <= len(whole) <= 20
    assert all({"price", "running", "waiting"} <= sample.keys() for sample in whole)


SCRIPT = """
import json, sys
from pathlib import Path
from cluster.sim.simulation import simulate
from tests.cluster.sim.small import world
from tests.cluster.sim.test_simulation import FAULTS, _kinds, _system
found = simulate(world(Path(sys.argv[1]), kinds=_kinds(), faults=FAULTS), _system("value"))
print(json.dumps([found.figures, [str(one) for one in found.served], found.timeline]))
"""


def test_equal_scenarios_have_equal_figures_whatever_hashes_are(tmp_path: Path) -> None:
    outputs = []
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path)],
            env=environment,
            capture_output=True,
            check=True,
            cwd=Path(__file__).parents[3],
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    other = simulate(world(tmp_path, kinds=_kinds(), faults=FAULTS, seed=1), _system("value"))
    assert json.loads(outputs[0])[0] != other.figures


def test_the_workload_is_the_same_for_every_system(tmp_path: Path) -> None:
    scenario = world(tmp_path, kinds=[VOTE])
    even, value = simulate(scenario, EVEN), simulate(scenario, _system("value"))
    asked = [
        {one.number: (one.at_s, one.question, one.kind) for one in found.served}
        for found in (even, value)
    ]
    assert asked[0] == asked[1]
