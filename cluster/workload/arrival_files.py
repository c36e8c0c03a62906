"""Public traces of arrivals, recognized by their content.

- Azure's LLM inference traces of 2023 and 2024 (github.com/Azure/AzurePublicDataset): CSV with
  ``TIMESTAMP,ContextTokens,GeneratedTokens``.
- Mooncake's traces (github.com/kvcache-ai/Mooncake): JSON lines, or CSV with the same columns,
  ``timestamp`` (ms), ``input_length``, ``output_length``, ``hash_ids``.
- Normalized CSV: ``arrival_s,input_tokens,output_tokens`` and, where prefixes are known,
  ``hash_ids`` (separated by spaces). Columns beside ``arrival_s`` may be left out.
- Plain: one column of seconds, with or without a name above it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cluster.workload.files import read_bytes

IdBlocks = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class ArrivalTrace:
    """Arrivals in the order of their time, one a place in each array; at least one.

    Attributes:
        arrival_s: seconds since the first, which is at 0; float64.
        input_tokens, output_tokens: of prompts and responses; int64; None: the file has none.
        hash_ids: of each prompt's blocks of 512 tokens; None: the file has none.
    """

    arrival_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64] | None = None
    output_tokens: NDArray[np.int64] | None = None
    hash_ids: IdBlocks | None = None

    @property
    def span_s(self) -> float:
        """From its first arrival to the first of its next turn: a mean gap after its last. 1 s
        where all arrive at once."""
        number, last = len(self.arrival_s), float(self.arrival_s[-1])
        return last * number / (number - 1) if last > 0 else 1.0

    def input_of(self, place: int) -> int | None:
        """Tokens of its prompt; None: not known."""
        return None if self.input_tokens is None else int(self.input_tokens[place])

    def prefix_of(self, place: int, turn: int = 0) -> tuple[int, ...]:
        """Ids of its prompt's blocks; other ones in each turn through the trace."""
        if self.hash_ids is None:
            return ()
        first = turn * self._ids
        return tuple(first + one for one in self.hash_ids[place])

    @cached_property
    def _ids(self) -> int:
        """Above all ids."""
        return 1 + max((max(ids) for ids in self.hash_ids or () if ids), default=0)


def read_arrivals(path: Path) -> ArrivalTrace:
    """The arrivals in a file of any of these formats, gzipped or not, in any order.

    Raises:
        ValueError: it can't be read, its format is not known, or a value in it is none; names the
            file, line and column.
    """
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig").rstrip()
        return _parsed_json(text) if text.startswith("{") else _parsed_csv(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


class _MooncakeLine(msgspec.Struct):
    timestamp: float
    input_length: Annotated[int, msgspec.Meta(ge=0)]
    output_length: Annotated[int, msgspec.Meta(ge=0)]
    hash_ids: tuple[Annotated[int, msgspec.Meta(ge=0)], ...] = ()


def _parsed_json(text: str) -> ArrivalTrace:
    decoder = msgspec.json.Decoder(_MooncakeLine)
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            raise ValueError(f"line {number}: {error}") from None
    return _in_order(
        np.array([row.timestamp / 1000 for row in rows]),
        np.array([row.input_length for row in rows], np.int64),
        np.array([row.output_length for row in rows], np.int64),
        tuple(row.hash_ids for row in rows) if any(row.hash_ids for row in rows) else None,
    )


class _Columns(NamedTuple):
    """A CSV format: its columns, and how its time becomes seconds (nan: it is none)."""

    time: str
    seconds: Callable[[pd.Series[str]], pd.Series[float]]
    wanted: str
    input: str = ""
    output: str = ""
    ids: str = ""


def _number(cells: pd.Series[str]) -> pd.Series[float]:
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers))


def _from_ms(cells: pd.Series[str]) -> pd.Series[float]:
    return _number(cells) / 1000


