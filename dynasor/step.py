"""What one input to the core led to."""

from __future__ import annotations

import msgspec

from dynasor.messages import Command
from dynasor.result import Progress, Result


class Step(msgspec.Struct, frozen=True, gc=False):
    """Commands of a replica are to be carried out in their order."""

    commands: dict[str, tuple[Command, ...]] = {}
    results: tuple[Result, ...] = ()
    progress: tuple[Progress, ...] = ()
