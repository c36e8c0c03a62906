"""Slim-SC: who is compared with whom, and which of two like-minded chains goes."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dynasor.algorithms.slim_sc as module
from dynasor.algorithms.slim_sc import SlimSC, SlimSCParams
from dynasor.answers.answer import Answer
from dynasor.answers.sketch import similarity
from dynasor.work import (
    Drop,
    Dropped,
    Finish,
    Finished,
    Generate,
    Grew,
    Measure,
    Measured,
    Started,
    Thought,
)


def make(chains: int = 4, **params: object) -> SlimSC:
    """All its chains have started."""
    defaults: dict[str, object] = {"max_branches": chains, "delay": 0, "keep": 1}
    algorithm = SlimSC(SlimSCParams.model_validate({**defaults, **params}))
    for item in list(algorithm.demand()):
        algorithm.observe(Started(item.branch))
    return algorithm


def sketch(*words: str) -> bytes:
    """A thought about these words: the more they share, the more alike."""
    parts = (random.Random(word).randbytes(64 // len(words)) for word in words)
    return b"".join(parts)


def grew(branch: int, *thoughts: str | bytes) -> Grew:
    sketches = [sketch(one) if isinstance(one, str) else one for one in thoughts]
    ended = tuple(Thought(10 * place, one) for place, one in enumerate(sketches, start=1))
    return Grew(branch, 10 * len(ended), Measured(thoughts=ended))


def end(branch: int, key: str | None = "1", finish: Finish = "stop") -> Finished:
    return Finished(branch, finish, None if key is None else Answer(key, key), 9)


def drops(algorithm: SlimSC) -> list[int]:
    return [item.branch for item in algorithm.demand() if isinstance(item, Drop)]


class TestDemand:
    def test_all_chains_run_side_by_side_and_report_their_thoughts(self) -> None:
        algorithm = SlimSC(SlimSCParams(max_branches=3))
        measure = Measure(thoughts=True, sketches=True)
        items = [Generate(branch, measure=measure, follow=True) for branch in range(3)]
        assert list(algorithm.demand()) == items
        assert algorithm.stop_hint.knob == 3

    def test_taking_back_comes_before_starting_and_is_said_once(self) -> None:
        algorithm = SlimSC(SlimSCParams(max_branches=3, delay=0, keep=1))
        for branch in range(2):
            algorithm.observe(Started(branch))
            algorithm.observe(grew(branch, "a"))
        (loser,) = drops(algorithm)
        assert [item.branch for item in algorithm.demand()] == [loser, 2]
        algorithm.observe(Dropped(loser))
        assert [item.branch for item in algorithm.demand()] == [2]
        algorithm.observe(grew(loser, "a", "b"))
        assert drops(algorithm) == [], "its thoughts are nobody's any more"


class TestPruning:
    def test_different_thoughts_prune_nobody(self) -> None:
        algorithm = make()
        for branch, word in enumerate("abcd"):
            algorithm.observe(grew(branch, word, word + word))
        assert drops(algorithm) == []

    def test_of_two_that_think_alike_one_goes(self) -> None:
        algorithm = make()
        algorithm.observe(grew(0, "a"))
        algorithm.observe(grew(1, "b"))
        algorithm.observe(grew(2, "c", "a"))
        assert len(drops(algorithm)) == 1 and drops(algorithm)[0] in (0, 2)

    def test_the_threshold_decides_what_is_alike(self) -> None:
        near = sketch("a", "b", "c", "d"), sketch("a", "b", "c", "e")
        cosine = similarity(*near)
        assert 0.5 < cosine < 0.99
        for threshold, pruned in ((cosine + 0.01, 0), (cosine - 0.01, 1)):
            algorithm = make(threshold=threshold)
            algorithm.observe(grew(0, near[0]))
            algorithm.observe(grew(1, near[1]))
            assert len(drops(algorithm)) == pruned

    def test_nobody_is_compared_with_itself(self) -> None:
        algorithm = make()
        algorithm.observe(grew(0, "a", "a", "a"))
        assert drops(algorithm) == []

    def test_the_first_thoughts_are_not_compared(self) -> None:
        algorithm = make(delay=2)
        algorithm.observe(grew(0, "intro", "plan", "x"))
        algorithm.observe(grew(1, "intro", "plan"))
        assert drops(algorithm) == []
        algorithm.observe(grew(1, "intro", "plan", "x"))
        assert len(drops(algorithm)) == 1

    def test_a_chain_that_has_ended_is_not_compared(self) -> None:
        algorithm = make()
        algorithm.observe(grew(0, "a"))
        algorithm.observe(end(0))
        algorithm.observe(grew(1, "a"))
        assert drops(algorithm) == []

    def test_a_pruned_chain_costs_nobody_else_his_life(self) -> None:
        algorithm = make(prune="diversity")
        algorithm.observe(grew(0, "a", "a", "x"))
        algorithm.observe(grew(1, "b", "x"))
        assert drops(algorithm) == [0]
        algorithm.observe(grew(2, "a"))
        assert drops(algorithm) == [0]

    def test_the_chain_with_the_most_similar_thought_is_the_other_one(self) -> None:
        algorithm = make(prune="diversity", threshold=0.5, delay=3)
        near, same = sketch("a", "b", "c", "d"), sketch("a", "b", "c", "e")
        assert similarity(near, same) > 0.5
        algorithm.observe(grew(0, "p", "p", near))
        algorithm.observe(grew(1, "q", "q", same))
        algorithm.observe(grew(2, "r", "s", "t", same))
        assert drops(algorithm) == [1]

    @pytest.mark.parametrize("keep", [1, 2, 3, 4])
    def test_some_chains_are_left_for_the_vote(self, keep: int) -> None:
        algorithm = make(keep=keep)
        for branch in range(4):
            algorithm.observe(grew(branch, "a"))
        assert len(drops(algorithm)) == 4 - keep

    def test_chains_that_have_ended_are_left_for_the_vote_too(self) -> None:
        algorithm = make(keep=3)
        algorithm.observe(end(0))
        algorithm.observe(end(1, finish="error"))
        algorithm.observe(grew(2, "a"))
        algorithm.observe(grew(3, "a"))
        assert drops(algorithm) == [], "one that failed is not"
        algorithm = make(keep=2)
        algorithm.observe(end(0))
        algorithm.observe(end(1))
        algorithm.observe(grew(2, "a"))
        algorithm.observe(grew(3, "a"))
        assert len(drops(algorithm)) == 1

    def test_only_the_newest_thoughts_of_the_others_are_looked_at(self) -> None:
        algorithm = make(recent=2)
        algorithm.observe(grew(0, "a", "b", "c"))
        algorithm.observe(grew(1, "a"))
        assert drops(algorithm) == []
        algorithm.observe(grew(1, "a", "b"))
        assert len(drops(algorithm)) == 1

    def test_thoughts_without_a_sketch_are_not_compared(self) -> None:
        algorithm = make()
        algorithm.observe(grew(0, b""))
        algorithm.observe(grew(1, b"", "a"))
        algorithm.observe(Grew(2, 9))
        assert drops(algorithm) == []


class TestChoice:
    def test_diversity_prunes_the_more_redundant_one(self) -> None:
        for order in ((0, 1), (1, 0)):
            algorithm = make(2, prune="diversity")
            thoughts = {0: ("a", "a", "a", "x"), 1: ("b", "c", "d", "x")}
            for branch in order:
                algorithm.observe(grew(branch, *thoughts[branch]))
            assert drops(algorithm) == [0]

    def test_redundancy_is_the_mean_similarity_of_its_thoughts(self) -> None:
        algorithm = make(prune="diversity")
        thoughts = [sketch("a", "b"), sketch("a", "c"), sketch("b", "c")]
        for count in (1, 3):
            algorithm.observe(grew(0, *thoughts[:count]))
        pairs = [similarity(thoughts[i], thoughts[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        assert algorithm.state.running[0].redundancy == pytest.approx(sum(pairs) / 3)
        assert algorithm.state.running[1].redundancy == 0.0

    def test_random_prunes_either_and_the_seed_decides(self) -> None:
        gone: Counter[int] = Counter()
        for seed in range(200):
            twice = []
            for _ in range(2):
                algorithm = make(2, prune="random", seed=seed)
                algorithm.observe(grew(0, "a"))
                algorithm.observe(grew(1, "a"))
                twice.append(drops(algorithm))
            assert twice[0] == twice[1]
            gone.update(twice[0])
        assert gone[0] > 50 and gone[1] > 50


class TestVote:
    def test_what_was_taken_back_does_not_vote_and_what_ended_first_does(self) -> None:
        algorithm = make()
        for branch in range(4):
            algorithm.observe(grew(branch, "a"))
        one, other, _ = drops(algorithm)
        algorithm.observe(Dropped(one))
        algorithm.observe(end(one, None, "stopped"))
        algorithm.observe(end(other, "2"))
        assert [(vote.key, vote.count) for vote in algorithm.certaindex().votes] == [("2", 1)]
        assert other not in drops(algorithm)

    @pytest.mark.parametrize("finish", ["stop", "length", "stopped", "error"])
    def test_every_end_is_measured_whatever_came_of_it(self, finish: Finish) -> None:
        algorithm = make()
        algorithm.observe(end(0, finish=finish))
        assert algorithm.certaindex().measured == 1

    def test_sketches_of_ended_chains_are_not_kept(self) -> None:
        algorithm = make()
        thoughts = grew(0, "a", "b").measured
        algorithm.observe(Finished(0, "stop", Answer("1", "1"), 9, measured=thoughts))
        assert algorithm.state.ballot.chains[0].measured is None
        assert algorithm.answer() == (Answer("1", "1"), 0)


growth = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abcdef")), max_size=30)


@given(growth, st.sampled_from(["random", "diversity"]), st.integers(1, 5), st.integers(0, 2))
@settings(max_examples=50)
def test_never_below_what_is_kept_and_a_snapshot_goes_on(
    growth: list[tuple[int, str]], prune: str, keep: int, delay: int
) -> None:
    original = make(5, prune=prune, keep=keep, delay=delay)
    thoughts: dict[int, list[str]] = {branch: [] for branch in range(5)}
    for branch, word in growth:
        thoughts[branch].append(word)
        copy = SlimSC(original.params)
        copy.restore(msgspec.json.decode(msgspec.json.encode(original.snapshot())))
        for algorithm in (original, copy):
            algorithm.observe(grew(branch, *thoughts[branch]))
        assert copy.snapshot() == original.snapshot()
        assert list(copy.demand()) == list(original.demand())
        assert len(original.state.running) >= keep
        assert len(original.state.running) + len(drops(original)) == 5


def test_every_pair_of_thoughts_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: Counter[frozenset[bytes]] = Counter()

    def counted(a: bytes, b: bytes) -> float:
        seen[frozenset((a, b))] += 1
        return similarity(a, b)

    monkeypatch.setattr(module, "similarity", counted)
    algorithm = make(3, prune="random")
    for length in range(1, 8):
        for branch in range(3):
            algorithm.observe(grew(branch, *(f"{branch}:{place}" for place in range(length))))
    assert len(seen) == 3 * 7 * 7 and set(seen.values()) == {1}
