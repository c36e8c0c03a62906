"""How measurements that take minutes say how far they are."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str, int, int], None]
"""Told what is being measured, how much is done, and of how much."""
