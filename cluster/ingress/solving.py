"""A query's way through the cluster: prompt to tokens, controller, solution."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar, cast

import msgspec

from cluster.ingress.chains import Chains, Task
from cluster.ingress.controller import ControllerClient, ControllerLost
from cluster.ingress.errors import overloaded, unavailable
from cluster.ingress.prompts import Prompts, off_loop
from cluster.ingress.solution import Solution
from cluster.protocol import Refused, Status, StreamItem, TokenDelta
from cluster.settings import Settings
from cluster.stream import Inbox
from dynasor.errors import InvalidField
from dynasor.inputs import Submit
from dynasor.query import Query
from dynasor.result import Progress, Result
from dynasor.stats import Stats

T = TypeVar("T")

RESUBMIT_S = 60.0
"""How long an accepted query waits for a new controller after its own was lost."""

CONTROLLER_RETRY_S = 0.2
KEEP_ALIVE_S = 15.0
"""A stream that has nothing to say for this long shows that it lives."""

STATUS_TIMEOUT_S = 2.0

Event = list[TokenDelta] | Progress | Solution | None
"""What happens to a followed query; None: nothing did for `KEEP_ALIVE_S`."""


class Solver:
    """Solves queries; stateless but for the calls in flight."""

    def __init__(
        self, settings: Settings, prompts: Prompts, controller: ControllerClient, inbox: Inbox
    ) -> None:
        self.prompts = prompts
        self._chains = Chains(prompts, settings.controller.policy)
        self._model = settings.model.name
        self._phrases = settings.model.phrases
        self._scorers = settings.scorers
        self._controller = controller
        self._inbox = inbox
        self._period_s = settings.ingress.stream_period_s

    async def prepare(
        self,
        query: Query,
        *,
        token_ids: tuple[int, ...] | None = None,
        default_max_tokens: int | None = None,
        followed: bool = False,
    ) -> Task:
        """Tokenize and check a query; nothing reaches the controller.

        Args:
            token_ids: the prompt, where the caller gave it so.
            default_max_tokens: tokens of a chain if the query does not say.
            followed: `follow` will be called, not `run`.

        Raises:
            InvalidField: the prompt, or a parameter that contradicts it or the cluster.
        """
        if token_ids is None:
            prompt = await self.prompts.render(query)
        else:
            prompt = self.prompts.given(token_ids, query.prompt or "")
        sampling = self.prompts.fit(prompt, query.sampling, default_max_tokens)
        if sampling is not query.sampling:
            query = query.model_copy(update={"sampling": sampling})
        algorithm = query.program.build()
        self._check_scorer(algorithm.scorer)
        phrases = self._phrases.merged(query.program.phrases)
        plain = algorithm.completions is not None
        submit = Submit(
            query_id=uuid.uuid4().hex,
            query=query,
            prompt=prompt.tokens,
            model=self._model,
            phrases=phrases,
            injections={} if plain else self.prompts.injections(phrases),
            sink=self._inbox.address if followed else None,
            watched=followed and not plain,
        )
        raw = plain and query.messages is None
        return Task(submit, prompt, None if raw else self.prompts.marks, algorithm.completions)

    async def solve(self, query: Query) -> Solution:
        """Solve a query. Raises InvalidField, ApiError (overload, engine failure)."""
        return await self.run(await self.prepare(query))

    async def run(self, task: Task) -> Solution:
        """Solve a prepared query; its program ends when this is cancelled."""
        return await self._solution(task, await self._result(task, lambda: True))

    async def follow(self, task: Task) -> AsyncGenerator[Event]:
        """Solve a prepared query and tell what happens on the way; the solution comes last."""
        shown = False
        loop = asyncio.get_running_loop()
        earliest = loop.time()
        async with self._inbox.subscribe(task.submit.query_id) as inbox:
            queue = cast("asyncio.Queue[StreamItem | None]", inbox)
            solving = asyncio.create_task(self._result(task, lambda: not shown))
            # Wakes the loop below, after all that came before the result.
            solving.add_done_callback(lambda _: queue.put_nowait(None))
            try:
                while not solving.done() or not queue.empty():
                    deltas, progress = await _next_items(queue, earliest)
                    earliest = loop.time() + self._period_s
                    if deltas:
                        shown = True
                        yield deltas
                    if progress is not None:
                        yield progress
                    elif not deltas and not solving.done():
                        yield None
                yield await self._solution(task, await solving)
            finally:
                solving.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await solving

    async def status(self) -> Status:
        """What the controller knows of the cluster. Raises ApiError (503) if it does not answer."""
        return await _soon(self._controller.status())

    async def stats(self) -> Stats:
        """Numbers about what the controller does. Raises as `status`."""
        return await _soon(self._controller.stats())

    def _check_scorer(self, scorer: str | None) -> None:
        if scorer is not None and scorer not in self._scorers:
            known = ", ".join(self._scorers) or "none"
            reason = f"nobody of the name {scorer!r:.60} judges chains in this cluster"
            raise InvalidField("program.scorer", f"{reason}; known: {known}")

    async def _solution(self, task: Task, result: Result) -> Solution:
        size = result.tokens.generated
        return await off_loop(size, lambda: self._chains.solution(task, result))

    async def _result(self, task: Task, repeatable: Callable[[], bool]) -> Result:
        """The controller's answer; asks a new controller if the old one is lost."""
        try:
            outcome = await self._attempts(task.submit, repeatable)
        except BaseException:
            self._controller.cancel(task.submit.query_id)
            raise
        if isinstance(outcome, Refused):
            raise overloaded(outcome.message, outcome.retry_after_s)
        return outcome

    async def _attempts(self, submit: Submit, repeatable: Callable[[], bool]) -> Result | Refused:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            return await self._controller.solve(submit)
        except ControllerLost:
            deadline_s = submit.query.program.terms.deadline_s
            limit = RESUBMIT_S if deadline_s is None else min(RESUBMIT_S, deadline_s)
            give_up_at = loop.time() + limit
        while repeatable():
            await self._await_controller(give_up_at)
            with suppress(ControllerLost):
                again = _with_time_left(submit, loop.time() - started)
                outcome = await self._controller.solve(again)
                if isinstance(outcome, Result):
                    return outcome
                if loop.time() + outcome.retry_after_s >= give_up_at:
                    return outcome
                await asyncio.sleep(outcome.retry_after_s)
        raise unavailable("the controller was lost in the middle of the stream")

    async def _await_controller(self, give_up_at: float) -> None:
        try:
            async with asyncio.timeout_at(give_up_at):
                while True:
                    with suppress(ControllerLost):
                        await self._controller.status()
                        return
                    await asyncio.sleep(CONTROLLER_RETRY_S)
        except TimeoutError:
            raise unavailable("the controller was lost and did not come back in time") from None


