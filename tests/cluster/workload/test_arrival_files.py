"""Public formats of traces."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from cluster.workload.arrival_files import read_arrivals
from cluster.workload.arrival_trace import ArrivalTrace

AZURE_2023 = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
"""
AZURE_2024 = """TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:00:01+00:00,2399,6
"""
MOONCAKE = """{"timestamp": 27482, "input_length": 600, "output_length": 52, "hash_ids": [46, 47]}
{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46, 111]}
"""
MOONCAKE_CSV = """timestamp,input_length,output_length,hash_ids
27482,600,52,"[46, 47]"
30535,6472,26,"[46, 111]"
"""
NORMALIZED = """arrival_s,input_tokens,output_tokens,hash_ids
0.5,374,44,0 1
2.0,396,109,0 2
"""


def read(path: Path, text: str, packed: bool = False) -> ArrivalTrace:
    data = text.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    return read_arrivals(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trace"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("text", "second_s", "inputs", "outputs", "ids"),
    [
        (AZURE_2023, 4.314579, [374, 396], [44, 109], None),
        (AZURE_2024, 0.99007, [2162, 2399], [5, 6], None),
        (MOONCAKE, 3.053, [600, 6472], [52, 26], ((46, 47), (46, 111))),
        (MOONCAKE_CSV, 3.053, [600, 6472], [52, 26], ((46, 47), (46, 111))),
        (NORMALIZED, 1.5, [374, 396], [44, 109], ((0, 1), (0, 2))),
    ],
    ids=["azure-2023", "azure-2024", "mooncake", "mooncake-csv", "normalized"],
)
def test_published_formats(
    file: Path,
    packed: bool,
    text: str,
    second_s: float,
    inputs: list[int],
    outputs: list[int],
    ids: tuple[tuple[int, ...], ...] | None,
) -> None:
    trace = read(file, text, packed)
    assert trace.arrival_s == pytest.approx([0, second_s])
    assert trace.input_tokens is not None and trace.input_tokens.tolist() == inputs
    assert trace.output_tokens is not None and trace.output_tokens.tolist() == outputs
    assert trace.hash_ids == ids


@pytest.mark.parametrize("text", ["3\n4.5\n", "seconds\n3\n4.5", "\ufeffarrival_s\r\n3\r\n4.5\r\n"])
def test_one_column_of_seconds_is_enough(file: Path, text: str) -> None:
    trace = read(file, text)
    assert trace.arrival_s.tolist() == [0, 1.5]
    assert trace.input_tokens is None and trace.hash_ids is None
    assert trace.input_of(0) is None and trace.prefix_of(0) == ()


def test_rows_may_come_in_any_order(file: Path) -> None:
    trace = read(file, "arrival_s,input_tokens\n7,1\n4,2\n\n7,3\n")
    assert trace.arrival_s.tolist() == [0, 3, 3]
    assert trace.input_tokens is not None and trace.input_tokens.tolist() == [2, 1, 3]


def test_all_at_once_have_a_span_of_their_own(file: Path) -> None:
    assert read(file, "5\n5\n").span_s == 1
    assert read(file, "5\n7\n").span_s == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (AZURE_2023.replace("396", ""), "line 3: ContextTokens must be a number of tokens, got ''"),
        (AZURE_2024.replace("2024-05-10 00:00:01", "soon"), "line 3: TIMESTAMP must be a date"),
        (MOONCAKE.replace("6472", '"x"'), "line 2: .*input_length"),
        (MOONCAKE_CSV.replace("111", "x"), "line 3: hash_ids must be whole numbers"),
        (NORMALIZED.replace("109", "-1"), "line 3: output_tokens must be a number of tokens"),
        (NORMALIZED.replace("109", "1.5"), "line 3: output_tokens must be"),
        (
            NORMALIZED.replace("2.0,", "nan,"),
            "line 3: arrival_s must be a number of seconds, got 'nan'",
        ),
        (NORMALIZED.replace("0 2", "0 2,7,8"), "line 3"),
        ("arrival_s\n1,2\n", "line 2: more than 1 fields"),
        ("1\n2\nthree\n", "line 3: seconds must be a number, got 'three'"),
        ("arrival_s,input_tokens\n", "no arrival"),
        ("time,tokens\n1,2\n", "line 1: needs a column TIMESTAMP, timestamp, arrival_s"),
        ("", "line 1"),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_column(file: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"trace: .*{said}"):
        read(file, text)


def test_a_file_must_be_there_and_whole(file: Path) -> None:
    with pytest.raises(ValueError, match="trace: No such file"):
        read_arrivals(file)
    file.write_bytes(gzip.compress(NORMALIZED.encode())[:-9])
    with pytest.raises(ValueError, match="trace: "):
        read_arrivals(file)


def test_ids_of_later_turns_are_their_own(file: Path) -> None:
    trace = read(file, NORMALIZED)
    seen = [{*trace.prefix_of(0, turn), *trace.prefix_of(1, turn)} for turn in range(3)]
    assert [len(ids) for ids in seen] == [3, 3, 3] and len(set.union(*seen)) == 9
    assert isinstance(trace.arrival_s, np.ndarray)
