"""vLLM's pooling runner behind the interface of a reward model.

The model is a sequence classifier with one label, whose logit's sigmoid is the score of the
context up to a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vllm.exceptions import VLLMClientError
from vllm.pooling_params import PoolingParams

from cluster.engine import vllm_load
from cluster.engine.arguments import shared_arguments
from cluster.engine.generation import RefusedByEngine, Scores
from cluster.engine.load import Gauge
from cluster.models import model_path
from cluster.settings import RewardSettings
from dynasor.messages import ReplicaInfo
from dynasor.work import REWARD


class VllmScorer:
    """One AsyncLLM that scores. Build it inside the event loop that will use it."""

    def __init__(self, reward: RewardSettings) -> None:
        arguments = {
            **shared_arguments(reward),
            "model": model_path(reward.id),
            "dtype": reward.dtype,
            "max_model_len": reward.max_model_len,
            "trust_remote_code": reward.trust_remote_code,
            "runner": "pooling",
            "convert": "classify",
        }
        self.gauge = Gauge()
        self._llm = vllm_load.start(arguments, self.gauge)
        cache = self._llm.vllm_config.cache_config
        self._info = ReplicaInfo(
            slots=reward.max_num_seqs,
            kv_tokens=(cache.num_gpu_blocks or 0) * cache.block_size,
            block_size=cache.block_size,
            max_model_len=reward.max_model_len,
            services=(REWARD,),
        )

    @property
    def info(self) -> ReplicaInfo:
        """What it can hold."""
        return self._info

    async def score(self, request: str, context: Sequence[int], positions: Sequence[int]) -> Scores:
        """See `ScoringEngine`."""
        last_alone = list(positions) == [len(context) - 1]
        params = PoolingParams(task="classify" if last_alone else "token_classify")
        prompt: Any = {"prompt_token_ids": list(context)}
        data, cached = [], 0
        try:
            async for output in self._llm.encode(prompt, params, request):
                data = output.outputs.data.float().flatten().tolist()
                cached = output.num_cached_tokens or 0
        except (VLLMClientError, ValueError) as error:
            raise RefusedByEngine(str(error)) from error
        if not data:
            raise RefusedByEngine("the engine gave no score")
        values = data if last_alone else [data[position] for position in positions]
        return Scores(tuple(min(1.0, max(0.0, value)) for value in values), cached)

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of token ids."""
        text: str = self._llm.get_tokenizer().decode(list(tokens), skip_special_tokens=True)
        return text

    async def check_health(self) -> None:
        """Raises when the engine is broken."""
        await self._llm.check_health()

    def close(self) -> None:
        """Free what it holds."""
        self._llm.shutdown()
