"""From a program's result to the chains that are shown."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.ingress.errors import generation_failed
from cluster.ingress.prompts import Prompt, Prompts
from cluster.ingress.reasoning import Marks, split
from cluster.ingress.solution import (
    Chain,
    CompletionDetails,
    PromptDetails,
    Solution,
    Usage,
    finish_reason,
    program_info,
)
from dynasor.answers import Answer
from dynasor.inputs import Submit
from dynasor.result import BranchResult, Result

NO_CHAIN = Chain(
    text="", ending="", content="", reasoning=None, finish_reason="length", stop_reason=None
)
"""Shown of a program that ended before it generated anything."""


@dataclass(frozen=True, slots=True)
class Task:
    """A query on its way.

    Attributes:
        prompt: its prompt, tokenized.
        marks: what divides a chain into reasoning and content; None: it is not divided.
        completions: how many chains are shown; None: the one that the program chooses.
    """

    submit: Submit
    prompt: Prompt
    marks: Marks | None
    completions: int | None

    @property
    def plain(self) -> bool:
        """All completions are wanted, and none of them votes."""
        return self.completions is not None


class Chains:
    """Reads results. ``default_policy`` is the policy of programs that name none."""

    def __init__(self, prompts: Prompts, default_policy: str) -> None:
        self._prompts = prompts
        self._default_policy = default_policy

    def solution(self, task: Task, result: Result) -> Solution:
        """What the caller gets. Raises ApiError (500) where the engines failed."""
        shown = _shown(task, result)
        errors = [b.message for b in result.branches if b.finish == "error"]
        if result.stop == "failed" or (task.plain and errors):
            reasons = filter(None, [result.fault, *errors])
            raise generation_failed(next(reasons, "no chain could be run"))
        answer = None if task.plain else result.answer
        chains = tuple(self._chain(task, branch, answer) for branch in shown)
        spec = task.submit.query.program
        return Solution(
            query_id=result.query_id,
            chains=chains or (NO_CHAIN,),
            usage=self._usage(task, result, shown),
            program=program_info(result, spec, self._default_policy),
        )

    def _chain(self, task: Task, branch: BranchResult, answer: Answer | None) -> Chain:
        text = self._text(task, branch)
        # A chain that was cut before its answer is given the one its program found elsewhere.
        found = answer is not None and branch.answer is None
        ending = _ending(text, str(answer.text), task) if answer is not None and found else ""
        piece = split(text + ending, task.marks, task.prompt.thinking)
        return Chain(
            text=text + ending,
            ending=ending,
            content=piece.content,
            reasoning=piece.reasoning or None,
            finish_reason="stop" if ending else finish_reason(branch),
            stop_reason=branch.stop_reason if branch.finish == "stop" else None,
        )

    def _text(self, task: Task, branch: BranchResult) -> str:
        tokens, prompt = (*branch.prefix, *branch.tokens), task.prompt.tokens
        stop = branch.stop_reason
        if isinstance(stop, str) and branch.finish == "stop":
            text = self._prompts.continuation(prompt, tokens)
            # The engine does not look for stop strings before this many tokens.
            minimum = tokens[: max(len(branch.prefix), task.submit.query.sampling.min_tokens)]
            searched = len(self._prompts.continuation(prompt, minimum)) if minimum else 0
            at = text.find(stop, max(0, searched + 1 - len(stop)))
            return text if at < 0 else text[:at]
        ended_by_token = branch.finish == "stop" and len(tokens) > 0
        if ended_by_token and (tokens[-1] == stop or self._prompts.is_end(tokens[-1])):
            tokens = tokens[:-1]
        return self._prompts.continuation(prompt, tokens)

    def _usage(self, task: Task, result: Result, shown: list[BranchResult]) -> Usage:
        count = result.tokens
        cached = result.branches[0].cached_tokens if result.branches else 0
        details = None
        if task.marks is not None:
            content = [(self._prompts.content_tokens(b.prefix + b.tokens), b) for b in shown]
            # What was injected belongs to the content and was not generated.
            known = [min(count, b.generated) for count, b in content if count is not None]
            if len(known) == len(content):
                details = CompletionDetails(reasoning_tokens=count.generated - sum(known))
        return Usage(
            prompt_tokens=count.prompt,
            completion_tokens=count.generated,
            total_tokens=count.prompt + count.generated,
            prompt_tokens_details=PromptDetails(cached_tokens=min(cached, count.prompt)),
            completion_tokens_details=details,
        )


def _ending(text: str, answer: str, task: Task) -> str:
    """What has to follow a chain so that it ends with an answer."""
    box = f"\\boxed{{{answer}}}"
    marks = task.marks
    if marks is None or marks.end in text:
        return f"\n\n{box}"
    thinking = bool(split(text, marks, task.prompt.thinking).reasoning) or task.prompt.thinking
    return f"\n{marks.end}\n\n{box}" if thinking else f"\n\n{box}"


def _shown(task: Task, result: Result) -> list[BranchResult]:
    if task.plain:
        return list(result.branches)
    return [branch for branch in result.branches if branch.branch == result.chosen]
