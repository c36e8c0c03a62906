"""What vLLM is told: settings as its engine arguments. Imports nothing of vLLM."""

from __future__ import annotations

from typing import Any

from cluster.models import model_path
from cluster.settings import EngineSettings, Settings

CPU_WORKER = "cluster.engine.cpu_worker.CPUWorker"


def engine_arguments(settings: Settings) -> dict[str, Any]:
    """Arguments of vLLM's ``AsyncEngineArgs`` for these settings."""
    model = settings.model
    return {
        **shared_arguments(settings.engine),
        "worker_cls": CPU_WORKER if settings.engine.device == "cpu" else "auto",
        "model": model_path(model.id),
        "served_model_name": model.name,
        "dtype": model.dtype,
        "max_model_len": model.max_model_len,
        "trust_remote_code": model.trust_remote_code,
        # A model's generation_config must not change what a caller's defaults mean.
        "generation_config": "vllm",
    }


def shared_arguments(engine: EngineSettings) -> dict[str, Any]:
    """Those of them that have nothing to do with the model."""
    arguments: dict[str, Any] = {
        "max_num_seqs": engine.max_num_seqs,
        "max_num_batched_tokens": engine.max_num_batched_tokens,
        "block_size": engine.block_size,
        "gpu_memory_utilization": engine.gpu_memory_utilization,
        "tensor_parallel_size": engine.tensor_parallel_size,
        "pipeline_parallel_size": engine.pipeline_parallel_size,
        "enforce_eager": engine.enforce_eager,
        "enable_prefix_caching": True,
        "enable_log_requests": False,
        "disable_log_stats": True,
    }
    if engine.kv_cache_memory_bytes is not None:
        arguments["kv_cache_memory_bytes"] = engine.kv_cache_memory_bytes
    if engine.ranks > 1:
        arguments["distributed_executor_backend"] = "ray"
    return arguments
