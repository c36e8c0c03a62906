"""Running branches move from full replicas to empty ones when that is faster for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynasor.fleet.balance import Balancer
from dynasor.fleet.replica import Replica, Run
from dynasor.fleet.settings import BalanceSettings
from dynasor.settings import PlacementSettings
from tests.dynasor.fleet.stands import Stand, a_run

LATER = 100.0
EAGER = PlacementSettings(balance=BalanceSettings(ratio=1, max_moves=100, looked_at=1000))


def loaded(there: Stand, name: str, lefts: list[int], *, prompt: int = 0) -> Replica:
    """A replica with runs of programs of their own that have so many tokens left."""
    replica = there.attach(name, slots=64, kv_tokens=10**6)
    for number, left in enumerate(lefts):
        run = a_run(0, f"{name}{number}", prompt=prompt, left=left)
        run.placed_at = 0.0
        there.run_on(replica, run)
    return replica


def moves(there: Stand, now: float = LATER) -> list[Run]:
    (pool,) = there.roster.pools
    return Balancer(there.settings).moves(pool, there.roster.seats, now)


class TestMoves:
    def test_an_idle_replica_gets_those_with_most_left(self) -> None:
        there = Stand()
        loaded(there, "hot", [10, 3000, 20, 2000, 50, 60, 70, 80])
        loaded(there, "idle", [])
        assert [run.left for run in moves(there)] == [3000, 2000]

    def test_nobody_moves_where_load_is_even(self) -> None:
        there = Stand(EAGER)
        loaded(there, "a", [3000] * 5)
        loaded(there, "b", [3000] * 4)
        assert moves(there) == []

    def test_nobody_moves_for_a_few_tokens(self) -> None:
        there = Stand(EAGER)
        loaded(there, "hot", [3] * 20)
        loaded(there, "idle", [])
        assert moves(there) == []

    def test_a_long_context_stays_unless_it_is_cached_there(self) -> None:
        for cached in (False, True):
            there = Stand(EAGER)
            hot = loaded(there, "hot", [200] * 12, prompt=2000)
            idle = loaded(there, "idle", [])
            for run in hot.runs.values():
                hashes = tuple(range(run.id * 1000, run.id * 1000 + 125))
                run.leaf = there.prefixes.add(hot.seat, hashes)
                if cached:
                    there.prefixes.add(idle.seat, hashes)
            assert bool(moves(there)) == cached

    def test_who_was_placed_just_now_stays(self) -> None:
        there = Stand(EAGER)
        loaded(there, "hot", [3000] * 9)
        loaded(there, "idle", [])
        stay = EAGER.balance.stay_s
        assert moves(there, stay / 2) == []
        assert moves(there, stay)

    def test_who_is_stopping_is_not_stopped_again(self) -> None:
        there = Stand(EAGER)
        hot = loaded(there, "hot", [3000] * 9)
        loaded(there, "idle", [])
        for run in hot.runs.values():
            run.stopping = True
        assert moves(there) == []

    def test_looks_only_now_and_then(self) -> None:
        balancer = Balancer(PlacementSettings())
        period = balancer._knobs.period_s
        assert [balancer.due(at) for at in (0.0, period / 2, period, 1.5 * period)] == [
            True,
            False,
            True,
            False,
        ]

    @given(
        st.lists(st.lists(st.integers(1, 4000), max_size=20), min_size=2, max_size=4),
        st.integers(0, 3000),
        st.sampled_from([PlacementSettings(), EAGER]),
    )
    def test_every_move_pays_and_moving_comes_to_an_end(
        self, lefts: list[list[int]], prompt: int, settings: PlacementSettings
    ) -> None:
        there = Stand(settings)
        for number, each in enumerate(lefts):
            loaded(there, f"r{number}", each, prompt=prompt)
        delay = settings.admission.dispatch_delay_s
        moved = 0
        while found := moves(there):
            for run in found:
                owner = next(one for one in there.roster.replicas.values() if run.id in one.runs)
                coldest = min(there.roster.replicas.values(), key=lambda one: len(one.runs))
                steps = settings.decode_s_per_sequence * (len(owner.runs) - len(coldest.runs) - 1)
                cost = prompt * settings.prefill_s_per_token + delay
                assert run.left * steps > cost
                before = len(owner.runs)
                owner.remove(run)
                there.roster.pool(owner.info).changed(owner, before)
                assert there.chosen(run) != owner.id, "it is not sent back"
                there.run_on(coldest, run)
                moved += 1
                assert moved <= 40 * len(lefts)
