"""Models of votes: what they learn, and what they promise."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from dynasor.certaindex import Certaindex, Vote
from dynasor.value.mixture import PRIOR, fitted
from dynasor.value.stopping import Cost
from dynasor.value.votes import VotesModel, disagreements, leading

FREE = Cost(0.004, 0.0)


def seen(*counts: int, abstained: int = 0) -> Certaindex:
    """All units that were started have ended with these votes."""
    votes = tuple(Vote(str(place), str(place), count) for place, count in enumerate(counts))
    return Certaindex({}, sum(counts) + abstained, votes, abstained)


def learned(partition: tuple[tuple[int, ...], int], programs: int, cap: int = 8) -> VotesModel:
    model = VotesModel(cap)
    for _ in range(programs):
        model.add(partition)
    model.learn(fitted({partition[0]: programs}, partition[1] * programs, PRIOR))
    return model


class TestOutlook:
    def test_leading_votes_in_any_order(self) -> None:
        assert leading(seen(1, 5, 3)) == (5, 3)
        assert leading(seen()) == (0, 0)

    def test_the_first_query_already_works(self) -> None:
        model = VotesModel(8)
        assert model.outlook(seen(), FREE).worth
        assert not model.outlook(seen(4), FREE).worth

    def test_where_chains_always_agree_fewer_are_enough(self) -> None:
        assert VotesModel(8).outlook(seen(2), FREE).worth
        assert not learned(((8,), 0), 300).outlook(seen(2), FREE).worth

    def test_where_they_seldom_do_more_are_needed(self) -> None:
        assert learned(((5, 3), 0), 300).outlook(seen(3), FREE).worth

    def test_prices_close_to_each_other_share_a_rule(self) -> None:
        model = VotesModel(8)
        one = model.outlook(seen(2, 1), Cost(0.0, 0.0100))
        assert model.outlook(seen(2, 1), Cost(0.0, 0.0101)) is one

    def test_a_cap_that_is_reached_is_the_end(self) -> None:
        assert not VotesModel(4).outlook(seen(2, 2), FREE).worth


@st.composite
def orders(draw: st.DrawFn) -> list[str | None]:
    cap = draw(st.integers(1, 14))
    return draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=cap, max_size=cap))


def winner(answers: list[str | None]) -> str | None:
    """Most votes, among equals the one that came first."""
    said = [answer for answer in answers if answer is not None]
    return max(dict.fromkeys(said), key=said.count, default=None)


class TestPromise:
    @given(orders())
    @settings(max_examples=300)
    def test_without_a_proof_the_answer_is_always_that_of_the_full_budget(
        self, answers: list[str | None]
    ) -> None:
        model, taken = VotesModel(len(answers)), 0
        while True:
            some = answers[:taken]
            counts = [some.count(key) for key in dict.fromkeys(some) if key is not None]
            outlook = model.promised(seen(*counts, abstained=some.count(None)), 0.01)
            if not outlook.worth:
                break
            assert 1 <= outlook.least <= len(answers) - taken, "it would wait, or pass the cap"
            taken += outlook.least
        assert winner(answers[:taken]) == winner(answers)

    def test_a_proof_lets_it_stop_sooner(self) -> None:
        unproven, proven = learned(((8,), 0), 20), learned(((8,), 0), 500)
        assert unproven.promised(seen(2), 0.01).worth
        assert proven.proofs.of(0.01).rule is not None
        assert not proven.promised(seen(2), 0.01).worth

    def test_the_proof_goes_when_traffic_drifts(self) -> None:
        model = learned(((8,), 0), 600)
        before = model.proofs.of(0.01).rule
        assert before is not None
        for _ in range(100):
            model.add(((4, 3, 1), 0))
        after = model.proofs.of(0.01).rule
        assert after is None or after < before

    def test_bolder_rules_disagree_more(self) -> None:
        random = Random(0)
        for _ in range(10):
            top = random.randint(3, 7)
            (losses,) = disagreements([((top, 8 - top), 0)], 8, 0)
            assert all(0 <= loss <= 1 for loss in losses)
            assert losses[0] <= losses[-1]

    def test_unanimous_programs_never_disagree(self) -> None:
        for losses in disagreements([((8,), 0), ((), 8)], 8, 0):
            assert set(losses) == {0.0}

    @given(st.lists(st.integers(1, 4), max_size=6))
    @settings(max_examples=30)
    def test_losses_do_not_depend_on_when_somebody_looks(self, batches: list[int]) -> None:
        programs = [((5, 3), 0), ((4, 2, 1), 1), ((4, 4), 0), ((3, 3, 2), 0)] * 6
        at_once = disagreements(programs, 8, 0)
        assert len(set(at_once[::4])) > 1, "orders of their own"
        some, place = [], 0
        for size in [*batches, len(programs)]:
            batch = programs[place : place + size]
            some += disagreements(batch, 8, place) if batch else []
            place += len(batch)
        assert some == at_once

    def test_looking_in_between_changes_nothing(self) -> None:
        watched, alone = VotesModel(8), VotesModel(8)
        for place in range(300):
            for model in (watched, alone):
                model.add(((8,), 0) if place % 4 else ((5, 3), 0))
            watched.proofs.of(0.05)
        assert watched.proofs.of(0.05) == alone.proofs.of(0.05)
