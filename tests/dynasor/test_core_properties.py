"""Whatever happens: every accepted query gets one result, nothing leaks, every log replays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from dynasor.budget.accounts import RateLimit
from dynasor.budget.ledger import LimitSettings
from dynasor.errors import Overloaded
from dynasor.journal import replay
from tests.dynasor.simulated import Chain, SimReplica
from tests.dynasor.small_programs import programs
from tests.dynasor.world import World

REPLICAS = st.sampled_from(["a", "b", "c"])
SMALL = st.floats(0.001, 0.8, allow_subnormal=False)
MAX_PROGRAMS = 4
BOTH = ("generate", "reward")
BEGIN = 100.0
MAX_MODEL_LEN = 160
QUERY_TOKENS = 400
TENANTS = ("default", "small")
LIMITS = LimitSettings(
    query_tokens=QUERY_TOKENS,
    tenants={"small": RateLimit(tokens_per_s=200, burst_tokens=64)},
    cluster=RateLimit(tokens_per_s=2000, burst_tokens=512),
)


def script(query_id: str, branch: int) -> Chain:
    """Chains and steps of all kinds: short, long, silent about their answer, refused."""
    mix = (sum(query_id.encode()) * 31 + branch * 17) % 97
    answer = [None, "1", "1", "1", "1", "2"][mix % 6]
    return Chain(
        length=mix % 61,
        answer=answer,
        end="error" if mix % 11 == 0 else "stop",
        step=mix % 3 > 0,
        score=mix % 10 / 10,
    )


class Fleet(RuleBasedStateMachine):
    """Callers, replicas and the network at their worst, in any order."""

    queries: Bundle[str] = Bundle("queries")

    def __init__(self) -> None:
        super().__init__()
        self.world = World(
            script,
            lease_tokens=16,
            replica_timeout_s=0.5,
            settle_s=0.1,
            progress_period_s=0.05,
            max_programs=MAX_PROGRAMS,
            limits=LIMITS,
            explore_share=0.3,
        )
        self.accepted: list[str] = []

    @rule(
        target=queries,
        program=programs(),
        how=st.fixed_dictionaries(
            {},
            optional={
                "policy": st.sampled_from(
                    ["even", "beta", "window", "value", {"name": "threshold", "knob": 2, "wave": 3}]
                ),
                "deadline_s": SMALL,
                "effort": st.sampled_from(["none", "minimal", "low", "medium", "high"]),
                "max_total_tokens": st.integers(1, 300),
                "priority_s": st.floats(-600, 600),
                "tenant": st.sampled_from(TENANTS),
            },
        ),
        sampling=st.fixed_dictionaries(
            {}, optional={"max_tokens": st.integers(1, 60), "seed": st.integers(0, 2**63 - 1)}
        ),
        prompt=st.integers(1, 90),
        watched=st.booleans(),
    )
    def submit(
        self,
        program: dict[str, Any],
        how: dict[str, Any],
        sampling: dict[str, Any],
        prompt: int,
        watched: bool,
    ) -> object:
        query_id = f"q{len(self.accepted)}"
        try:
            self.world.submit(
                query_id, prompt=prompt, watched=watched, sampling=sampling, **program, **how
            )
        except Overloaded:
            assert len(self.world.core.programs) == MAX_PROGRAMS or "deadline_s" in how
            return multiple()
        self.accepted.append(query_id)
        return query_id

    @rule(query_id=queries)
    def cancel(self, query_id: str) -> None:
        self.world.cancel(query_id)

    @rule(replica=REPLICAS, slots=st.integers(1, 4), kv_blocks=st.integers(1, 40))
    def attach(self, replica: str, slots: int, kv_blocks: int) -> None:
        what = {"slots": slots, "kv_tokens": 16 * kv_blocks, "max_model_len": MAX_MODEL_LEN}
        self.world.attach(replica, **what, services=BOTH)

    @initialize()
    def begin(self) -> None:
        self.attach("a", slots=3, kv_blocks=30)

    @rule(replica=REPLICAS)
    def leave(self, replica: str) -> None:
        self._if_there(replica, lambda _: self.world.leave(replica))

    @rule(replica=REPLICAS)
    def die(self, replica: str) -> None:
        self._if_there(replica, lambda _: self.world.die(replica))

    @rule(replica=REPLICAS, silent=st.booleans())
    def cut_or_mend_the_network(self, replica: str, silent: bool) -> None:
        self._if_there(replica, lambda there: setattr(there, "silent", silent))

    @rule(replica=REPLICAS)
    def hold_reports_back(self, replica: str) -> None:
        self._if_there(replica, lambda there: setattr(there, "holding", True))

    @rule(replica=REPLICAS, times=st.integers(1, 2))
    def let_reports_through(self, replica: str, times: int) -> None:
        self._if_heard(replica, lambda: self.world.release(replica, times))

    @rule(replica=REPLICAS)
    def poll(self, replica: str) -> None:
        self._if_heard(replica, lambda: self.world.apply(replica))

    @rule(replica=REPLICAS, times=st.integers(1, 2))
    def report(self, replica: str, times: int) -> None:
        self._if_heard(replica, lambda: self.world.report(replica, times))

    @rule(replica=REPLICAS, tokens=st.integers(0, 40))
    def generate(self, replica: str, tokens: int) -> None:
        self._if_there(replica, lambda _: self.world.generate(replica, tokens))

    @rule(seconds=SMALL)
    def wait(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @invariant()
    def accounts_balance_and_no_limit_is_passed(self) -> None:
        core = self.world.core
        ledger = core.ledger
        accounts = [program.account for program in core.programs.values()]
        for account in (ledger.cluster, *ledger.tenants.values(), *accounts):
            assert account.granted == account.used + account.returned + account.outstanding
            assert account.outstanding >= 0
        for program in core.programs.values():
            assert program.account.used + program.account.outstanding <= QUERY_TOKENS
            assert program.account.left >= 0
            drawn = sum(branch.drawn for branch in program.branches.values())
            assert program.account.outstanding == drawn
        passed = self.world.now - BEGIN
        for account in (ledger.cluster, *ledger.tenants.values()):
            if account.rate is not None:
                most = account.rate.burst_tokens + account.rate.tokens_per_s * passed
                # What a judge reads can't be cut; a small bucket is in debt afterwards.
                assert account.granted - account.returned <= most + MAX_MODEL_LEN + 1e-6

    @rule(steps=st.integers(1, 5))
    def work(self, steps: int) -> None:
        self.world.steps(steps)

    def teardown(self) -> None:
        """The network is mended and one more replica comes: now everything has to come to rest."""
        world = self.world
        for name, replica in world.replicas.items():
            replica.silent = False
            world.release(name)
        world.attach("d", slots=4, kv_tokens=640, max_model_len=160, services=BOTH)
        world.run()
        assert set(world.results) == set(self.accepted), "every query has its result, and only one"
        world.steps(12)  # by now the silence of those that died has been noticed
        for replica in world.replicas.values():
            assert not replica.runs and not replica.open, "a run nobody wants any more"
            assert not replica.opened, "a prompt nobody needs any more"
        assert world.core.ledger.cluster.outstanding == 0
        self._all_slots_can_be_used()
        assert replay(world.journal, world.settings) == len(world.journal)

    def _all_slots_can_be_used(self) -> None:
        """What ran left nothing behind that the core takes for busy."""
        world = self.world
        room = sum(replica.info.slots for replica in world.replicas.values())
        world.submit(
            "last", prompt=1, algorithm="sample", n=256, sampling={"max_tokens": 1}, policy="even"
        )
        assert len(world.starts("last")) >= room
        world.cancel("last")
        world.run()

    def _if_there(self, replica: str, do: Callable[[SimReplica], None]) -> None:
        there = self.world.replicas.get(replica)
        if there is not None:
            do(there)

    def _if_heard(self, replica: str, do: Callable[[], None]) -> None:
        there = self.world.replicas.get(replica)
        if there is not None and not there.silent and there.attachment:
            do()


TestFleet = Fleet.TestCase
TestFleet.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def scenario() -> World:
    """A busy minute with everything in it, always the same."""
    world = World(script, lease_tokens=16, replica_timeout_s=0.5)
    for name in ("a", "b", "c"):
        world.attach(name, slots=3, kv_tokens=640)
    for number in range(12):
        world.submit(f"q{number}", max_branches=6, sampling={"seed": number}, watched=True)
        world.step()
        if number == 4:
            world.die("b")
        if number == 6:
            world.cancel("q5")
        if number == 8:
            world.attach("a")
    world.run()
    return world


def test_equal_inputs_make_equal_decisions() -> None:
    first, second = scenario(), scenario()
    assert first.commands == second.commands
    assert first.journal == second.journal


def test_decisions_are_the_same_in_every_process() -> None:
    code = (
        "import sys; from tests.dynasor.test_core_properties import scenario; "
        "sys.stdout.buffer.writelines(scenario().journal)"
    )
    logs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert logs == {b"".join(scenario().journal)}
