"""Token ids in four bytes each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.branch import Branch
from dynasor.token_ids import TOKEN_BYTES, pack_tokens, unpack_tokens
from dynasor.work import Generate

ids = st.lists(st.integers(0, 2**31 - 1))


@given(ids)
def test_what_was_packed_comes_out_again(tokens: list[int]) -> None:
    packed = pack_tokens(tokens)
    assert unpack_tokens(packed) == tuple(tokens)
    assert len(packed) == TOKEN_BYTES * len(tokens)


def test_an_id_that_does_not_fit_is_refused() -> None:
    with pytest.raises(OverflowError):
        pack_tokens([2**31])


def test_half_a_token_is_refused() -> None:
    with pytest.raises(ValueError):
        unpack_tokens(pack_tokens([1, 2])[:-1])


@given(ids, st.data())
def test_a_branch_takes_what_is_new_however_reports_overlap(
    tokens: list[int], data: st.DataObject
) -> None:
    branch, known = Branch(Generate(0)), 0
    while known < len(tokens):
        start = data.draw(st.integers(0, known))
        end = data.draw(st.integers(start, len(tokens)))
        new = branch.extend(start, pack_tokens(tokens[start:end]))
        assert new == max(0, end - known)
        known = max(known, end)
        assert branch.tokens.tolist() == tokens[:known]
        if known < len(tokens):
            branch.extend(known, pack_tokens(tokens[known : known + 1]))
            known += 1
