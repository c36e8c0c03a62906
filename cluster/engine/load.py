"""How busy the engine is, for reports."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dynasor.messages import Load

NOTICEABLE = 2
"""Digits after the point to which the use of the KV cache is told."""


class Gauge:
    """What the engine said last of its load, and whether the controller knows it.

    Attributes:
        changed: called when there is a load to report.
    """

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._now: Load | None = None
        self._told: Load | None = None

    def set(self, load: Load) -> None:
        """The engine's load now."""
        kv_used = round(min(1.0, max(0.0, load.kv_used)), NOTICEABLE)
        self._now = msgspec.structs.replace(load, kv_used=kv_used)
        if self._now != self._told:
            self.changed()

    def take(self) -> Load | None:
        """The load, if it changed noticeably since it was taken last."""
        if self._now == self._told:
            return None
        self._told = self._now
        return self._now

    def forget(self) -> None:
        """The controller knows nothing of it any more."""
        self._told = None
