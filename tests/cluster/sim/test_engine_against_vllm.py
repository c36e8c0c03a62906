"""vLLM's own scheduler, with a model that takes no time, says what the simulated engine says."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from cluster.models.abacus import weights_path
from cluster.sim.engine import Done, Job, SimEngine
from dynasor.messages import ReplicaInfo
from tests.cluster.sim.engines import PROFILE, STEP

pytest.importorskip("vllm")

BLOCK = 16


def vllm_scheduler(slots: int, batched: int, blocks: int, most: int) -> Any:
    """Its scheduler of generating models, over so many blocks that requests can have."""
    import torch
    from vllm.engine.arg_utils import EngineArgs
    from vllm.v1.core.sched.scheduler import Scheduler
    from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
    from vllm.v1.structured_output import StructuredOutputManager

    config = EngineArgs(
        model=str(weights_path()),
        max_num_seqs=slots,
        max_num_batched_tokens=batched,
        max_model_len=most,
        block_size=BLOCK,
        enable_prefix_caching=True,
        enforce_eager=True,
        generation_config="vllm",
        async_scheduling=False,
    ).create_engine_config()
    # One block more: vLLM keeps one for itself.
    config.cache_config.num_gpu_blocks = blocks + 1
    layer = FullAttentionSpec(block_size=BLOCK, num_kv_heads=1, head_size=1, dtype=torch.float32)
    cache = KVCacheConfig(
        num_blocks=blocks + 1,
        kv_cache_tensors=[],
        kv_cache_groups=[KVCacheGroupSpec(["layer"], layer)],
    )
    return Scheduler(
        vllm_config=config,
        kv_cache_config=cache,
        structured_output_manager=StructuredOutputManager(config),
        block_size=BLOCK,
    )


@dataclass
class Vllm:
    """vLLM's scheduler, step by step: its requests, and what has ended."""

    scheduler: Any
    requests: dict[int, Any] = field(default_factory=dict)
    cached: dict[int, int] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)

    def submit(self, job: Job) -> None:
        from vllm.sampling_params import SamplingParams
        from vllm.utils.hashing import sha256
        from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
        from vllm.v1.request import Request

        init_none_hash(sha256)
        request = Request(
            request_id=str(job.id),
            prompt_token_ids=list(job.context),
            sampling_params=SamplingParams(max_tokens=job.limit, ignore_eos=True),
            pooling_params=None,
            block_hasher=get_request_block_hasher(BLOCK, sha256),
        )
        self.requests[job.id] = request
        self.scheduler.add_request(request)

    def step(self, jobs: dict[int, Job], aborted: list[int], at_s: float) -> None:
        """One step, which ends at ``at_s``; aborts come while it runs."""
        from vllm.v1.outputs import ModelRunnerOutput
        from vllm.v1.request import RequestStatus

        output = self.scheduler.schedule()
        for new in output.scheduled_new_reqs:
            self.cached[int(new.req_id)] = new.num_computed_tokens
        self.scheduler.finish_requests(map(str, aborted), RequestStatus.FINISHED_ABORTED)
        names = list(output.num_scheduled_tokens)
        sampled = []
        for name in names:
            request, job = self.requests[int(name)], jobs[int(name)]
            read = request.num_computed_tokens >= request.num_tokens
            sampled.append([job.writes[len(request.output_token_ids)]] if read else [])
        places = {name: place for place, name in enumerate(names)}
        self.scheduler.update_from_output(
            output,
            ModelRunnerOutput(req_ids=names, req_id_to_index=places, sampled_token_ids=sampled),
        )
        for number in [n for n in self.requests if str(n) not in self.scheduler.requests]:
            generated = len(self.requests.pop(number).output_token_ids)
            cached = self.cached.get(number, 0)
            self.done.append(Done(number, at_s, generated, cached, number in aborted))


@pytest.mark.parametrize("seed", range(12))
def test_same_ends_tokens_hits_and_preemptions(seed: int) -> None:
    rng = random.Random(seed)
    slots, blocks = rng.randint(1, 10), rng.randint(6, 24)
    batched, most = rng.choice([24, 64, 128]), min(200, blocks * BLOCK)
    vllm = Vllm(vllm_scheduler(slots, batched, blocks, most))
    sim = SimEngine(ReplicaInfo(slots, blocks * BLOCK, BLOCK, most), PROFILE, STEP, batched)
    jobs: dict[int, Job] = {}
    have: dict[int, int] = {}
    requests: list[Any] = []
    done: list[Done] = []
    now = 0.0
    while now < 40 or vllm.requests:
        aborted = []
        if now < 40:
            for _ in range(rng.choice([0, 0, 1, 2, 4])):
                job = _job(rng, jobs, have, most)
                jobs[job.id], have[job.id] = job, 0
                vllm.submit(job)
                sim.submit(job, now)
                requests.append(vllm.requests[job.id])
            aborted = [number for number in vllm.requests if rng.random() < 0.03]
            sim.abort(aborted, now + 0.5)
        now += 1
        vllm.step(jobs, aborted, now)
        ended = sim.advance(now)
        done += ended
        have |= {one.id: one.generated for one in ended}
        for number, request in vllm.requests.items():
            have[number] = len(request.output_token_ids)
            assert sim.generated(number) == have[number]
    assert sorted(done, key=lambda one: one.id) == sorted(vllm.done, key=lambda one: one.id)
    assert sim.load.preempted == sum(request.num_preemptions for request in requests)


def _job(rng: random.Random, jobs: dict[int, Job], have: dict[int, int], most: int) -> Job:
    """A new prompt, or one that goes on from what another job has written."""
    number = len(jobs) + 1
    if jobs and rng.random() < 0.5:
        other = jobs[rng.randint(max(1, number - 8), number - 1)]
        context = (*other.context, *other.writes[: have[other.id]], *([7] * rng.randint(0, 2)))
    else:
        unlike = 100 + 10 * number
        context = (*range(rng.randint(0, 40)), *range(unlike, unlike + rng.randint(1, 9)))
    context = context[: most - 2]
    # A prompt that fills its blocks is where the simulated engine is simpler, see its cache.
    context = context if len(context) % BLOCK else context[:-1]
    limit = min(rng.choice([rng.randint(1, 40), rng.randint(1, 150)]), most - len(context))
    return Job(number, context, limit, range(number * 1000, number * 1000 + limit))
