"""What a generating replica has besides its engine: a reader, an embedder, verifiers, a sandbox."""

from __future__ import annotations

import msgspec

from cluster.engine.answers import AnswerReader
from cluster.engine.checks import behave
from cluster.engine.embedding import Embedder
from cluster.engine.generating import Generating
from cluster.engine.generation import TokenEngine
from cluster.engine.rating import Rating, VerifierRater
from cluster.engine.run import Workers
from cluster.engine.sandbox import Sandbox
from cluster.engine.verifiers import Verifiers
from cluster.settings import EngineSettings
from cluster.stream import Sender
from dynasor.messages import Rate, ReplicaInfo, Start


class Equipment:
    """Builds the workers of a replica around its engine. Processes start when first needed."""

    def __init__(self, settings: EngineSettings, engine: TokenEngine) -> None:
        limits = settings.sandbox
        self._sandbox = Sandbox(limits.workers, limits.time_limit_s, limits.memory_limit_bytes)
        self._verifiers = Verifiers(settings.verifiers, self._sandbox)
        self._embedder = Embedder()
        self._sender = Sender()
        self._reader = AnswerReader(
            timeout_s=settings.answer_timeout_s,
            embed=self._embedder.sketch,
            behave=behave(self._sandbox) if limits.run_code else None,
        )
        raters = {
            name: VerifierRater(name, self._verifiers, engine.decode)
            for name in self._verifiers.names
        }
        self.workers: Workers = {
            Start: Generating(engine, self._reader, self._sender, self._embedder.sketch),
            Rate: Rating(raters),
        }
        services = (*engine.info.services, *self._verifiers.names)
        self.info: ReplicaInfo = msgspec.structs.replace(engine.info, services=services)

    async def check(self) -> None:
        """Raises ValueError, naming it, if a verifier can't be imported."""
        await self._verifiers.check()

    async def close(self) -> None:
        """End all processes."""
        await self._reader.close()
        await self._embedder.close()
        await self._sandbox.close()
        self._sender.close()
