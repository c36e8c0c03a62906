"""What a cluster of each size cost and gave: a report and a table."""

from __future__ import annotations

from rich.table import Table

from cluster.bench.reports.document import Document, Measure, Run
from cluster.bench.reports.environment import Environment
from cluster.bench.scale.cluster import SLOTS
from cluster.bench.stats import mean, ratio
from cluster.sim import telling
from cluster.sim.notes import OVERLOADED
from cluster.sim.repeats import values
from cluster.sim.settings import Scenario
from cluster.sim.simulation import Simulated

Found = dict[tuple[int, float], list[Simulated]]
"""The repeats of each number of replicas and load."""

WARM = 1 / 3
"""Share of the time of arrivals in which a cluster fills; left out of what is called efficiency."""


def document(found: Found, scenario: Scenario, environment: Environment) -> Document:
    """The report. ``scenario``: of the largest size and load."""
    every = [one for repeats in found.values() for one in repeats]
    made = telling.document(every, scenario, environment, "scale")
    runs = [
        Run(
            system=one.system,
            load={"replicas": float(size), "load": load, "repeat": float(place)},
            served=one.served,
            wall_s=one.virtual_s,
            timeline=one.timeline,
        )
        for (size, load), repeats in found.items()
        for place, one in enumerate(repeats)
    ]
    first, most = scenario.workload.seed, max(map(len, found.values()))
    return made.model_copy(
        update={
            "seeds": tuple(range(first, first + most)),
            "runs": tuple(runs),
            "measures": tuple(one for key in found for one in _measures(key, found)),
            "notes": (*made.notes, *_limits(found), f"Every replica has {SLOTS} slots."),
        }
    )


def efficiency(size: int, load: float, found: Found) -> float:
    """Tokens per second and replica after the cluster has filled and until the arrivals end,
    relative to the smallest size; of several repeats, the mean."""
    least = min(other for other, _ in found)
    each, base = (
        mean([_tokens_per_s(one) for one in found[number, load]]) / number
        for number in (size, least)
    )
    return ratio(each, base)


def _tokens_per_s(one: Simulated) -> float:
    last_s = max(served.at_s for served in one.served)
    within = [
        sample["tokens_per_s"]
        for sample in one.timeline
        if WARM * last_s < sample["at_s"] <= last_s
    ]
    return mean(within)


def _limits(found: Found) -> list[str]:
    """Up to which size virtual time is honest: the core's own time is none of it."""
    told = []
    for load in sorted({load for _, load in found}):
        shares = {
            size: mean([one.costs.core_share for one in repeats])
            for (size, other), repeats in found.items()
            if other == load
        }
        beyond = [size for size, share in shares.items() if share >= OVERLOADED]
        if beyond:
            told.append(
                f"Load {load:g}: from {min(beyond)} replicas on the core takes "
                f"{shares[min(beyond)]:.2f} s of CPU per second here, which one core can hardly "
                "give; the figures of these sizes are of a core that took no time."
            )
    return told


def _measures(key: tuple[int, float], found: Found) -> list[Measure]:
    (size, load), repeats = key, found[key]
    prefix = f"scale/{repeats[0].system}/{size}/{load:g}"
    measures = telling.measures(repeats, prefix)
    if load == max(other for _, other in found):
        value = efficiency(size, load, found)
        name = f"{prefix}/efficiency"
        measures.append(Measure(name=name, value=value, low=value, high=value, better="higher"))
    return measures


def table(found: Found) -> Table:

    shown = Table(title="simulated replicas, measured controller", title_justify="left")
    header = (
        "replicas", "load", "queries/s", "P50, s", "P90, s", "price", "waiting", "CPU s per s",
        "call P50, µs", "P99, µs", "per command, µs", "efficiency",
    )  # fmt: skip
    for title in header:
        shown.add_column(title, justify="right")
    largest = max(load for _, load in found)
    for (size, load), repeats in found.items():
        means = {name: mean(numbers) for name, numbers in values(repeats).items()}
        shown.add_row(
            f"{size}",
            f"{load:g}",
            f"{means['queries_per_s']:,.1f}",
            f"{means['p50_s']:.2f}",
            f"{means['p90_s']:.2f}",
            f"{means['price']:.1e}",
            f"{means['waiting']:,.0f}",
            f"{means['core_share']:.4f}",
            f"{means['call_p50_us']:.0f}",
            f"{means['call_p99_us']:.0f}",
            f"{means['decision_us']:.0f}",
            f"{efficiency(size, load, found):.3f}" if load == largest else "",
        )
    return shown
