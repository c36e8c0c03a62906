"""vLLM's AsyncLLM without anything around it: as many engines as the cluster has, in this process.

Each engine computes in a process of its own; here are only their front ends.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from cluster.bench.client import RequestFailed
from cluster.bench.overhead.closed_loop import Ask
from cluster.settings import Settings


@asynccontextmanager
async def engines(settings: Settings, replicas: int, tokens: int) -> AsyncIterator[Ask]:
    """An `Ask` that goes to the engines in turn, from a conversation to text as a server does.

    Args:
        settings: the cluster's; the engines get the arguments that its engines have.
        replicas: how many engines.
        tokens: to generate for each question.
    """
    # vLLM and PyTorch read these when they are imported.
    os.environ.update(settings.engine.env)
    started: list[_Engine] = []
    try:
        for _ in range(replicas):
            started.append(_Engine(settings, tokens))
        requests = count()

        async def ask(question: str) -> int:
            number = next(requests)
            return await started[number % replicas].ask(question, f"direct-{number}")

        yield ask
    finally:
        for engine in started:
            engine.close()


class _Engine:
    def __init__(self, settings: Settings, tokens: int) -> None:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.sampling_params import RequestOutputKind, SamplingParams
        from vllm.v1.engine.async_llm import AsyncLLM

        from cluster.engine.arguments import engine_arguments

        self._llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**engine_arguments(settings)))
        self._tokenizer: Any = self._llm.get_tokenizer()
        self._sampling = SamplingParams(
            temperature=1.0,
            max_tokens=tokens,
            ignore_eos=True,
            # What costs vLLM least: its front end gives one output a request.
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    async def ask(self, question: str, request: str) -> int:
        messages = [{"role": "user", "content": question}]
        prompt: Any = {
            "prompt_token_ids": self._tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=True, return_dict=False
            )
        }
        got = 0
        async for output in self._llm.generate(prompt, self._sampling.clone(), request):
            got = len(output.outputs[0].token_ids)
        if got != self._sampling.max_tokens:
            expected = self._sampling.max_tokens
            raise RequestFailed(f"asked the engine for {expected} tokens, got {got}")
        return got

    def close(self) -> None:
        self._llm.shutdown()
        # Its finalizer fails when it runs only at the end of the interpreter.
        del self._llm
