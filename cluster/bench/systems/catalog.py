"""The systems that can be compared, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cluster.cli.errors import CliError
from dynasor.policies import POLICIES

Place = Literal["dynasor", "baseline", "ray-serve-llm"]
"""What has to run: our cluster as its config has it, our cluster without its scheduling, a peer."""

DEADLINE = "-deadline"
SINGLE = "-single"
BASELINE = "baseline"
PEER = "ray-serve-llm"


@dataclass(frozen=True, slots=True)
class System:
    """Something that can be asked.

    Attributes:
        place: where it runs; several systems may share one.
        policy: of its requests; None: it is no program that is asked, and the client votes.
        told: requests carry their deadlines.
        single: the client asks for n chains in n requests, not in one.
    """

    name: str
    place: Place
    policy: str | None = None
    told: bool = False
    single: bool = False

    @property
    def full(self) -> bool:
        """It spends each query's full budget, whatever the load."""
        return self.policy in (None, "even") and not self.told


KNOWN = (
    f"a policy ({', '.join(POLICIES)}), one that is told the deadlines (value{DEADLINE}), "
    f"{BASELINE} (even, first come first served, round robin), {PEER} (the client votes), "
    f"{PEER}{SINGLE} (with one request a chain)"
)
"""What can be named, for a command's help."""


def systems(names: Sequence[str]) -> list[System]:
    """The systems of these names. Raises CliError: one is not known."""
    return [_system(name) for name in names]


def _system(name: str) -> System:
    if name == BASELINE:
        return System(name, "baseline", policy="even")
    if name in (PEER, PEER + SINGLE):
        return System(name, "ray-serve-llm", single=name.endswith(SINGLE))
    policy = name.removesuffix(DEADLINE)
    if policy not in POLICIES:
        raise CliError(f"--systems: {name!r} is not known; known are {KNOWN}")
    return System(name, "dynasor", policy=policy, told=name.endswith(DEADLINE))
