"""Engines as Serve deployments: every replica is one vLLM engine; it calls the controller."""

from __future__ import annotations

import os
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from cluster.calls import QUIET
from cluster.settings import Settings

_OPTIONS: dict[str, Any] = {
    # Nobody calls an engine: it asks for work. Ongoing requests mean nothing here.
    "max_ongoing_requests": 1_000,
    "health_check_period_s": 1,
    "health_check_timeout_s": 30,
    # There are no requests to wait for; what runs here goes on elsewhere.
    "graceful_shutdown_wait_loop_s": 0.1,
    "graceful_shutdown_timeout_s": 5,
    "logging_config": QUIET,
}


@serve.deployment(name="Engine", **_OPTIONS)
class Engine:
    """Generates, finds answers, and runs verifiers."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, settings: Settings, controller: DeploymentHandle[Any]
    ) -> None:
        # vLLM and the maths libraries read these when they are imported.
        os.environ.update(settings.engine.env)
        from cluster.engine.equipment import Equipment
        from cluster.engine.station import Station
        from cluster.engine.vllm_engine import VllmEngine

        engine = VllmEngine(settings)
        self._equipment = Equipment(settings.engine, engine)
        await self._equipment.check()
        workers, info = self._equipment.workers, self._equipment.info
        self._station = Station(settings, settings.engine, controller, engine, workers, info)

    async def check_health(self) -> None:
        """Serve replaces the replica when this raises."""
        await self._station.check_health()

    async def __del__(self) -> None:
        await self._station.close()
        await self._equipment.close()


@serve.deployment(name="Scorer", **_OPTIONS)
class Scorer:
    """Judges chains by a reward model."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, settings: Settings, controller: DeploymentHandle[Any]
    ) -> None:
        assert settings.reward is not None, "the application has no scorers without it"
        os.environ.update(settings.reward.env)
        from cluster.engine.rating import Rating, RewardRater
        from cluster.engine.station import Station
        from cluster.engine.vllm_scorer import VllmScorer
        from dynasor.messages import Rate
        from dynasor.work import REWARD

        engine = VllmScorer(settings.reward)
        workers = {Rate: Rating({REWARD: RewardRater(engine)})}
        self._station = Station(settings, settings.reward, controller, engine, workers, engine.info)

    async def check_health(self) -> None:
        """Serve replaces the replica when this raises."""
        await self._station.check_health()

    async def __del__(self) -> None:
        await self._station.close()
