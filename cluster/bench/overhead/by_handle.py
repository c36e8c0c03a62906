"""Plain requests through the cluster's Python handle, from a driver that joins its Ray cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cluster.bench.client import RequestFailed
from cluster.bench.overhead.closed_loop import Ask
from cluster.cli.errors import CliError
from cluster.cli.server import Server

APPLICATION = "dynasor"
_OPTION = "--gcs-address="


def ray_address(run_dir: Path) -> str:
    """Address of the Ray cluster that `dynasor up` started in this folder, from its raylet.

    Raises:
        CliError: none runs there.
    """
    for process in Server(run_dir).members():
        for argument in process.cmdline():
            if argument.startswith(_OPTION):
                return str(argument.removeprefix(_OPTION))
    raise CliError(f"no Ray cluster runs in {run_dir}")


@asynccontextmanager
async def handle(address: str, tokens: int) -> AsyncIterator[Ask]:
    """An `Ask` through the application's handle.

    Args:
        address: of the Ray cluster it runs in, ``host:port``.
        tokens: to generate for each question.
    """
    import ray
    from ray import serve

    from dynasor.query import Query, Sampling, parse_program

    ray.init(address=address, log_to_driver=False, logging_level="WARNING")
    try:
        application: Any = serve.get_app_handle(APPLICATION)
        solve = application.options(_by_reference=False).solve
        program = parse_program({"algorithm": "sample", "n": 1})
        sampling = Sampling(max_tokens=tokens, ignore_eos=True, temperature=1.0)

        async def ask(question: str) -> int:
            query = Query.model_validate(
                {
                    "messages": [{"role": "user", "content": question}],
                    "program": program,
                    "sampling": sampling,
                }
            )
            solution = await solve.remote(query)
            got = int(solution.usage.completion_tokens)
            if got != tokens:
                raise RequestFailed(f"asked for {tokens} tokens, got {got}: nothing to compare")
            return got

        yield ask
    finally:
        ray.shutdown()
