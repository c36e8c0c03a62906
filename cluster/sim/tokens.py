"""Token ids of a world without words.

A generated token says of which branch it is and which place it has there, so that what a branch
goes on from tells its ancestors; and the same token comes again wherever its program generates it
again. Programs with the same prompt are told apart by a shift of their branches' numbers: sampled
texts hardly ever begin alike, so that none finds another one's in a prefix cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cluster.workload.request import PREFIX_BLOCK_TOKENS
from dynasor.work import INJECTIONS

PLACE_BITS = 18
"""A branch has at most 2 ** 18 tokens; a program at most 2 ** 12 branches whose ids differ."""

BRANCHES = 1 << 12
GENERATED = 1 << 30
"""The least id of a generated token; all are below 2 ** 31, as the core keeps them."""

OWN = 1 << 20
OWN_STRIDE = 1 << 10
"""Ids from one question's prompt to the next; longer prompts overlap, but never begin alike."""

TEMPLATE_TOKENS = 8
"""Of every prompt: the chat template's, with which all begin."""

SYSTEM = 1 << 16
INJECTED = {name: 1 << (10 + place) for place, name in enumerate(INJECTIONS)}
"""The first id of each phrase that may be injected."""


class Origin(NamedTuple):
    """Where a generated token comes from: its branch, and its place there from 0 on."""

    branch: int
    place: int


def generated(branch: int, start: int, end: int, shift: int = 0) -> range:
    """Tokens of a branch from one place to before another; ``shift``: of its program."""
    first = GENERATED + ((branch + shift) % BRANCHES << PLACE_BITS)
    return range(first + start, first + end)


def packed_tokens(branch: int, start: int, end: int, shift: int = 0) -> bytes:
    """What `generated` gives, as `dynasor.token_ids` packs it."""
    ids = generated(branch, start, end, shift)
    return np.arange(ids.start, ids.stop, dtype=np.intc).tobytes()


def origin(token: int, shift: int = 0) -> Origin | None:
    """Where a token of a program with this shift comes from; None: nobody generated it."""
    if token < GENERATED:
        return None
    branch, place = divmod(token - GENERATED, 1 << PLACE_BITS)
    return Origin((branch - shift) % BRANCHES, place)


def injections(lengths: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Token ids of the phrases that may be injected, by name, from how long they are."""
    return {name: tuple(range(INJECTED[name], INJECTED[name] + n)) for name, n in lengths.items()}


def prompt(question: int, kind: int, system_tokens: int, own_tokens: int) -> tuple[int, ...]:
    """A question's prompt: what all prompts share, what those of its kind share, and its own."""
    system = SYSTEM + kind * OWN_STRIDE
    own = OWN + question * OWN_STRIDE % (GENERATED >> 1)
    return (
        *range(1, 1 + TEMPLATE_TOKENS),
        *range(system, system + system_tokens),
        *range(own, own + max(1, own_tokens - TEMPLATE_TOKENS)),
    )


def prompt_of_blocks(ids: tuple[int, ...], tokens: int, own: int) -> tuple[int, ...]:
    """A prompt of so many tokens that begins as others do whose ids begin alike; what no id stands
    for is like nothing in prompts with another number ``own``."""
    found: list[int] = []
    for number in ids:
        first = OWN + number * PREFIX_BLOCK_TOKENS % (GENERATED >> 1)
        found += range(first, first + PREFIX_BLOCK_TOKENS)
    first = OWN + (GENERATED >> 1) + own * OWN_STRIDE % (GENERATED >> 2)
    found += range(first, first + max(0, tokens - len(found)))
    return tuple(found[:tokens])
