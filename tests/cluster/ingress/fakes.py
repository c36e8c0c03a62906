"""A controller without a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from cluster.ingress.prompts import Prompts
from cluster.protocol import Refused, Status, StreamItem
from cluster.stream import Inbox
from dynasor.answers import Answer
from dynasor.certaindex import Certaindex, Vote
from dynasor.inputs import Submit
from dynasor.result import BranchResult, Result, StopReason, TokenCount
from dynasor.stats import Stats
from dynasor.token_ids import pack_tokens
from dynasor.work import Finish

Reply = Callable[[Submit], Awaitable[Result | Refused]]


class OpenInbox(Inbox):
    """An inbox into which a test can put items itself, so that their order is certain."""

    def deliver(self, item: StreamItem) -> None:
        self._queues[item.query_id].put_nowait(item)


class FakeController:
    """Answers with ``reply``; by default every chain says ``text``."""

    def __init__(self, prompts: Prompts) -> None:
        self.prompts = prompts
        self.submits: list[Submit] = []
        self.cancelled: list[str] = []
        self.replicas = 1
        self.numbers = Stats()
        self.text = "2+2=4\n</think>\nThe answer is 4."
        self.reply: Reply = self.finish
        self.changed = asyncio.Event()

    async def solve(self, submit: Submit) -> Result | Refused:
        self.submits.append(submit)
        self.changed.set()
        return await self.reply(submit)

    def cancel(self, query_id: str) -> None:
        self.cancelled.append(query_id)
        self.changed.set()

    async def status(self) -> Status:
        return Status(self.replicas, 0, len(self.submits), 0)

    async def stats(self) -> Stats:
        return self.numbers

    async def finish(self, submit: Submit) -> Result:
        params = submit.query.program.params.model_dump()
        count = params.get("n") or params["max_branches"]
        return self.result(submit, [self.text] * count)

    def tokens(self, text: str) -> tuple[int, ...]:
        return self.prompts._encode(text, special=False)

    def branch(
        self,
        number: int,
        text: str,
        *,
        finish: Finish | None = "stop",
        stop_reason: str | int | None = None,
        answer: Answer | None = None,
        runs: int = 1,
        message: str = "",
    ) -> BranchResult:
        tokens = self.tokens(text + ("<|end|>" if finish == "stop" and not stop_reason else ""))
        return BranchResult(
            branch=number,
            kind="sample",
            prefix=(),
            packed=pack_tokens(tokens),
            finish=finish,
            stop_reason=stop_reason,
            answer=answer,
            cached_tokens=3,
            replica="replica-0",
            runs=runs,
            message=message,
        )

    def result(
        self,
        submit: Submit,
        texts: Iterable[str] = (),
        *,
        branches: Iterable[BranchResult] | None = None,
        stop: StopReason = "complete",
        votes: Iterable[Vote] = (),
        answer: Answer | None = None,
        chosen: int | None = 0,
    ) -> Result:
        if branches is None:
            branches = [self.branch(number, text) for number, text in enumerate(texts)]
        branches = tuple(branches)
        kept = sum(b.generated for b in branches if b.finish in ("stop", "length"))
        discarded = sum(b.generated for b in branches) - kept
        return Result(
            query_id=submit.query_id,
            stop=stop,
            answer=answer,
            chosen=chosen if branches else None,
            certaindex=Certaindex(
                {"entropy": 0.75 if votes else 0.0},
                measured=len(branches),
                votes=tuple(votes),
                abstained=1 if votes else 0,
            ),
            branches=branches,
            tokens=TokenCount(len(submit.prompt), kept, discarded, cached=3 * len(branches)),
            elapsed_s=0.25,
        )
