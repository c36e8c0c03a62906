"""Garbage collection in the controller's process.

The core makes no reference cycles: what a program leaves goes at once, by reference counts. The
defaults of Python would walk through everything that lives again and again, a second or two at a
time with 100,000 branches, and nothing else happens meanwhile. So young objects are looked at
seldom, and all of them only when nothing is in progress.
"""

from __future__ import annotations

import gc

THRESHOLDS = (20_000, 50, 1_000_000)
"""New container objects before the young ones are looked at; such looks before the next generation
is; and so on."""


def tune() -> None:
    """Call once, when the process has loaded what it needs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def collect_if(idle: bool) -> None:
    """Collect everything while nobody waits for it."""
    if idle:
        gc.collect()
