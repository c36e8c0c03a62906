"""What the path adds to a plain request: `python -m cluster.bench.overhead`.

Each request is sent twice, right after each other and alone: to a vLLM engine in this process,
and by HTTP to the running cluster. Both take a conversation and give back text. The engine here
has the arguments that the config gives to the cluster's engines.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from cluster.bench.client import URL, RequestFailed, chat, connect, first_model
from cluster.bench.options import natural, positive
from cluster.bench.stats import (
    Interval,
    difference_of_medians,
    machine_load,
    markdown_table,
    paired_bootstrap,
    percentile,
)
from cluster.models.abacus.problems import make_problems
from cluster.settings import Settings

LIMIT_MS = 15.0
"""What the whole path may add at the median."""

WARM_UP = 20
LEVEL = 4
SAY_EVERY = 50


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Returns 0 if the path adds no more than `LIMIT_MS`, else 1.

    Raises:
        SystemExit: arguments that argparse refuses.
    """
    args = _parser().parse_args(argv)
    settings = read_settings(args.config)
    # vLLM and PyTorch read these when they are imported.
    os.environ.update(settings.engine.env)
    load = machine_load()
    try:
        direct, through = asyncio.run(_measure(args, settings))
    except RequestFailed as error:
        print(f"overhead: {error}", file=sys.stderr)
        return 1
    added = paired_bootstrap(through, direct, difference_of_medians, args.seed)
    print(f"\nMachine: {load}.\n\n{report(direct, through, added, args.tokens)}")
    return 0 if added.value <= LIMIT_MS else 1


def read_settings(config: Path) -> Settings:
    """The application's settings from a Serve config.

    Raises:
        OSError: the file can't be read.
        KeyError: it has no application.
        pydantic.ValidationError: a field is unknown or out of range.
    """
    document = yaml.safe_load(config.read_text())
    return Settings.model_validate(document["applications"][0].get("args", {}))


def report(direct: Sequence[float], through: Sequence[float], added: Interval, tokens: int) -> str:
    """Table and verdict. Latencies in ms."""
    rows = [
        [name, *(f"{percentile(values, q):.1f}" for q in (50, 90, 99))]
        for name, values in (("AsyncLLM in this process", direct), ("HTTP, whole path", through))
    ]
    rows.append(
        [
            "difference",
            *(f"{percentile(through, q) - percentile(direct, q):+.1f}" for q in (50, 90, 99)),
        ]
    )
    table = markdown_table([f"{tokens} tokens, ms", "p50", "p90", "p99"], rows)
    verdict = "at most" if added.value <= LIMIT_MS else "MORE than"
    return (
        f"{table}\n\n{len(direct)} requests each, alternating. The path adds "
        f"{added.show('.1f')} ms at p50: {verdict} {LIMIT_MS:g} ms."
    )


async def _measure(args: argparse.Namespace, settings: Settings) -> tuple[list[float], list[float]]:
    """Latencies in ms: direct, and through the cluster, of the same requests."""
    async with connect(args.url, 1) as client:
        model = args.model or await first_model(client)
        engine = DirectEngine(settings)
        try:
            return await _alternate(args, client, model, engine)
        finally:
            engine.close()


async def _alternate(
    args: argparse.Namespace, client: httpx.AsyncClient, model: str, engine: DirectEngine
) -> tuple[list[float], list[float]]:
    direct: list[float] = []
    through: list[float] = []
    problems = make_problems(LEVEL, WARM_UP + args.requests, args.seed)
    for number, problem in enumerate(problems):
        messages = [{"role": "user", "content": problem.text}]
        first, second = await _pair(client, model, engine, messages, args.tokens, number % 2 == 0)
        if number >= WARM_UP:
            direct.append(first)
            through.append(second)
        if (number + 1) % SAY_EVERY == 0:
            print(f"{number + 1} of {len(problems)} pairs, {WARM_UP} to warm up", flush=True)
    return direct, through


async def _pair(
    client: httpx.AsyncClient,
    model: str,
    engine: DirectEngine,
    messages: list[dict[str, str]],
    tokens: int,
    direct_first: bool,
) -> tuple[float, float]:
    if direct_first:
        direct = await engine.latency_ms(messages, tokens)
        return direct, await _http_ms(client, model, messages, tokens)
    through = await _http_ms(client, model, messages, tokens)
    return await engine.latency_ms(messages, tokens), through


async def _http_ms(
    client: httpx.AsyncClient, model: str, messages: list[dict[str, str]], tokens: int
) -> float:
    body = {"model": model, "messages": messages, "max_tokens": tokens, "ignore_eos": True}
    reply = await chat(client, {**body, "temperature": 1.0})
    try:
        got = reply.document["usage"]["completion_tokens"]
    except (LookupError, TypeError):
        raise RequestFailed("the response has no usage.completion_tokens") from None
    if got != tokens:
        raise RequestFailed(f"asked for {tokens} tokens, got {got}: nothing to compare")
    return reply.latency_s * 1000


class DirectEngine:
    """vLLM's AsyncLLM in this process, with the cluster's engine arguments."""

    def __init__(self, settings: Settings) -> None:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        from cluster.engine.vllm_engine import engine_arguments

        self._llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**engine_arguments(settings)))
        self._tokenizer: Any = self._llm.get_tokenizer()
        self._requests = 0

    async def latency_ms(self, messages: list[dict[str, str]], tokens: int) -> float:
        """Time from a conversation to ``tokens`` tokens as text.

        Raises:
            RequestFailed: there were more tokens or fewer.
        """
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        self._requests += 1
        started = time.perf_counter()
        prompt = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        sampling = SamplingParams(
            temperature=1.0,
            max_tokens=tokens,
            ignore_eos=True,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        got = 0
        requested: Any = {"prompt_token_ids": prompt}
        async for output in self._llm.generate(requested, sampling, f"direct-{self._requests}"):
            got = len(output.outputs[0].token_ids)
        elapsed_ms = (time.perf_counter() - started) * 1000
        if got != tokens:
            raise RequestFailed(f"asked the engine for {tokens} tokens, got {got}")
        return elapsed_ms

    def close(self) -> None:
        """Stop the engine."""
        self._llm.shutdown()
        # Its finalizer fails when it runs only at the end of the interpreter.
        del self._llm


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cluster.bench.overhead",
        description="Compare a plain request by HTTP with vLLM called in this process. The "
        "cluster must run with the same config and be otherwise idle.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--url", default=URL, help="the cluster's address")
    add("--config", type=Path, default="serve_configs/local.yaml", help="the cluster's config")
    add("--model", help="name of the model; None: the first that is served")
    add("--requests", type=positive, default=200, metavar="N", help="requests on each side")
    add("--tokens", type=positive, default=20, metavar="N", help="tokens to generate in each")
    add("--seed", type=natural, default=0, help="of the prompts and of the bootstrap")
    return parser


if __name__ == "__main__":
    sys.exit(main())
