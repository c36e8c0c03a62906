"""vLLM's AsyncLLM behind the runner's interface."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from vllm.exceptions import VLLMClientError
from vllm.sampling_params import RequestOutputKind, SamplingParams

from cluster.engine import vllm_load
from cluster.engine.arguments import engine_arguments
from cluster.engine.confidence import token_confidence
from cluster.engine.generation import Piece, RefusedByEngine
from cluster.engine.load import Gauge
from cluster.settings import Settings
from dynasor.messages import ReplicaInfo


class VllmEngine:
    """One AsyncLLM. Build it inside the event loop that will use it."""

    def __init__(self, settings: Settings) -> None:
        self.gauge = Gauge()
        self._llm = vllm_load.start(engine_arguments(settings), self.gauge)
        cache = self._llm.vllm_config.cache_config
        self._info = ReplicaInfo(
            slots=settings.engine.max_num_seqs,
            kv_tokens=(cache.num_gpu_blocks or 0) * cache.block_size,
            block_size=cache.block_size,
            max_model_len=settings.model.max_model_len,
        )

    @property
    def info(self) -> ReplicaInfo:
        return self._info

    async def generate(
        self, request: str, context: Sequence[int], sampling: dict[str, Any]
    ) -> AsyncGenerator[Piece]:
        try:
            parameters = SamplingParams(
                **sampling, flat_logprobs=True, output_kind=RequestOutputKind.DELTA
            )
            prompt: Any = {"prompt_token_ids": list(context)}
            async for output in self._llm.generate(prompt, parameters, request):
                completion = output.outputs[0]
                peaks, confidences = _certainty(completion.logprobs)
                yield Piece(
                    tokens=tuple(completion.token_ids),
                    text=completion.text,
                    peaks=peaks,
                    confidences=confidences,
                    finish=completion.finish_reason,
                    stop_reason=completion.stop_reason,
                    cached_tokens=output.num_cached_tokens or 0,
                )
        except (VLLMClientError, ValueError) as error:
            raise RefusedByEngine(str(error)) from error

    async def abort(self, requests: Sequence[str]) -> None:
        await self._llm.abort(requests)

    def decode(self, tokens: Sequence[int]) -> str:
        text: str = self._llm.get_tokenizer().decode(list(tokens), skip_special_tokens=True)
        return text

    async def check_health(self) -> None:
        await self._llm.check_health()

    def close(self) -> None:
        self._llm.shutdown()


def _certainty(logprobs: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Peaks and confidences at the positions of a `FlatLogprobs` that have them, see `Piece`."""
    if not logprobs:
        return (), ()
    # At each position the sampled token comes first, then the most probable ones in their order.
    # In a batch with requests that want none, vLLM now and then gives the sampled one alone.
    spans = zip(logprobs.start_indices, logprobs.end_indices, strict=True)
    likely = [logprobs.logprobs[start + 1 : end] for start, end in spans if end > start + 1]
    peaks = tuple(values[0] for values in likely)
    return peaks, tuple(map(token_confidence, likely))
