"""Ratings: which positions a reward model is asked for, what verifiers are given, what fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from cluster.engine.generation import Scores
from cluster.engine.load import Gauge
from cluster.engine.rating import Rater, Rating, RewardRater, VerifierRater
from cluster.engine.runner import Runner
from cluster.engine.sandbox import SandboxError, SandboxTimeout
from dynasor.messages import End, Open, Rate, Stop
from dynasor.phrases import Phrases

WORDS = {1: "a", 2: "\n", 3: "b", 4: "c\n"}
OPEN = Open("p", (9, 9), {}, Phrases(step="\n"), question="what?", reference={"answer": "1"})


class FakeReward:
    """Each position scores its index / 10; four tokens were cached."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    async def score(self, request: str, context: Sequence[int], positions: Sequence[int]) -> Scores:
        self.asked.append((tuple(context), tuple(positions)))
        return Scores(tuple(position / 10 for position in positions), cached_tokens=4)

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(WORDS[token] for token in tokens)


async def rated(rater: Rater, **changes: Any) -> End:
    runner = Runner({Rate: Rating({"reward": rater})}, Gauge())
    fields = {"tokens": (1, 2, 3, 4, 3), "scorer": "reward", **changes}
    await runner.apply((OPEN, Rate(run=1, program="p", branch=0, **fields)))
    await runner.urgent.wait()
    (report,) = runner.take_report().runs
    assert report.end is not None and report.tokens == ()
    return report.end


async def test_a_chain_is_judged_at_its_end() -> None:
    reward = FakeReward()
    end = await rated(RewardRater(reward))
    assert reward.asked == [((9, 9, 1, 2, 3, 4, 3), (6,))]
    assert (end.reason, end.scores, end.read_tokens) == ("stop", (0.6,), 3)


async def test_or_at_the_end_of_each_step() -> None:
    reward = FakeReward()
    end = await rated(RewardRater(reward), steps=True)
    assert reward.asked[0][1] == (3, 5, 6)
    assert end.scores == (0.3, 0.5, 0.6)


async def test_a_chain_that_ends_with_a_step_has_no_step_more() -> None:
    reward = FakeReward()
    await rated(RewardRater(reward), steps=True, tokens=(1, 2, 3, 4))
    assert reward.asked[0][1] == (3, 5)


class FakeVerifiers:
    """Raises, or says one half."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[Any, ...]] = []

    async def score(self, *what: Any) -> float:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
        return 0.5


async def test_a_verifier_is_given_question_response_and_reference() -> None:
    verifiers: Any = FakeVerifiers()
    end = await rated(VerifierRater("exact", verifiers, FakeReward().decode))
    assert verifiers.asked == [("exact", "what?", "a\nbc\nb", {"answer": "1"})]
    assert (end.scores, end.read_tokens) == ((0.5,), 0)


@pytest.mark.parametrize("error", [SandboxError("boom"), SandboxTimeout("slow")])
async def test_a_verifier_that_fails_ends_its_own_rating_alone(error: Exception) -> None:
    verifiers: Any = FakeVerifiers(error)
    end = await rated(VerifierRater("exact", verifiers, FakeReward().decode))
    assert end.reason == "error" and "verifier exact" in end.message


async def test_a_rating_that_is_not_wanted_any_more_is_cancelled() -> None:
    class Slow:
        cancelled = False
        begun = asyncio.Event()

        async def rate(self, request: str, program: Open, rate: Rate) -> End:
            self.begun.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled = True
                raise
            return End("stop")

    slow = Slow()
    runner = Runner({Rate: Rating({"reward": slow})}, Gauge())
    await runner.apply((OPEN, Rate(1, "p", 0, (1,), "reward")))
    await slow.begun.wait()
    await runner.apply((Stop(1),))
    await runner.urgent.wait()
    (report,) = runner.take_report().runs
    assert report.end is not None and report.end.reason == "stopped" and slow.cancelled
