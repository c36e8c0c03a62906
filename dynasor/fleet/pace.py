"""How fast sequences run where many share an engine, and what one more of them costs the others.

A decoding step takes a + b·n seconds for n sequences: of what one more generates, the share
a / (a + b·n) is new, and the rest is what the others get less of for its sake. That share is the
pace of a sequence alone, relative to the pace of one among n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WINDOW_S = 1.0
"""Least time that is looked at in one piece: reports tell of many tokens at once."""

MEMORY_S = 10.0
"""Time constant of what is known of a number of sequences while it comes up: their contexts'
lengths matter, too, and these change."""


class Pace:
    """Time per token of a sequence by how many run beside it, in powers of two."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, float, float]] = {}

    def learn(self, busy_s: float, shared_s: float, tokens: int, now: float) -> None:
        """Sequences of a replica that ran for ``shared_s``, all together, generated so many tokens
        within ``busy_s`` until now."""
        place = _place(shared_s / busy_s)
        before_s, before, at = self._known.get(place, (0.0, 0.0, now))
        fading = math.exp(-(now - at) / MEMORY_S)
        # Sums, not ratios: reports cut tokens off from the time they took.
        self._known[place] = before_s * fading + shared_s, before * fading + tokens, now

    def free(self, running: float) -> float:
        """Share of what one more sequence generates beside so many that none of them goes without,
        in (0, 1]; 1 as long as nothing is known, or of as many only."""
        if not self._known:
            return 1.0
        place = _place(running)
        nearest = min(self._known, key=lambda known: (abs(known - place), -known))
        paces = {known: shared_s / tokens for known, (shared_s, tokens, _) in self._known.items()}
        # Among fewer none is slower: what seems so has waited for something else.
        here = min(pace for known, pace in paces.items() if known >= nearest)
        return min(paces.values()) / here


@dataclass(slots=True)
class Spell:
    """What a replica's sequences did since `take` gave something.

    Attributes:
        at: when it was last told of a change of their number.
        busy_s: time with any sequence; ``shared_s``: the same, times how many there were.
        tokens: that they generated.
    """

    at: float = 0.0
    busy_s: float = 0.0
    shared_s: float = 0.0
    tokens: int = 0

    def pass_to(self, now: float, running: int) -> None:
        """Until now there were so many sequences."""
        elapsed = now - self.at
        self.at = now
        if running:
            self.busy_s += elapsed
            self.shared_s += elapsed * running

    def take(self, pace: Pace) -> None:
        """Teach what it was, if it was long enough to tell; for when all tokens are told."""
        if self.busy_s < WINDOW_S or not self.tokens:
            return
        pace.learn(self.busy_s, self.shared_s, self.tokens, self.at)
        self.busy_s, self.shared_s, self.tokens = 0.0, 0.0, 0


def _place(running: float) -> int:
    return max(1, round(running)).bit_length()