def _from_date(cells: pd.Series[str]) -> pd.Series[float]:
    dates = pd.to_datetime(cells, format="ISO8601", utc=True, errors="coerce")
    return (dates - dates.min()).dt.total_seconds()


FORMATS = (
    _Columns("TIMESTAMP", _from_date, "a date and time", "ContextTokens", "GeneratedTokens"),
    _Columns("timestamp", _from_ms, "milliseconds", "input_length", "output_length", "hash_ids"),
    _Columns("arrival_s", _number, "seconds", "input_tokens", "output_tokens", "hash_ids"),
)


def _parsed_csv(text: str) -> ArrivalTrace:
    header = [cell.strip() for cell in text.partition("\n")[0].split(",")]
    columns = _format(header)
    named = not _is_number(header[0])
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
            header=None,
            names=header if named else [columns.time],
            skiprows=1 if named else 0,
        )
    except pd.errors.ParserError as error:
        raise ValueError(str(error)) from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise ValueError(f"line {1 + named}: more than {len(header)} fields")
    frame.index += 1 + named
    frame = frame[(frame != "").any(axis=1)]
    if frame.empty:
        raise ValueError("there is no arrival in it")
    return _in_order(
        _checked(frame, columns.time, columns.seconds, columns.wanted),
        _tokens(frame, columns.input),
        _tokens(frame, columns.output),
        _ids(frame, columns.ids),
    )


def _format(header: Sequence[str]) -> _Columns:
    """Which format has such a first line. Raises ValueError: none."""
    for known in FORMATS:
        if known.time in header:
            return known
    if len(header) == 1 and header[0]:
        return _Columns("seconds" if _is_number(header[0]) else header[0], _number, "seconds")
    times = ", ".join(known.time for known in FORMATS)
    raise ValueError(f"line 1: needs a column {times}, one column only, or lines of JSON")


def _checked(
    frame: pd.DataFrame,
    column: str,
    read: Callable[[pd.Series[str]], pd.Series[float]],
    wanted: str,
) -> NDArray[np.float64]:
    """The column's values. Raises ValueError: one is none; names its line and column."""
    values = read(frame[column])
    bad = values.isna().to_numpy()
    if bad.any():
        row = int(bad.argmax())
        said = frame[column].iloc[row]
        raise ValueError(f"line {frame.index[row]}: {column} must be {wanted}, got {said!r}")
    return np.asarray(values, np.float64)


def _whole(cells: pd.Series[str]) -> pd.Series[float]:
    numbers = _number(cells)
    return numbers.where((numbers >= 0) & (numbers % 1 == 0))


def _tokens(frame: pd.DataFrame, column: str) -> NDArray[np.int64] | None:
    if column not in frame:
        return None
    return _checked(frame, column, _whole, "a number of tokens").astype(np.int64)


def _ids(frame: pd.DataFrame, column: str) -> IdBlocks | None:
    """Blocks of ids, separated by spaces or as a JSON array."""
    if column not in frame:
        return None
    rows = []
    for line, cell in frame[column].items():
        try:
            rows.append(tuple(map(int, cell.strip("[]").replace(",", " ").split())))
        except ValueError:
            raise ValueError(f"line {line}: {column} must be whole numbers, got {cell!r}") from None
    return tuple(rows)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _in_order(
    seconds: NDArray[np.float64],
    input_tokens: NDArray[np.int64] | None,
    output_tokens: NDArray[np.int64] | None,
    ids: IdBlocks | None,
) -> ArrivalTrace:
    """Sorted by time, from 0 on; rows of one time stay in their order."""
    order = np.argsort(seconds, kind="stable")
    return ArrivalTrace(
        arrival_s=seconds[order] - seconds[order[0]],
        input_tokens=None if input_tokens is None else input_tokens[order],
        output_tokens=None if output_tokens is None else output_tokens[order],
        hash_ids=None if ids is None else tuple(ids[place] for place in order),
    )
