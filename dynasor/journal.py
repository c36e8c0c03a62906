"""The event log: every input of a core with its time and what came of it, one JSON line each.

A core is deterministic, so a log replays to the same decisions; a difference is a defect, and a
log attached to a report reproduces it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from dynasor.core import Core
from dynasor.inputs import Input, from_plain, to_plain
from dynasor.settings import CoreSettings
from dynasor.step import Step


class Entry(msgspec.Struct, frozen=True):
    """One line: an input, its time (seconds, the shell's clock), and the core's step."""

    now: float
    input: Input
    step: Step


class Divergence(AssertionError):
    """A replay decided otherwise than its log; ``line`` counts from 1."""

    def __init__(self, line: int, logged: Step, replayed: Step) -> None:
        super().__init__(f"line {line}: logged {logged}, replayed {replayed}")
        self.line = line


_encoder = msgspec.json.Encoder(enc_hook=to_plain)
_decoder = msgspec.json.Decoder(Entry, dec_hook=from_plain)


def encode(entry: Entry) -> bytes:
    """One line, with its newline."""
    return _encoder.encode(entry) + b"\n"


def replay(lines: Iterable[bytes], settings: CoreSettings) -> int:
    """Feed a log to a fresh core and compare every step.

    Returns:
        The number of entries replayed.

    Raises:
        Divergence: at the first step that differs.
        msgspec.ValidationError: a line is not an entry.
    """
    core = Core(settings)
    count = 0
    for count, line in enumerate(lines, start=1):
        entry = _decoder.decode(line)
        step = core.handle(entry.input, entry.now)
        if _encoder.encode(step) != _encoder.encode(entry.step):
            raise Divergence(count, entry.step, step)
    return count
