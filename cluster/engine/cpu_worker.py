"""vLLM's worker on CPUs, as it has to be where callers give seeds.

A prompt that doesn't fit into a step is read in several, each of which samples a token that is
dropped. vLLM then takes back what a request's own generator has given for it by moving its offset,
which generators on CPUs don't have: the engine would die (vLLM 0.32, `_bookkeeping_sync`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from vllm.v1.worker import cpu_worker
from vllm.v1.worker.cpu_model_runner import CPUModelRunner


class CPUWorker(cpu_worker.CPUWorker):  # type: ignore[misc]
    """Named by its path in the engine's arguments: `cluster.engine.arguments`."""

    def init_device(self) -> None:
        super().init_device()
        if type(self.model_runner) is CPUModelRunner:
            self.model_runner.__class__ = SeededModelRunner


class SeededModelRunner(CPUModelRunner):  # type: ignore[misc]
    """Lets generators begin anew instead: a request whose context is being read has none of its
    tokens yet, or goes on after a preemption, where any sample is as good as another."""

    def _bookkeeping_sync(self, *args: Any, **kwargs: Any) -> Any:
        generators = self.input_batch.generators
        for place in np.flatnonzero(self.discard_request_mask.np[: self.input_batch.num_reqs]):
            if generator := generators.get(int(place)):
                generator.manual_seed(generator.initial_seed())
        self.input_batch.generators = {}
        try:
            return super()._bookkeeping_sync(*args, **kwargs)
        finally:
            self.input_batch.generators = generators
