"""Starts vLLM so that it tells its load."""

from __future__ import annotations

from typing import Any

from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.metrics.loggers import PrometheusStatLogger, StatLoggerBase

from cluster.engine.load import Gauge
from dynasor.messages import Load


class LoadLogger(StatLoggerBase):  # type: ignore[misc]  # vLLM's types are not read
    """A statistics logger of vLLM that keeps a gauge. It is called after every step of the engine,
    in the loop that the engine was built in; in an idle engine nothing changes."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._preempted = 0

    def __call__(self, vllm_config: Any, engine_index: int = 0) -> LoadLogger:
        """Itself: vLLM asks for a factory."""
        return self

    def record(
        self,
        scheduler_stats: Any,
        iteration_stats: Any,
        mm_cache_stats: Any = None,
        engine_idx: int = 0,
    ) -> None:
        """See `StatLoggerBase`."""
        if iteration_stats is not None:
            self._preempted += iteration_stats.num_preempted_reqs
        if scheduler_stats is not None:
            load = Load(
                kv_used=scheduler_stats.kv_cache_usage,
                running=scheduler_stats.num_running_reqs,
                waiting=scheduler_stats.num_waiting_reqs + scheduler_stats.num_skipped_waiting_reqs,
                preempted=self._preempted,
            )
            self._gauge.set(load)

    def log_engine_initialized(self) -> None:
        """See `StatLoggerBase`."""


def start(arguments: dict[str, Any], gauge: Gauge) -> Any:
    """An AsyncLLM that keeps a gauge.

    Args:
        arguments: of ``AsyncEngineArgs``.
    """
    llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments), stat_loggers=[LoadLogger(gauge)])
    # vLLM adds a logger for Prometheus whose numbers nobody collects here. Measured: 3 µs of CPU
    # per token, a tenth of what this process needs in all.
    loggers = llm.logger_manager.stat_loggers
    loggers[:] = [one for one in loggers if not isinstance(one, PrometheusStatLogger)]
    return llm