async def _soon(answer: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(STATUS_TIMEOUT_S):
            return await answer
    except (TimeoutError, ControllerLost):
        raise unavailable("the controller does not answer") from None


async def _next_items(
    queue: asyncio.Queue[StreamItem | None], earliest: float
) -> tuple[list[TokenDelta], Progress | None]:
    """All text that has arrived by ``earliest`` or, if there is none, as soon as there is some;
    and the latest progress. Nothing after `KEEP_ALIVE_S`."""
    deltas: list[TokenDelta] = []
    progress: Progress | None = None
    item: StreamItem | None = None
    with suppress(TimeoutError):
        async with asyncio.timeout(KEEP_ALIVE_S):
            item = await queue.get()
    if item is not None:
        await asyncio.sleep(max(0.0, earliest - asyncio.get_running_loop().time()))
    while True:
        if isinstance(item, TokenDelta):
            deltas.append(item)
        elif item is not None:
            progress = item
        if queue.empty():
            return deltas, progress
        item = queue.get_nowait()


def _with_time_left(submit: Submit, elapsed_s: float) -> Submit:
    """The same query, with the rest of its deadline. Raises ApiError (503) if none is left."""
    spec = submit.query.program
    if spec.terms.deadline_s is None:
        return submit
    left = spec.terms.deadline_s - elapsed_s
    if left <= 0:
        raise unavailable("the controller was lost and did not come back before the deadline")
    program = replace(spec, terms=spec.terms.model_copy(update={"deadline_s": left}))
    query = submit.query.model_copy(update={"program": program})
    return msgspec.structs.replace(submit, query=query)
