"""Where the systems of a benchmark run: started when first needed, all at once or one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster.bench.systems.catalog import Place, System
from cluster.bench.systems.starting import Say, cluster, ray_serve_llm
from cluster.bench.systems.variant import BASELINE, Variant

Starter = Callable[[], AbstractContextManager[str]]
"""Starts what runs at a place; gives its URL."""


class Stage:
    """Starts places when they are asked for, and ends them when it is left.

    All of them run beside each other, which lets systems be measured in turns, or, where memory or
    GPUs are short, one at a time: then each change costs a start.
    """

    def __init__(self, starters: Mapping[Place, Starter], together: bool = True) -> None:
        self.together = together
        self._starters = dict(starters)
        self._running: dict[Place, tuple[str, ExitStack]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(list(self._running))

    def url(self, place: Place) -> str:
        """The address of what runs there, started if it does not.

        Raises:
            CliError: it did not come up.
        """
        if place not in self._running:
            if not self.together:
                self._end(list(self._running))
            with ExitStack() as stack:
                url = stack.enter_context(self._starters[place]())
                self._running[place] = (url, stack.pop_all())
        return self._running[place][0]

    def put(self, place: Place, running: AbstractContextManager[str]) -> None:
        """Use what runs elsewhere, and is never started or ended here."""
        self._starters[place] = lambda: running

    def _end(self, places: Iterable[Place]) -> None:
        with ExitStack() as ending:
            for place in places:
                ending.enter_context(self._running.pop(place)[1])


def local_stage(
    config: Path,
    systems: Iterable[System],
    folder: Path,
    say: Say,
    reward: bool = True,
    together: bool = True,
) -> Stage:
    """A stage for these systems on this machine, all with the engines of one Serve config.

    Args:
        folder: for their configs, logs and pids.
        reward: whether any query needs the reward model; without, its engines are left out.

    Raises:
        CliError: the config is none of this application.
    """
    ours = Variant(config, reward=reward)
    plain = Variant(config, BASELINE, reward=reward)
    starters: dict[Place, Starter] = {
        "dynasor": lambda: cluster(ours, folder / "dynasor", say),
        "baseline": lambda: cluster(plain, folder / "baseline", say),
        "ray-serve-llm": lambda: ray_serve_llm(ours, folder / "ray-serve-llm", say),
    }
    used = {system.place for system in systems}
    return Stage({place: start for place, start in starters.items() if place in used}, together)
