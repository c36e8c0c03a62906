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

from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from cluster.workload.arrival_csv import parse_csv
from cluster.workload.arrival_trace import ArrivalTrace, in_order
from cluster.workload.files import read_bytes

Count = Annotated[int, msgspec.Meta(ge=0)]


def read_arrivals(path: Path) -> ArrivalTrace:
    """The arrivals in a file of any of these formats, gzipped or not, in any order.

    Raises:
        ValueError: it can't be read, its format is not known, or a value in it is none; names the
            file, line and column.
    """
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig").rstrip()
        return _parsed_json(text) if text.startswith("{") else parse_csv(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


class _MooncakeLine(msgspec.Struct):
    timestamp: float
    input_length: Count
    output_length: Count
    hash_ids: tuple[Count, ...] = ()


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
    return in_order(
        np.array([row.timestamp / 1000 for row in rows]),
        np.array([row.input_length for row in rows], np.int64),
        np.array([row.output_length for row in rows], np.int64),
        tuple(row.hash_ids for row in rows) if any(row.hash_ids for row in rows) else None,
    )
