"""Replicas that fall silent are found in time, and no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynasor.fleet.liveness import Liveness
from dynasor.fleet.replica import Replica
from tests.dynasor.simulated import info

moments = st.floats(0, 1000)


@given(
    st.floats(0.01, 600),
    st.dictionaries(st.sampled_from("abcdef"), moments),
    st.lists(st.tuples(st.sampled_from("abcdef"), moments)),
    moments,
)
def test_is_what_a_look_at_all_replicas_says(
    timeout: float, joined: dict[str, float], heard: list[tuple[str, float]], now: float
) -> None:
    there = Liveness(timeout)
    replicas = {name: Replica(name, info(), at) for name, at in joined.items()}
    for replica in replicas.values():
        there.join(replica)
    for name, at in heard:
        if name in replicas:
            replicas[name].heard_at = max(at, replicas[name].heard_at)
            assert there.expires_at == min(one.heard_at + timeout for one in replicas.values())
    silent = [name for name, one in replicas.items() if one.heard_at + timeout <= now]
    assert there.expired(now) == silent
    assert there.expired(now) == silent, "until they leave"
    for name in silent:
        there.leave(replicas[name])
    assert there.expired(now) == []
    alive = [one.heard_at + timeout for name, one in replicas.items() if name not in silent]
    assert there.expires_at == min(alive, default=None)
