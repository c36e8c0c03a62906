"""How many runs a replica takes, and which of them may go on when its cache gets short."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from dynasor.fleet.replica import Replica
from dynasor.fleet.settings import AdmissionSettings
from dynasor.messages import Load
from dynasor.settings import PlacementSettings
from tests.dynasor.fleet.stands import Stand, a_run
from tests.dynasor.fleet.test_forecast import PROMPTS, Sequence, sequences, simulated

NO_HEADROOM = PlacementSettings(admission=AdmissionSettings(kv_headroom=0))


def taking(there: Stand, replica: Replica, waiting: list[Sequence]) -> list[Sequence]:
    """Those of ``waiting`` that are admitted one after another."""
    taken = []
    for program, held, left in waiting:
        run = a_run(0, program, prompt=PROMPTS[program], tokens=held, left=left)
        run.fit(replica.info)
        if there.admission.admits(replica, run, 0.0):
            there.run_on(replica, run)
            taken.append(Sequence(program, held, left))
    return taken


class TestAdmission:
    @given(sequences, st.integers(1, 400))
    def test_who_is_admitted_fits_if_all_take_as_long_as_expected(
        self, waiting: list[Sequence], kv: int
    ) -> None:
        there = Stand(NO_HEADROOM)
        replica = there.attach("a", kv_tokens=kv)
        taken = taking(there, replica, waiting)
        assert len(taken) <= 1 or simulated(taken) <= kv

    @given(sequences, st.integers(1, 400))
    def test_who_is_refused_first_would_not_fit(self, waiting: list[Sequence], kv: int) -> None:
        there = Stand(NO_HEADROOM)
        taken = taking(there, there.attach("a", kv_tokens=kv), waiting)
        assume(len(taken) < len(waiting))
        first = next(i for i in range(len(waiting)) if taken[i : i + 1] != waiting[i : i + 1])
        assert simulated(waiting[: first + 1]) > kv

    @given(st.integers(1, 100_000), st.integers(1, 100))
    def test_an_idle_replica_takes_anything(self, prompt: int, kv: int) -> None:
        there = Stand()
        replica = there.attach("a", kv_tokens=kv)
        assert there.admission.admits(replica, a_run(prompt=prompt), 0.0)

    def test_runs_that_end_one_after_another_share_the_room(self) -> None:
        there = Stand(NO_HEADROOM)
        replica = there.attach("a", kv_tokens=1100)
        there.run_on(replica, a_run(0, "p", prompt=0, tokens=900, left=100))
        late = a_run(0, "q", prompt=0, tokens=0, left=1000)
        late.fit(replica.info)
        assert there.admission.admits(replica, late, 0.0), "2,000 tokens, but never at once"

    def test_what_is_certain_needs_no_headroom(self) -> None:
        there = Stand()
        replica = there.attach("a", kv_tokens=100)
        taken = 0
        for _ in range(12):
            run = a_run(0, "q", prompt=20, left=10, most=10)
            run.fit(replica.info)
            if there.admission.admits(replica, run, 0.0):
                there.run_on(replica, run)
                taken += 1
        assert taken == 8

    def test_the_less_is_known_the_fewer(self) -> None:
        counts = []
        for high in (100, 200):
            there = Stand(NO_HEADROOM)
            replica = there.attach("a", kv_tokens=1000)
            taken = 0
            for _ in range(10):
                run = a_run(0, "p", prompt=0, left=100, high=high)
                run.fit(replica.info)
                if there.admission.admits(replica, run, 0.0):
                    there.run_on(replica, run)
                    taken += 1
            counts.append(taken)
        assert counts == [10, 7], "7 * 100 + 100 * sqrt(7) fit"


class TestPreemptions:
    def test_make_careful_and_that_wears_off(self) -> None:
        there = Stand()
        replica = there.attach("a")
        usual = there.admission.headroom(replica, 0.0)
        assert there.admission.take_load(replica, Load(preempted=3), 10.0) == 3
        shaken = there.admission.headroom(replica, 10.0)
        assert shaken > usual
        half_life = there.settings.admission.kv_headroom_half_life_s
        later = there.admission.headroom(replica, 10.0 + half_life)
        assert usual < later < shaken
        assert there.admission.take_load(replica, Load(preempted=3), 11.0) == 0, "no new ones"

    @given(st.lists(st.integers(0, 1000), max_size=60))
    def test_never_take_more_than_allowed(self, counts: list[int]) -> None:
        there = Stand()
        replica, knobs = there.attach("a"), there.settings.admission
        for at, count in enumerate(counts):
            there.admission.take_load(replica, Load(preempted=count), float(at))
            headroom = there.admission.headroom(replica, float(at))
            assert knobs.kv_headroom <= headroom <= knobs.kv_headroom + knobs.kv_headroom_max


class TestRenewals:
    @given(sequences.filter(bool), st.integers(1, 300))
    def test_the_oldest_always_goes_on_and_the_last_to_come_lapse_first(
        self, running: list[Sequence], kv: int
    ) -> None:
        there = Stand(NO_HEADROOM)
        replica = there.attach("a", kv_tokens=kv)
        runs = []
        for program, held, left in running:
            prompt = PROMPTS[program]
            runs.append(
                there.run_on(replica, a_run(0, program, prompt=prompt, tokens=held, left=left))
            )
        go_on = [there.admission.renews(replica, run) for run in runs]
        assert go_on[0], "so some run always comes to its end"
        assert go_on == sorted(go_on, reverse=True)
        kept = sum(go_on)
        assert kept == 1 or simulated(running[:kept]) <= kv
        assert kept == len(running) or simulated(running[: kept + 1]) > kv

    def test_room_that_appears_is_seen(self) -> None:
        there = Stand(NO_HEADROOM)
        replica = there.attach("a", kv_tokens=150)
        first, second = (there.run_on(replica, a_run(0, "p", prompt=0, left=100)) for _ in "ab")
        assert not there.admission.renews(replica, second)
        replica.remove(first)
        assert there.admission.renews(replica, second)


class TestSlots:
    def test_beyond_them_are_as_many_as_end_while_a_command_travels(self) -> None:
        there = Stand()
        replica = there.attach("a", slots=256)
        assert replica.room == 256, "no rate is known"
        for step in range(5000):
            there.admission.ended(replica, step * 0.005)
        assert replica.room == 256 + 10, "200 a second, for 0.05 s"

    def test_they_are_bounded(self) -> None:
        there = Stand()
        replica = there.attach("a", slots=8)
        for step in range(5000):
            there.admission.ended(replica, step * 0.001)
        assert replica.room == 10
