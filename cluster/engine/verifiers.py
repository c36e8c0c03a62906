"""Judges of chains that are Python callables, run in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.engine.sandbox import Sandbox, SandboxError


class Verifiers:
    """Calls verifiers by name.

    A verifier is ``verify(question: str, response: str, reference: Any) -> float | bool``, pure
    and synchronous: how good the response is, from 0 to 1. The reference comes with the query.
    """

    def __init__(self, table: Mapping[str, str], sandbox: Sandbox) -> None:
        """``table``: "package.module:function" by name."""
        self._table = dict(table)
        self._sandbox = sandbox

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the verifiers."""
        return tuple(self._table)

    async def check(self) -> None:
        """Import every verifier.

        Raises:
            ValueError: one can't be imported; names it and says why.
        """
        for name, path in self._table.items():
            try:
                await self._sandbox.load(path)
            except SandboxError as error:
                raise ValueError(f"verifier {name!r}: {error}") from error

    async def score(self, name: str, question: str, response: str, reference: Any) -> float:
        """Return what a verifier says of ``response``, clipped to [0, 1].

        Raises:
            KeyError: there is no verifier of that name.
            SandboxTimeout: it took too long.
            SandboxError: it raised, its process died, or it returned what is no score.
        """
        value = await self._sandbox.call(self._table[name], [question, response, reference])
        if not isinstance(value, bool | int | float) or value != value:
            raise SandboxError(f"verifier {name!r} returned {value!r:.100}, not a number")
        return float(min(1, max(0, value)))
