"""Stands make engines compute what a window says, and count what they did."""

import asyncio

import pytest

from cluster.engine.generation import Scores
from cluster.engine.load import Gauge
from cluster.settings import RewardSettings, Settings
from cluster.sim.profiling.scorer import ScorerStand
from cluster.sim.profiling.stand import Stand
from cluster.sim.profiling.windows import Window
from dynasor.messages import ReplicaInfo
from tests.cluster.engine.fake import FakeEngine

SETTINGS = Settings.model_validate({"engine": {"device": "cpu", "kv_cache_memory_bytes": 1 << 28}})


@pytest.fixture
async def engine():
    return FakeEngine(length=10_000)


@pytest.fixture
async def stand(engine):
    made = Stand(engine, engine.gauge, SETTINGS)
    yield made
    await made.close()


async def test_sequences_decode_for_as_many_steps_as_asked(stand, engine):
    found = await stand.measure(Window(4, 32, steps=20), others=1)
    assert found.steps >= 20
    assert found.decoding == 4 * found.steps
    assert found.context_tokens > found.decoding * 32
    assert found.others == 1
    assert found.seconds > 0
    assert sorted(map(len, engine.contexts.values())) == [32] * 4


async def test_prompts_come_while_sequences_decode(stand, engine):
    found = await stand.measure(Window(2, 32, prompts=3, prompt=48, steps=1), others=0)
    assert (found.started, found.prefill_tokens) == (3, 144)
    prompts = [context for context in engine.contexts.values() if len(context) == 48]
    assert len(set(prompts)) == 3


async def test_prompts_are_new_each_time_and_decoding_ones_are_not(stand, engine):
    window = Window(2, 32, prompts=1, prompt=48, steps=1)
    await stand.measure(window, others=0)
    await stand.measure(window, others=0)
    contexts = list(engine.contexts.values())
    assert len({one for one in contexts if len(one) == 48}) == 2
    assert len({one for one in contexts if len(one) == 32}) == 2


async def test_nothing_runs_after_a_window(stand, engine):
    await stand.measure(Window(4, 32, steps=5), others=0)
    assert not engine.live


async def test_an_engine_kept_busy_rests_when_told(stand, engine):
    busy = asyncio.create_task(stand.keep_busy(Window(3, 32)))
    async with asyncio.timeout(10):
        while len(engine.contexts) < 6:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert len(engine.live) <= 3
    busy.cancel()
    await asyncio.wait([busy])
    assert not engine.live


async def test_a_broken_engine_is_told(stand, engine):
    engine.failure = RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        await stand.measure(Window(2, 32), others=0)


class FakeScorer:
    """Judges at once, and keeps what it was asked."""

    def __init__(self) -> None:
        self.gauge = Gauge()
        self.info = ReplicaInfo(8, 4096, 16, 512)
        self.asked = []
        self.closed = False

    async def score(self, request, context, positions):
        self.asked.append(tuple(context))
        await asyncio.sleep(0)
        return Scores((0.5,))

    def decode(self, tokens):
        return ""

    def close(self):
        self.closed = True


async def test_a_scorer_judges_all_prompts_of_a_window():
    scorer = FakeScorer()
    settings = RewardSettings(device="cpu", kv_cache_memory_bytes=1 << 28)
    stand = ScorerStand(scorer, settings)
    found = await stand.measure(Window(0, 0, prompts=5, prompt=256), others=0)
    await stand.close()
    assert (found.started, found.prefill_tokens, found.decoding) == (5, 1280, 0)
    assert found.steps == -(-1280 // settings.max_num_batched_tokens)
    assert [len(context) for context in scorer.asked] == [256] * 5
    assert len(set(scorer.asked)) == 5
    assert scorer.closed
