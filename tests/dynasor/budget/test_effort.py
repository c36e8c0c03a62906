"""Effort: the table says what it says, and more effort never means less compute."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest

from dynasor.budget.effort import EFFORTS, Effort
from dynasor.terms import Terms

NAMES = get_args(Effort)


def test_every_effort_has_a_level_and_they_rise() -> None:
    assert tuple(EFFORTS) == NAMES
    for less, more in pairwise(EFFORTS.values()):
        assert less.share <= more.share
        assert (less.max_disagreement or 1.0) >= (more.max_disagreement or 1.0)


@pytest.mark.parametrize(("effort", "cap"), [("none", 1), ("minimal", 4), ("low", 8), ("high", 16)])
def test_caps_the_units(effort: Effort, cap: int) -> None:
    assert Terms(effort=effort).level.cap(16) == cap
    assert Terms(effort=effort).level.cap(None) is None


def test_a_contract_of_its_own_goes_before_the_efforts() -> None:
    assert Terms().contract is None
    assert Terms(effort="low").contract == EFFORTS["low"].max_disagreement
    assert Terms(effort="low", max_disagreement=0.2).contract == 0.2
