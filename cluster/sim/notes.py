"""What a reader of a simulation's report has to know."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.sim.settings import Scenario
from cluster.sim.simulation import Simulated
from cluster.workload.workload import Synthetic
from dynasor.query import parse_program

WIDE = 0.5
"""Share of a recording's samples from which on a program is told to be wide."""

OVERLOADED = 0.7
"""CPU seconds of the core per second of virtual time from which on its time can't be left out."""


def notes(found: Sequence[Simulated], scenario: Scenario) -> list[str]:
    """One a line."""
    profile = scenario.profile
    told = [
        f"Simulated, in virtual time. Step times: profile {profile.name} ({profile.source}; "
        f"{profile.notes or profile.machine}).",
        "Controller CPU was measured on this machine; all else depends on the scenario alone. The "
        "core's computing takes no virtual time.",
    ]
    if isinstance(scenario.workload.questions, Synthetic):
        told.append(
            "Questions are drawn from a parametric model: no real model's answers or lengths."
        )
    else:
        told += _not_recorded(scenario)
    told += _wide(scenario)
    told += [
        f"{one.system}: every {one.tally.stride}th query is kept one by one; the measures are of "
        f"all {one.tally.number:,}, what is computed from single queries is of the sample."
        for one in found
        if one.tally.stride > 1
    ]
    told += [
        f"{one.system}: the core takes {one.costs.core_share:.2f} s of CPU per second of virtual "
        "time here. One core can hardly keep up with that: latencies and throughput of a real "
        "cluster of this size would be worse."
        for one in found
        if one.costs.core_share >= OVERLOADED
    ]
    return list(dict.fromkeys(told))


def _not_recorded(scenario: Scenario) -> list[str]:
    """What of the outcomes no model has said."""
    missing: set[str] = set()
    for question in scenario.workload.read_questions():
        recorded = {
            "chains": bool(question.chains),
            "steps": bool(question.steps),
            "confidences": all(one.confidence is not None for one in question.samples),
            "rewards": all(one.reward is not None for one in question.samples),
        }
        missing |= {part for part, known in recorded.items() if not known}
    if not missing:
        return []
    names = ", ".join(sorted(missing))
    return [f"Not recorded of all questions, and assumed where needed (`assumed`): {names}."]


def _wide(scenario: Scenario) -> list[str]:
    """Which programs see most of what was recorded: their votes are hardly another draw."""
    questions = scenario.workload.read_questions()
    if isinstance(scenario.workload.questions, Synthetic):
        samples = scenario.workload.questions.parametric.samples
    else:
        samples = min(len(question.samples) for question in questions)
    told = []
    for kind in scenario.workload.kinds:
        most = parse_program(kind.program).build().stop_hint.most
        if most is None or most <= WIDE * samples:
            continue
        again = "; beyond them, the same come again" if most > samples else ""
        told.append(
            f"Kind {kind.name} asks for up to {most} chains, of which some questions have "
            f"{samples}{again}: queries with the same question see much the same, and their votes "
            "vary less than a model's."
        )
    return told
