"""Traces of arrivals as CSV: which formats there are, see `cluster.workload.arrival_files`."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cluster.workload.arrival_trace import ArrivalTrace, IdBlocks, in_order


class _Columns(NamedTuple):
    """A CSV format: its columns, and how its time becomes seconds (nan: it is none)."""

    time: str
    seconds: Callable[[pd.Series[Any]], pd.Series[float]]
    wanted: str
    input: str = ""
    output: str = ""
    ids: str = ""


def _number(cells: pd.Series[Any]) -> pd.Series[float]:
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers))


def _from_ms(cells: pd.Series[Any]) -> pd.Series[float]:
    return _number(cells) / 1000


def _from_date(cells: pd.Series[Any]) -> pd.Series[float]:
    dates = pd.to_datetime(cells, format="ISO8601", utc=True, errors="coerce")
    return (dates - dates.min()).dt.total_seconds()


FORMATS = (
    _Columns("TIMESTAMP", _from_date, "a date and time", "ContextTokens", "GeneratedTokens"),
    _Columns(
        "timestamp",
        _from_ms,
        "a number of milliseconds",
        "input_length",
        "output_length",
        "hash_ids",
    ),
    _Columns(
        "arrival_s", _number, "a number of seconds", "input_tokens", "output_tokens", "hash_ids"
    ),
)


def parse_csv(text: str) -> ArrivalTrace:
    """The arrivals in such a file.

    Raises:
        ValueError: the format is not known, or a value in it is none; names the line and column.
    """
    header = [cell.strip() for cell in text.partition("\n")[0].split(",")]
    columns = _format(header)
    named = not _is_number(header[0])
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            dtype={columns.ids: str},
            low_memory=False,
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
    return in_order(
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
        return _Columns("seconds" if _is_number(header[0]) else header[0], _number, "a number")
    times = ", ".join(known.time for known in FORMATS)
    raise ValueError(f"line 1: needs a column {times}, one column only, or lines of JSON")


def _checked(
    frame: pd.DataFrame,
    column: str,
    read: Callable[[pd.Series[Any]], pd.Series[float]],
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


def _whole(cells: pd.Series[Any]) -> pd.Series[float]:
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
