"""Files of recordings and traces, gzipped or not."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from dynasor.replay.recording import Question, parse

GZIP_MAGIC = b"\x1f\x8b"


def read_bytes(path: Path) -> bytes:
    """Its content, unpacked if it is gzipped, whatever its name.

    Raises:
        ValueError: it can't be read; names the file.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ValueError(f"{path}: {reason}") from None


def read_recording(path: Path) -> list[Question]:
    """The questions of a recording.

    Raises:
        ValueError: it can't be read, or a line is no question; names the file, line and field.
    """
    data = read_bytes(path)
    try:
        return parse(data.splitlines())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
