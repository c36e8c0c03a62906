"""Value models of all families: learned, looked up, kept as a document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynasor.certaindex import Certaindex, Vote
from dynasor.value.episode import Episode, Family
from dynasor.value.stopping import Cost
from dynasor.value.values import MOST_CAPS, MOST_FAMILIES, ValueModels
from tests.dynasor.value.episodes import FAMILY, easy, episode, scattered

FREE = Cost(0.004, 0.0)


def taught(episodes: list[Episode]) -> ValueModels:
    models = ValueModels()
    for one in episodes:
        models.learn(one)
    return models


def unanimous(number: int) -> Certaindex:
    return Certaindex({}, number, (Vote("a", "a", number),))


def enough(models: ValueModels, family: Family, cap: int = 8) -> int:
    """Unanimous votes that end a program."""
    model = models.of(family, True, cap)
    return next(n for n in range(1, cap + 1) if not model.outlook(unanimous(n), FREE).worth)


class TestFamilies:
    def test_what_traffic_shows_changes_what_is_enough(self) -> None:
        fresh = enough(ValueModels(), FAMILY)
        assert enough(taught(easy(200)), FAMILY) < fresh
        mixed = [one for pair in zip(easy(100), scattered(100), strict=True) for one in pair]
        assert enough(taught(mixed), FAMILY) <= fresh

    def test_a_model_that_is_in_use_learns(self) -> None:
        models = ValueModels()
        before = enough(models, FAMILY)
        for one in easy(60):
            models.learn(one)
        assert enough(models, FAMILY) < before

    def test_a_new_family_starts_from_its_likes(self) -> None:
        models = taught(easy(300))
        fresh = enough(ValueModels(), FAMILY)
        assert enough(models, Family("model", "self_consistency", "geometry")) < fresh
        assert enough(models, Family("other", "self_consistency")) < fresh
        assert enough(models, Family("model", "another_algorithm")) == fresh

    def test_other_caps_learn_too(self) -> None:
        assert enough(taught(easy(200)), FAMILY, 20) < enough(ValueModels(), FAMILY, 20)

    def test_kinds_go_by_what_the_units_are(self) -> None:
        models = taught(easy(50) + easy(50, exchangeable=False))
        assert models.of(FAMILY, True, 8) is models.of(FAMILY, True, 8)
        assert models.of(FAMILY, True, 8) is not models.of(FAMILY, False, 8)
        assert models.of(FAMILY, False, None).cap == 8, "the longest that was seen"
        assert ValueModels().of(FAMILY, False, None).cap > 0

    def test_tokens_of_a_unit(self) -> None:
        models = taught(easy(500, tokens=40))
        assert models.tokens_per_unit(FAMILY) == pytest.approx(40, rel=0.2)
        assert models.tokens_per_unit(Family("model", FAMILY.algorithm)) < 100
        assert ValueModels().tokens_per_unit(FAMILY) > 0

    def test_contracts_in_use_are_told_of(self) -> None:
        models = taught(easy(500) + easy(30, exchangeable=False))
        assert not list(models.contracts())
        for kind in (True, False):
            models.of(FAMILY, kind, 8).promised(unanimous(2), 0.01)
        votes, moments = models.contracts()
        assert votes.family == moments.family == FAMILY and votes.cap == 8
        assert votes.certificate.rule is not None and votes.certificate.bound <= 0.01
        assert moments.certificate.rule is None and moments.certificate.programs == 30

    def test_looking_at_contracts_changes_no_later_decision(self) -> None:
        watched, alone = ValueModels(), ValueModels()
        for one in scattered(40) + easy(200):
            proofs = [m.of(FAMILY, True, 8).proofs.of(0.05) for m in (watched, alone)]
            assert proofs[0] == proofs[1]
            for models in (watched, alone):
                models.learn(one)
            list(watched.contracts())

    def test_caps_without_end_are_forgotten(self) -> None:
        models = taught(easy(5))
        first, second = (models.of(FAMILY, False, cap) for cap in (1, 2))
        for cap in range(3, MOST_CAPS + 2):
            models.of(FAMILY, False, 2)
            models.of(FAMILY, False, cap)
        assert models.of(FAMILY, False, 2) is second, "asked for of late"
        assert models.of(FAMILY, False, 1) is not first

    def test_proofs_are_made_on_a_familys_own_programs(self) -> None:
        models = taught(easy(500))
        other = models.of(Family("model", FAMILY.algorithm, "geometry"), True, 8)
        assert other.proofs.of(0.01).programs == 0

    def test_families_without_end_are_forgotten(self) -> None:
        models = taught([episode(["a"], Family("m", "a", str(n))) for n in range(300)])
        tags = [family["tag"] for family in models.document()["families"]]
        assert len(tags) == MOST_FAMILIES and tags[-1] == "299"

    def test_an_episode_without_moments_teaches_nothing(self) -> None:
        models = taught([Episode(FAMILY, 8, True, ())])
        assert models.document() == ValueModels().document()


class TestDocument:
    @given(
        st.lists(
            st.tuples(
                st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=8),
                st.booleans(),
                st.sampled_from([FAMILY, Family("m", "a"), Family("m", "b", "x")]),
            ),
            max_size=8,
        )
    )
    @settings(max_examples=10)
    def test_comes_back_as_it_was(self, programs: list[tuple[Any, bool, Family]]) -> None:
        models = taught([episode(said, family, kind) for said, kind, family in programs])
        document = json.loads(json.dumps(models.document()))
        assert models.document() == document
        again = ValueModels.from_document(json.loads(json.dumps(document)))
        assert again.document() == document
        for _, kind, family in programs:
            one, two = (m.of(family, kind, 8).outlook(unanimous(2), FREE) for m in (models, again))
            assert one.worth == two.worth and one.gain == pytest.approx(two.gain)

    def test_knows_as_much_as_the_one_it_came_from(self) -> None:
        models = taught(easy(400))
        again = ValueModels.from_document(models.document())
        assert enough(again, FAMILY) == enough(models, FAMILY)
        proofs = [one.of(FAMILY, True, 8).proofs.of(0.01) for one in (models, again)]
        assert proofs[0] == proofs[1] and proofs[0].programs == 400

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"version": 1}, "version must be 2, got 1"),
            ({"version": None}, "version must be 2"),
            ({"families": 3}, "families"),
            ({"extra": 1}, "extra"),
            ({"families": [{"model": 1}]}, r"\$.families"),
        ],
    )
    def test_a_document_that_is_none_is_refused(self, change: dict[str, Any], message: str) -> None:
        document = {**taught(easy(1)).document(), **change}
        with pytest.raises(ValueError, match=message):
            ValueModels.from_document(document)

    def test_so_are_impossible_programs(self) -> None:
        document = taught(easy(1) + easy(1, exchangeable=False)).document()
        for programs in ([[[2, 5], 1, 8]], [[[0], 1, 8]], [[[2], -1, 8]]):
            document["families"][0]["programs"] = programs
            with pytest.raises(ValueError, match="programs"):
                ValueModels.from_document(document)

    @pytest.mark.parametrize("document", [None, [], "x", {}])
    def test_so_is_what_is_no_object(self, document: Any) -> None:
        with pytest.raises(ValueError, match="version"):
            ValueModels.from_document(document)
