"""Episodes of made-up programs, for the tests of what is learned from them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from dynasor.algorithms.self_consistency import SelfConsistency, SelfConsistencyParams
from dynasor.answers.answer import Answer
from dynasor.value.episode import Episode, Family, Moment
from dynasor.work import Finished, Started

FAMILY = Family("model", "self_consistency", "arithmetic")


def episode(
    answers: Sequence[str | None],
    family: Family = FAMILY,
    exchangeable: bool = True,
    tokens: int = 10,
    capped: bool = True,
) -> Episode:
    """Chains that say this, in this order, each of so many tokens."""
    algorithm = SelfConsistency(SelfConsistencyParams(max_branches=len(answers)))
    moments = []
    for branch, said in enumerate(answers):
        algorithm.observe(Started(branch))
        answer = None if said is None else Answer(said, said)
        algorithm.observe(Finished(branch, "stop", answer, tokens))
        best = algorithm.answer().answer
        key = None if best is None else best.key
        moments.append(Moment.of(algorithm.certaindex(), tokens * (branch + 1), key))
    return Episode(family, len(answers), exchangeable, tuple(moments), capped)


def easy(number: int, cap: int = 8, **options: object) -> list[Episode]:
    """Programs whose chains all say the same."""
    return [episode(["yes"] * cap, **options) for _ in range(number)]  # type: ignore[arg-type]


def scattered(number: int, cap: int = 8, seed: int = 0, **options: object) -> list[Episode]:
    """Programs whose chains hardly ever agree."""
    random = Random(seed)
    return [
        episode([str(random.randrange(3 * cap)) for _ in range(cap)], **options)  # type: ignore[arg-type]
        for _ in range(number)
    ]
