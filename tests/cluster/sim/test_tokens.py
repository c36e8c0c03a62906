"""Token ids tell where they come from, and never meet by chance within a program."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cluster.sim.tokens import (
    BRANCHES,
    PLACE_BITS,
    generated,
    injections,
    origin,
    prompt,
    prompt_of_blocks,
)

branches = st.integers(0, BRANCHES - 1)
places = st.integers(0, (1 << PLACE_BITS) - 1)


@given(branch=branches, place=places, shift=branches)
def test_a_generated_token_tells_its_branch_and_place(branch: int, place: int, shift: int) -> None:
    (token,) = generated(branch, place, place + 1, shift)
    assert token < 2**31
    assert origin(token, shift) == (branch, place)
    assert (token == generated(branch, place, place + 1)[0]) == (shift == 0)


@given(question=st.integers(0, 10**6), tokens=st.integers(1, 5000))
def test_a_prompt_has_its_length_and_was_not_generated(question: int, tokens: int) -> None:
    ids = prompt(question, 0, 3, tokens)
    assert len(ids) == 3 + max(tokens, 9)
    assert all(origin(token) is None for token in ids)


def test_prompts_share_what_their_kinds_share() -> None:
    one, two, other = prompt(1, 0, 10, 100), prompt(2, 0, 10, 100), prompt(1, 1, 10, 100)
    assert one[:18] == two[:18] and one[18] != two[18]
    assert one[:8] == other[:8] and one[8] != other[8] and one[18:] == other[18:]
    ids = {token for phrase in injections({"probe": 9, "wait": 9}).values() for token in phrase}
    assert len(ids) == 18 and not ids & set(one)


def test_prompts_of_blocks_begin_as_their_ids_do() -> None:
    one, two = prompt_of_blocks((1, 2, 3), 1200, 0), prompt_of_blocks((1, 2, 4), 1300, 1)
    assert (len(one), len(two)) == (1200, 1300)
    assert one[:1024] == two[:1024] and one[1024] != two[1024]


def test_prompts_share_nothing_that_no_id_stands_for() -> None:
    one, two = prompt_of_blocks((), 600, 0), prompt_of_blocks((), 600, 1)
    assert not set(one) & set(two)
    one, two = prompt_of_blocks((7,), 600, 0), prompt_of_blocks((7,), 600, 1)
    assert one[:512] == two[:512] and not set(one[512:]) & set(two[512:])
    assert all(origin(token) is None for token in (*one, *two))
