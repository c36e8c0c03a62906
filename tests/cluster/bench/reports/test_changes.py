"""What counts as a change beyond noise."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bench.reports.changes import LEVEL, changes, holm
from cluster.bench.reports.document import Document, Measure

AMOUNTS = st.floats(0, 1e6).map(lambda value: round(value, 6))
DIRECTIONS = st.sampled_from(["higher", "lower", None])


@st.composite
def measured(draw: st.DrawFn, name: str, better: Any) -> Measure:
    value, below, above = draw(AMOUNTS), draw(AMOUNTS), draw(AMOUNTS)
    repeats = draw(st.lists(AMOUNTS, max_size=4))
    return Measure(
        name=name,
        value=value,
        low=value - below,
        high=value + above,
        better=better,
        repeats=tuple(repeats),
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Document, Document]:
    sides: tuple[list[Measure], list[Measure]] = ([], [])
    for number in range(draw(st.integers(0, 4))):
        better = draw(DIRECTIONS)
        for side in sides:
            side.append(draw(measured(f"m{number}", better)))
    return document(*sides[0]), document(*sides[1])


def document(*measures: Measure) -> Document:
    return Document(bench="online", command="", started="", measures=measures)


def measure(value: float, half: float = 0.0, **others: Any) -> Measure:
    plain = {"name": "m", "value": value, "low": value - half, "high": value + half}
    return Measure(**{**plain, "better": "higher", **others})


def verdict(before: Measure, after: Measure) -> str:
    (change,) = changes(document(before), document(after))
    return change.verdict


@given(pairs())
def test_nothing_changes_against_itself(pair: tuple[Document, Document]) -> None:
    for change in changes(pair[0], pair[0]):
        assert change.verdict == "no change"
        assert change.difference.value == 0


@given(pairs())
def test_the_other_way_round_better_is_worse(pair: tuple[Document, Document]) -> None:
    there, back = changes(*pair), changes(*reversed(pair))
    opposite = {"better": "worse", "worse": "better"}
    for one, other in zip(there, back, strict=True):
        assert other.verdict == opposite.get(one.verdict, one.verdict)
        assert other.difference.value == -one.difference.value
        assert other.difference.low == pytest.approx(-one.difference.high)
        assert other.p == pytest.approx(one.p, nan_ok=True)


@given(pairs())
def test_what_changed_has_an_interval_without_zero(pair: tuple[Document, Document]) -> None:
    for change in changes(*pair):
        if change.verdict in ("better", "worse", "changed"):
            assert change.difference.low > -1e-9 or change.difference.high < 1e-9


@given(st.lists(st.floats(0, 1), max_size=8))
def test_corrected_chances_are_at_least_as_large_and_keep_their_order(found: list[float]) -> None:
    corrected = holm(found)
    assert all(p <= after <= 1 for p, after in zip(found, corrected, strict=True))
    order = sorted(range(len(found)), key=found.__getitem__)
    assert [corrected[i] for i in order] == sorted(corrected)


def test_holm_as_in_its_textbook_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, math.nan])[0] == 0.01, "what can't be tested doesn't count"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (measure(1, 0.1), measure(2, 0.1), "better"),
        (measure(1, 0.1, better="lower"), measure(2, 0.1, better="lower"), "worse"),
        (measure(1, 0.1, better=None), measure(2, 0.1, better=None), "changed"),
        (measure(1, 1.0), measure(2, 1.0), "no change"),
        (measure(1), measure(2), "unclear"),
        (measure(1), measure(1), "no change"),
        (measure(1, 0.1), measure(math.nan), "unclear"),
        (measure(1, 0.1, unit="s"), measure(9, 0.1, unit="ms"), "unclear"),
    ],
)
def test_verdicts_from_intervals(before: Measure, after: Measure, expected: str) -> None:
    assert verdict(before, after) == expected


def test_repeats_say_more_than_intervals() -> None:
    noisy = measure(1, 0.01, repeats=(0.5, 1.5, 1.0)), measure(1.2, 0.01, repeats=(0.7, 1.7, 1.2))
    assert verdict(*noisy) == "no change"
    steady = measure(1, 5, repeats=(1.0, 1.01, 0.99)), measure(2, 5, repeats=(2.0, 2.01, 1.99))
    assert verdict(*steady) == "better"


def test_identical_repeats_leave_it_to_the_intervals() -> None:
    same, other = (0.5, 0.5), (0.4, 0.4)
    assert verdict(measure(0.5, repeats=same), measure(0.4, repeats=other)) == "unclear"
    assert verdict(measure(0.5, repeats=same), measure(0.5, repeats=same)) == "no change"
    wide = verdict(measure(0.5, 0.2, repeats=same), measure(0.4, 0.2, repeats=other))
    assert wide == "no change"


def test_welch_as_in_the_table_of_student() -> None:
    shift = 2.776445 * math.sqrt(2 / 3)  # t of 4 degrees of freedom times the standard error
    first, second = (9.0, 10.0, 11.0), tuple(value + shift for value in (9.0, 10.0, 11.0))
    pair = measure(10, repeats=first), measure(10 + shift, repeats=second)
    (change,) = changes(*(document(one) for one in pair))
    assert change.p == pytest.approx(LEVEL, rel=1e-4)
    assert change.difference.low == pytest.approx(0, abs=1e-4)


def test_many_measures_need_a_larger_difference_each() -> None:
    pair = measure(1, 0.2), measure(1.3, 0.2)
    assert verdict(*pair) == "better"
    names = [f"other{i}" for i in range(20)]
    others = [measure(1, 0.2, name=name) for name in names]
    found = changes(document(pair[0], *others), document(pair[1], *others))
    assert {change.verdict for change in found} == {"no change"}


def test_ratios_are_of_the_second_over_the_first() -> None:
    (change,) = changes(document(measure(2, 0.1)), document(measure(5, 0.1)))
    assert change.ratio == 2.5
    (change,) = changes(document(measure(0, 0.1)), document(measure(5, 0.1)))
    assert math.isnan(change.ratio)
