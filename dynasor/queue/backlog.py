"""How long a new program would wait, and whether the door is open to it."""

from __future__ import annotations

import math
from typing import NamedTuple

from dynasor.queue.settings import QueueSettings

LONGEST_RETRY_S = 60.0


class Backlog:
    """Tokens of work that waits, summed up over programs as they change. O(1)."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}
        self._total = 0

    @property
    def tokens(self) -> int:
        """Expected of all programs together."""
        return self._total

    def set(self, program_id: str, tokens: float) -> None:
        """What a program still needs beyond what its running branches are expected to generate:
        what waits, and what it is expected to begin later."""
        # Whole tokens, so that the sum does not drift.
        whole = max(0, round(tokens))
        self._total += whole - self._tokens.get(program_id, 0)
        self._tokens[program_id] = whole

    def drop(self, program_id: str) -> None:
        """It has ended; unknown ones are fine."""
        self._total -= self._tokens.pop(program_id, 0)

    def wait_s(self, token_rate: float) -> float:
        """How long until all of it has begun, and so at the latest a program that comes now.

        Fluid limit: running branches make room as fast as tokens are generated. 0 while the rate
        is not known.

        Args:
            token_rate: tokens per second of the whole cluster when it is busy; 0: not known.
        """
        return self._total / token_rate if token_rate > 0 else 0.0


class Load(NamedTuple):
    """What the door looks at.

    Attributes:
        programs: in progress.
        waiting: of them, how many wait for their first branch to start.
        wait_s: forecast for a program that comes now.
    """

    programs: int
    waiting: int
    wait_s: float


class Refusal(NamedTuple):
    """Attributes: reason: which bound, for people. retry_after_s: whole seconds from 1 to 60."""

    reason: str
    retry_after_s: float


class Door:
    """Takes or refuses a query. How long its prompt is does not matter.

    While no program waits only ``max_programs`` refuses: a forecast is about a queue.
    """

    def __init__(self, settings: QueueSettings, max_programs: int) -> None:
        self._settings = settings
        self._max_programs = max_programs

    def check(self, load: Load, deadline_s: float | None = None) -> Refusal | None:
        """None: come in.

        A query is refused when programs in progress or waiting are at their bound, or when the
        forecast wait is over ``max_wait_s`` or lasts until its deadline. It may come back when
        the forecast has fallen below the limit, by a second each second while nobody else comes.
        """
        each_s = load.wait_s / max(1, load.waiting)
        if load.programs >= self._max_programs:
            return _refusal(f"{load.programs} programs are in progress (max_programs)", each_s)
        if not load.waiting:
            return None
        most = self._settings.max_waiting
        if most is not None and load.waiting >= most:
            over = load.waiting - most + 1
            return _refusal(f"{load.waiting} programs wait (max_waiting)", over * each_s)
        limit = self._settings.max_wait_s
        if limit is not None and load.wait_s > limit:
            return _refusal(
                f"the wait would be {load.wait_s:.0f} s (max_wait_s)", load.wait_s - limit
            )
        if deadline_s is not None and load.wait_s >= deadline_s:
            reason = f"the wait of {load.wait_s:.0f} s would last beyond the deadline"
            return _refusal(reason, load.wait_s - deadline_s)
        return None


def _refusal(reason: str, after_s: float) -> Refusal:
    return Refusal(reason, float(math.ceil(min(LONGEST_RETRY_S, max(1.0, after_s)))))
