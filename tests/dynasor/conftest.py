"""Fixtures of the core's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dynasor.policies import POLICIES, Policy


@pytest.fixture
def register_policy() -> Iterator[Callable[[type[Policy]], type[Policy]]]:
    """Registers a policy for one test."""
    known = dict(POLICIES._entries)
    yield POLICIES.register
    POLICIES._entries.clear()
    POLICIES._entries.update(known)
