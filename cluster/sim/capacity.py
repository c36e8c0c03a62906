"""What a simulated cluster sustains under policy "even": estimated, so that a load can be told as a
multiple of it whatever the profile, the questions and the number of replicas are."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from statistics import fmean
from typing import NamedTuple

from cluster.sim.settings import Scenario, System
from cluster.sim.world import World
from cluster.workload.request import Request
from cluster.workload.workload import Kind

ALONE_QUERIES = 24
"""Queries of each kind, each in a cluster of its own, that tell what they take alone."""


class Alone(NamedTuple):
    """An average query of a kind in an empty cluster without faults, under policy "even".

    Attributes:
        tokens: generated for it.
        branches: that it began.
    """

    seconds: float
    tokens: float
    branches: float


def alone(scenario: Scenario, kind: Kind) -> Alone:
    """Simulate some queries of a kind, one by one. Raises ValueError: see `simulate`."""
    system = System(name="alone", controller={"policy": "even"})
    workload = scenario.workload.model_copy(update={"kinds": (kind,), "deadline": None})
    quiet = scenario.simulation.model_copy(update={"faults": ()})
    lone = scenario.model_copy(update={"workload": workload, "simulation": quiet})
    seconds: list[float] = []
    tokens: list[int] = []
    branches: list[int] = []
    for request in islice(workload.requests(), ALONE_QUERIES):
        world = World(lone, system, iter([replace(request, at_s=0.0)]))
        world.run(lambda *_: None)
        seconds += world.tally.latencies_s
        tokens.append(world.stand.generated)
        branches.append(world.tally.branches)
    return Alone(fmean(seconds), fmean(tokens), fmean(branches))


def with_load(scenario: Scenario) -> Scenario:
    """The scenario with the rate of arrivals that ``simulation.load`` asks for."""
    load = scenario.simulation.load
    if load is None:
        return scenario
    timed = scenario.workload.at_rate(load * capacity(scenario))
    return scenario.model_copy(update={"workload": timed})


def capacity(scenario: Scenario) -> float:
    """Queries per second: what they generate alone, at the pace of full engines whose sequences
    are halfway through on the mean, and their prompts read once. Judging is left out.

    Raises:
        ValueError: the workload can't be read.
    """
    kinds = scenario.workload.kinds
    shares = sum(kind.share for kind in kinds)
    each = [(kind.share / shares, alone(scenario, kind)) for kind in kinds]
    tokens = sum(share * one.tokens for share, one in each)
    requests = list(islice(scenario.workload.model_copy(update={"deadline": None}).requests(), 500))
    prompt, chain = _lengths(scenario, requests)
    info, step = scenario.info(scenario.settings.engine), scenario.profile.step
    context = prompt + chain / 2
    batch = max(1, min(info.slots, int(info.kv_tokens / context)))
    per_token_s = step.step_s(batch, int(batch * context)) / batch
    query_s = tokens * per_token_s + prompt * step.per_prefill_token_s
    profile, beside_s = scenario.profile, 0.0
    crowding = 1 + profile.crowding * (profile.replicas_per_host - 1)
    if profile.cores_per_host:
        branches = sum(share * one.branches for share, one in each)
        beside_s = profile.calls.query_cpu_s + branches * profile.calls.branch_cpu_s
        beside_s *= min(1.0, profile.replicas_per_host / profile.cores_per_host)
    return scenario.replicas / (query_s * crowding + beside_s)


def _lengths(scenario: Scenario, requests: list[Request]) -> tuple[float, float]:
    """Mean tokens of prompts, and of the chains that run at any moment: long ones run longer."""
    questions = scenario.workload.read_questions()
    asked = [questions[request.question] for request in requests]
    most = scenario.settings.model.max_model_len
    other = scenario.simulation.assumed.prompt_tokens
    prompts = [
        request.input_tokens or question.prompt_tokens or other
        for request, question in zip(requests, asked, strict=True)
    ]
    chains = [min(most, max(1, sample.tokens)) for one in asked for sample in one.samples]
    return fmean(prompts), sum(tokens * tokens for tokens in chains) / sum(chains)
