"""A question's samples in the order in which one query gets them."""

from __future__ import annotations

from random import Random

from dynasor.replay.recording import Sample


def seeded(seed: int, number: int) -> Random:
    """Chance of its own for each number. Not seeded by a string: that would cost a hash."""
    return Random((seed * 2_147_483_659 + number) & 0xFFFF_FFFF_FFFF_FFFF)


class Order:
    """All samples in a random order, then all in another one, and so on."""

    def __init__(self, samples: tuple[Sample, ...], seed: int) -> None:
        self._samples = samples
        self._seed = seed
        self._turns: list[list[Sample]] = []

    def __getitem__(self, number: int) -> Sample:
        turn, place = divmod(number, len(self._samples))
        while turn >= len(self._turns):
            order = list(self._samples)
            seeded(self._seed, -65_537 * len(self._turns)).shuffle(order)
            self._turns.append(order)
        return self._turns[turn][place]
