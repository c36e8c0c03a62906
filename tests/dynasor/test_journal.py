"""The event log: what is written replays, and what differs is found."""

from __future__ import annotations

import msgspec
import pytest

from dynasor.inputs import Attach, Cancel, Detach, Heard, Reported, Submit, Tick
from dynasor.journal import Divergence, Entry, replay
from tests.dynasor.world import World


def history() -> World:
    world = World(lease_tokens=8, replica_timeout_s=0.4)
    world.attach("a", slots=2)
    world.submit(
        max_branches=3, deadline_s=30, sampling={"seed": 3, "stop": ["\n\n"]}, watched=True
    )
    world.steps(2)
    world.attach("b", slots=2)
    world.submit("other", algorithm="sample", n=2, policy={"name": "threshold", "knob": 1})
    world.cancel("nobody")
    world.steps(2)
    world.leave("b")
    world.die("a")
    world.steps(10)
    world.attach("c")
    world.run()
    return world


def test_a_log_replays_to_the_same_decisions() -> None:
    world = history()
    assert replay(world.journal, world.settings) == len(world.journal)
    assert {type(msgspec.json.decode(line)["input"]["type"]) for line in world.journal} == {str}


def test_every_kind_of_input_is_in_it() -> None:
    kinds = {msgspec.json.decode(line)["input"]["type"] for line in history().journal}
    every = (Attach, Cancel, Detach, Heard, Reported, Submit, Tick)
    assert kinds == {kind.__struct_config__.tag for kind in every}


def test_one_line_per_input() -> None:
    for line in history().journal:
        assert line.endswith(b"\n") and line.count(b"\n") == 1
        assert set(msgspec.json.decode(line)) == set(Entry.__struct_fields__)


def test_a_difference_is_found_where_it_is() -> None:
    world = history()
    other = world.settings.model_copy(update={"lease_tokens": 9})
    with pytest.raises(Divergence) as caught:
        replay(world.journal, other)
    first = next(
        line for line, entry in enumerate(world.journal, start=1) if b'"type":"start"' in entry
    )
    assert caught.value.line == first


def test_an_empty_log_is_no_error() -> None:
    assert replay([], World().settings) == 0


def test_what_is_not_an_entry_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError):
        replay([b'{"now": 1.0}\n'], World().settings)
