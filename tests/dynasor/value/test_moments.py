"""Models of units whose order matters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynasor.certaindex import Certaindex, Vote
from dynasor.value.episode import Moment
from dynasor.value.moments import UNKNOWN, MomentCounts, MomentsModel, believed
from dynasor.value.stopping import Cost
from tests.dynasor.value.episodes import easy, episode

CAP = 16


def seen(measured: int, value: float, streak: int) -> Certaindex:
    votes = (Vote("a", "a", measured),) if measured else ()
    return Certaindex({"entropy": value}, measured, votes, 0, streak)


def model(*families: MomentCounts) -> MomentsModel:
    known = families or (MomentCounts(),)
    return MomentsModel(known[0], known, CAP)


class TestPrior:
    @given(st.integers(0, CAP), st.floats(0, 1), st.integers(0, CAP))
    def test_is_a_chance_that_grows_with_the_units_done(
        self, measured: int, value: float, streak: int
    ) -> None:
        moment = Moment.of(seen(measured, value, streak), 0, None)
        chances = [believed(moment, CAP, units)[0] for units in range(1, CAP + 1)]
        assert all(0 <= chance <= 1 for chance in chances)
        assert chances == sorted(chances) and chances[-1] == 1

    def test_certain_programs_end_and_others_go_on(self) -> None:
        cost = Cost(0.03 / CAP, 0.0)
        assert model().outlook(seen(0, 0.0, 0), cost).worth
        assert model().outlook(seen(3, 0.2, 1), cost).worth
        assert not model().outlook(seen(10, 1.0, 10), cost).worth
        assert not model().outlook(seen(3, 0.2, 1), Cost(0.0, 1.0)).worth


class TestLearning:
    def test_programs_that_never_change_their_mind_end_sooner(self) -> None:
        counts = MomentCounts()
        for one in easy(200, cap=CAP, exchangeable=False):
            counts.learn(one)
        cost = Cost(0.2 / CAP, 0.0)
        assert model().outlook(seen(2, 1.0, 2), cost).worth
        assert not model(counts).outlook(seen(2, 1.0, 2), cost).worth

    def test_a_family_without_programs_is_like_its_likes(self) -> None:
        counts = MomentCounts()
        for one in easy(200, cap=CAP, exchangeable=False):
            counts.learn(one)
        moment = Moment.of(seen(2, 1.0, 2), 0, None)
        alone, alike = model(), model(MomentCounts(), counts)
        assert alike.estimate(moment, 0)[0] > alone.estimate(moment, 0)[0]

    @given(st.integers(0, CAP), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, CAP))
    def test_gains_are_no_losses(self, measured: int, value: float, streak: int) -> None:
        counts = MomentCounts()
        for place in range(5):
            counts.learn(episode(["a", "b"] * (CAP // 2 - place) + ["b"] * place * 2))
        outlook = model(counts).outlook(seen(measured, value, streak), Cost(0.001, 0.0))
        assert outlook.gain >= 0 and outlook.least == 1
        assert outlook.likely <= max(1, CAP - measured)


class TestPromise:
    def test_without_a_proof_everything_is_run(self) -> None:
        outlook = model().promised(seen(8, 1.0, 8), 0.01)
        assert outlook.worth and outlook.least == CAP - 8

    def test_a_proof_lets_it_stop(self) -> None:
        counts = MomentCounts()
        for one in easy(500, cap=CAP, exchangeable=False):
            counts.learn(one)
        proven = model(counts)
        assert not proven.promised(seen(8, 1.0, 8), 0.01).worth
        assert proven.promised(seen(2, 0.0, 1), 0.01).worth

    def test_programs_of_other_caps_prove_nothing(self) -> None:
        counts = MomentCounts()
        for one in easy(500, cap=1, exchangeable=False):
            counts.learn(one)
        assert model(counts).proofs.of(0.01) == model().proofs.of(0.01)

    def test_changes_of_mind_at_the_end_are_no_proof(self) -> None:
        counts = MomentCounts()
        for _ in range(500):
            counts.learn(episode(["a"] * 7 + ["b"] * 9, exchangeable=False))
        assert model(counts).proofs.of(0.01).rule in (None, 0), "the safest never stopped"


class TestUnknownCaps:
    def taught(self, said: list[str]) -> MomentsModel:
        counts = MomentCounts()
        for _ in range(500):
            counts.learn(episode(said, exchangeable=False, capped=False))
        return MomentsModel(counts, [counts], UNKNOWN)

    def test_a_state_is_the_same_whatever_the_length_will_be(self) -> None:
        cost = Cost(0.2 / CAP, 0.0)
        for length in (6, 12):
            known = self.taught(["a"] * length)
            assert known.cap == length
            assert not known.outlook(seen(2, 1.0, 2), cost).worth
            assert known.outlook(seen(2, 1.0, 2), cost).stays > 0.95

    def test_proofs_go_by_trust_alone(self) -> None:
        proven = self.taught(["a"] * 12)
        assert not proven.promised(seen(11, 1.0, 11), 0.01).worth
        assert proven.promised(seen(11, 0.3, 1), 0.01).worth, "its length proves nothing"
        assert proven.proofs.of(0.01).programs == 500
