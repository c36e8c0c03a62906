"""The placements that exist, by the name in the settings."""

from __future__ import annotations

from dynasor.fleet.admission import Admission
from dynasor.fleet.completion import Completion
from dynasor.fleet.placement import Placement
from dynasor.fleet.round_robin import RoundRobin
from dynasor.settings import PlacementPolicy, PlacementSettings

PLACEMENTS: dict[PlacementPolicy, type[Completion] | type[RoundRobin]] = {
    "completion": Completion,
    "round_robin": RoundRobin,
}


def build(settings: PlacementSettings, admission: Admission) -> Placement:
    """The placement that is set."""
    return PLACEMENTS[settings.policy](settings, admission)
