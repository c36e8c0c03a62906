"""What replicas are told of a program and of a run."""

from __future__ import annotations

from dynasor.branch import Branch
from dynasor.fleet.replica import Run
from dynasor.messages import Open, Rate, Start
from dynasor.program import Program
from dynasor.work import Score


def opening(program: Program) -> Open:
    """What the program's branches share."""
    submitted = program.submitted
    query = submitted.query
    return Open(
        program=program.id,
        prompt=program.prompt,
        sampling=query.sampling.model_dump(mode="json", exclude={"max_tokens", "seed"}),
        phrases=submitted.phrases,
        answers=query.program.answers,
        question=query.question,
        reference=query.program.reference,
        sink=submitted.sink,
    )


def command(branch: Branch, run: Run, seed: int | None) -> Start | Rate:
    """What begins the run."""
    item = branch.item
    if isinstance(item, Score):
        return Rate(run.id, run.program, run.branch, branch.prefix, item.scorer, item.steps)
    return Start(
        run=run.id,
        program=run.program,
        branch=run.branch,
        prefix=branch.prefix,
        generated=tuple(branch.tokens),
        lease=run.lease,
        max_tokens=run.limit,
        injected=branch.injected,
        unseen=branch.unseen,
        seed=seed,
        temperature=item.temperature,
        until=item.until,
        read=item.read,
        alone=item.kind == "probe",
        measure=item.measure,
        show=item.show,
        after=branch.after,
    )


def seed_of(seed: int | None, branch: Branch) -> int | None:
    """As vLLM seeds the children of one request; a run that goes on needs a seed of its own, for
    the engine's random numbers start anew with each."""
    if seed is None:
        return None
    start = seed + branch.id
    return (start if not branch.tokens else hash((start, len(branch.tokens)))) & (2**63 - 1)
