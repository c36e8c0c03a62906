from __future__ import annotations

import httpx
import pytest

from cluster.bench import client
from cluster.record import session
from tests.cluster.record.cluster_in_memory import Cluster


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """What `dynasor record` talks to."""
    there = Cluster()
    transport = httpx.MockTransport(there.handle)
    monkeypatch.setattr(session, "connect", lambda url, n: client.connect(url, n, transport))
    return there
