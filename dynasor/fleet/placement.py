"""Placement: which replica a branch runs on.

Cost = time to prefill what is not cached there + time the branch loses to, and takes from, the
sequences that run there already. Prefix affinity is a term of the cost, not a rule: a replica
with the prompt in its cache is left when another one is faster in total.
"""

from __future__ import annotations

from collections.abc import Iterable

from dynasor.branch import Branch
from dynasor.fleet.replica import Replica
from dynasor.program import Program
from dynasor.settings import PlacementSettings


class Placement:
    """Chooses the replica of least cost among those with room."""

    def __init__(self, settings: PlacementSettings) -> None:
        self._settings = settings

    def choose(
        self, program: Program, branch: Branch, lease: int, replicas: Iterable[Replica]
    ) -> Replica | None:
        """The replica for ``branch`` under a lease of ``lease`` tokens; None: no room anywhere.

        Equal costs go to the replica with the smaller id, so that replays agree.
        """
        context = len(program.prompt) + len(branch.prefix) + len(branch.tokens)
        own = len(branch.prefix) + lease
        hashes: dict[int, tuple[int, ...]] = {}
        costs = []
        for replica in replicas:
            if replica.fits(branch.service, program.id, len(program.prompt), own):
                size = replica.info.block_size
                if size not in hashes:
                    hashes[size] = program.blocks(branch, size)
                uncached = context - replica.prefixes.match(hashes[size]) * size
                costs.append((self._cost(uncached, len(replica.runs)), replica.id, replica))
        return min(costs)[2] if costs else None

    def _cost(self, uncached_tokens: int, running: int) -> float:
        """Seconds, up to what all replicas have in common."""
        prefill = uncached_tokens * self._settings.prefill_s_per_token
        per_step = self._settings.decode_s_per_sequence * running
        return prefill + per_step * self._settings.expected_tokens
