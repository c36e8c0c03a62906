"""The rows that ship, and what a file of rows may say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.bench.rows import ROWS, read_sheet
from dynasor.algorithms import ALGORITHMS
from dynasor.query import parse_program

SHEET = read_sheet()


def test_every_algorithm_has_a_row():
    assert {row.program["algorithm"] for row in SHEET.rows} == set(ALGORITHMS)


@pytest.mark.parametrize("row", SHEET.rows, ids=lambda row: row.name)
def test_a_row_says_what_limits_it(row):
    """Nothing is left to the cluster's default policy, so that a table says what ran."""
    spec = parse_program(row.program)
    assert row.plain or spec.policy is not None
    assert spec.terms.deadline_s is None


def test_long_chains_are_compared_with_a_long_chain():
    by_name = {row.name: row for row in SHEET.rows}
    for row in SHEET.rows:
        if row.baseline is not None:
            assert row.hard
            assert by_name[row.baseline].hard


def test_majority_voting_is_computed_from_chains_that_all_run_to_their_end():
    (row,) = SHEET.chosen([SHEET.majority])
    assert parse_program(row.program).policy == "even"
    assert not row.hard


def test_rows_keep_the_order_of_the_file():
    first, second = SHEET.rows[0].name, SHEET.rows[1].name
    assert [row.name for row in SHEET.chosen([second, first])] == [first, second]
    assert SHEET.chosen(None) == SHEET.rows
    with pytest.raises(ValueError, match="unknown row 'nonsense'; known: plain"):
        SHEET.chosen(["nonsense"])


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(**changes: Any) -> Path:
        document = {"majority": "a", "rows": [{"name": "a"}, {"name": "b"}], **changes}
        path = tmp_path / "rows.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    return write


def expecting(**fields: Any) -> dict[str, Any]:
    return {"expect": [{"row": "a", "metric": "accuracy", "than": "b", **fields}]}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rows": []}, "rows"),
        ({"rows": [{"name": "a"}, {"name": "a"}]}, "the name 'a' is taken"),
        ({"rows": [{"name": "a"}, {"name": "majority-at-equal-tokens"}]}, "is taken"),
        ({"rows": [{"name": "A b"}]}, "name"),
        ({"rows": [{"name": "a", "program": {"algorithm": "x"}}]}, "unknown algorithm 'x'"),
        ({"rows": [{"name": "a", "program": {"max_branches": 0}}]}, "max_branches"),
        ({"rows": [{"name": "a", "progam": {}}]}, "progam"),
        ({"rows": [{"name": "a", "baseline": "c"}]}, "there is no row 'c'"),
        ({"majority": "c"}, "there is no row 'c'"),
        (expecting(row="c", above=0), "there is no row 'c'"),
        (expecting(than="c", above=0), "there is no row 'c'"),
        (expecting(), "exactly one of"),
        (expecting(above=0, at_most=1), "exactly one of"),
        (expecting(metric="tokens", than="majority-at-equal-tokens", at_most=1), "accuracy only"),
        (expecting(metric="latency", above=0), "metric"),
    ],
)
def test_a_file_that_can_not_be_run_is_refused(write, changes, reason):
    with pytest.raises(ValueError, match=reason):
        read_sheet(write(**changes))


def test_a_row_without_a_program_samples_plainly(write):
    sheet = read_sheet(write(**expecting(at_most=3)))
    assert sheet.rows[0].plain
    assert sheet.expect[0].bound == ("at most", 3)


def test_the_rows_ship_with_the_package():
    project = Path(__file__).parents[3] / "pyproject.toml"
    assert ROWS.parent.name == "bench"
    assert '"cluster.bench" = ["*.yaml"]' in project.read_text()
