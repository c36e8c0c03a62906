"""What the ingress makes of a request, in a world where prompts are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from cluster.sim.outcomes.assumed import Assumed
from cluster.sim.outcomes.script import Script, right_answers
from cluster.sim.settings import Scenario
from cluster.sim.tokens import injections, prompt, prompt_of_blocks
from cluster.workload.request import Request
from cluster.workload.served import Served
from dynasor.inputs import Submit
from dynasor.query import ProgramSpec, Query, Sampling, parse_program
from dynasor.replay.recording import Question
from dynasor.result import Result

CHARACTERS = 4
"""Of a token, about: for messages of the system, of which only the text is known."""

PROMPTS = 4096
"""Prompts of questions that are remembered; all are forgotten when there are more."""


@dataclass(slots=True)
class Asked:
    """A query in progress.

    Attributes:
        script: what its branches do; a new one whenever it is submitted anew.
        accepted: a controller has taken it.
        give_up_at: until when it waits for a new controller.
    """

    request: Request
    question: Question
    submit: Submit
    script: Script
    accepted: bool = False
    give_up_at: float = 0.0


class Asking:
    """Turns requests into submissions, and results into what became of the requests."""

    def __init__(self, scenario: Scenario, questions: Sequence[Question], system: str) -> None:
        self._questions = questions
        self._system = system
        self._assumed: Assumed = scenario.simulation.assumed
        self._model = scenario.settings.model
        self._max_tokens = scenario.simulation.max_tokens
        self._kinds = {kind.name: place for place, kind in enumerate(scenario.workload.kinds)}
        self._system_tokens = {
            kind.name: -(-len(kind.system) // CHARACTERS) for kind in scenario.workload.kinds
        }
        lengths = dict.fromkeys(("probe", "close", "wait"), self._assumed.injected_tokens)
        self._injections = injections(lengths)
        self._specs: dict[str, tuple[dict[str, Any], str, Query]] = {}
        self._prompts: dict[tuple[int, str], tuple[int, ...]] = {}
        self._right: dict[int, frozenset[str]] = {}

    def ask(self, request: Request) -> Asked:
        """A query's submission. Raises InvalidField: there is no such program."""
        question = self._questions[request.question]
        query = self._query(request)
        plain = query.program.build().completions is not None
        submit = Submit(
            query_id=f"q{request.number}",
            query=query,
            prompt=self._prompt(request, question),
            model=self._model.name,
            phrases=self._model.phrases.merged(query.program.phrases),
            injections={} if plain else self._injections,
        )
        return Asked(request, question, submit, self.script(request, question))

    def script(self, request: Request, question: Question) -> Script:
        """What the branches of a query do, before any has begun."""
        return Script(question, request.seed, self._assumed)

    def again(self, asked: Asked, now: float) -> bool:
        """Make a query ready to be submitted anew, with the rest of its deadline.

        Returns:
            Whether there is a rest.
        """
        asked.script = self.script(asked.request, asked.question)
        spec, deadline_s = asked.submit.query.program, asked.request.deadline_s
        if deadline_s is None:
            return True
        left = deadline_s - (now - asked.request.at_s)
        if left <= 0:
            return False
        query = asked.submit.query.model_copy(update={"program": _within(spec, left)})
        asked.submit = msgspec.structs.replace(asked.submit, query=query)
        return True

    def answered(self, asked: Asked, result: Result, told_at: float) -> Served:
        """What became of a query that has a result, of which its client knows at ``told_at``."""
        failed = result.stop == "failed"
        if result.answer is not None:
            correct = result.answer.key in self._right_answers(asked)
        else:
            correct = _stopped(result) and asked.script.right(result.chosen)
        return self._served(
            asked,
            told_at,
            outcome="failed" if failed else "answered",
            correct=correct and not failed,
            tokens=result.tokens.spent,
            branches=len(result.branches),
            stop=result.stop,
            message=result.fault,
        )

    def refused(self, asked: Asked, told_at: float, message: str) -> Served:
        """What became of a query that the door refused."""
        return self._served(asked, told_at, outcome="refused", message=message)

    def failed(self, asked: Asked, told_at: float, message: str) -> Served:
        """What became of a query that nobody could answer."""
        return self._served(asked, told_at, outcome="failed", message=message)

    def _served(self, asked: Asked, told_at: float, **fields: Any) -> Served:
        request = asked.request
        return Served(
            number=request.number,
            system=self._system,
            kind=request.kind,
            question=asked.question.id or str(request.question),
            at_s=request.at_s,
            latency_s=told_at - request.at_s,
            level=asked.question.level,
            tenant=request.tenant,
            deadline_s=request.deadline_s,
            **fields,
        )

    def _query(self, request: Request) -> Query:
        """A kind's queries differ in their deadlines only."""
        program, tenant, query = self._specs.get(request.kind, (None, "", None))
        if program is not request.program or tenant != request.tenant or query is None:
            spec = parse_program(replace(request, deadline_s=None).asked())
            query = Query(prompt="?", program=spec, sampling=Sampling(max_tokens=self._max_tokens))
            self._specs[request.kind] = (request.program, request.tenant, query)
        if request.deadline_s is None:
            return query
        return query.model_copy(update={"program": _within(query.program, request.deadline_s)})

    def _prompt(self, request: Request, question: Question) -> tuple[int, ...]:
        most = self._model.max_model_len - 1
        if request.input_tokens is not None:
            tokens = min(most, max(1, request.input_tokens))
            return prompt_of_blocks(request.prefix_ids, tokens, request.number)
        key = (request.question, request.kind)
        if key not in self._prompts:
            if len(self._prompts) >= PROMPTS:
                self._prompts.clear()
            tokens = question.prompt_tokens or self._assumed.prompt_tokens
            system = self._system_tokens.get(request.kind, 0)
            place = self._kinds.get(request.kind, 0)
            self._prompts[key] = prompt(request.question, place, system, tokens)[:most]
        return self._prompts[key]

    def _right_answers(self, asked: Asked) -> frozenset[str]:
        place = asked.request.question
        if place not in self._right:
            if len(self._right) >= PROMPTS:
                self._right.clear()
            self._right[place] = right_answers(asked.question)
        return self._right[place]


def _stopped(result: Result) -> bool:
    """Whether nobody voted, and the chosen chain came to its own end: one that was cut off says
    nothing, however good it was so far."""
    ended = {one.branch for one in result.branches if one.finish == "stop"}
    return result.certaindex.votes == () and result.chosen in ended


def _within(spec: ProgramSpec, deadline_s: float) -> ProgramSpec:
    return replace(spec, terms=spec.terms.model_copy(update={"deadline_s": deadline_s}))
