"""How a work item becomes a branch: what it goes on from, and how long it may get."""

from __future__ import annotations

from collections.abc import Mapping

from dynasor.branch import Branch
from dynasor.inputs import Submit
from dynasor.work import Generate, Score


def begin(item: Generate | Score, branches: Mapping[int, Branch], submitted: Submit) -> Branch:
    """The branch for ``item``, before it runs.

    Raises:
        ValueError: it shares more tokens of its parent than there are.
        KeyError: there is no such parent or target.
    """
    if isinstance(item, Score):
        target = branches[item.target]
        return Branch(item, (*target.prefix, *target.tokens), limit=0)
    return _generate(item, branches, submitted)


def _generate(item: Generate, branches: Mapping[int, Branch], submitted: Submit) -> Branch:
    most = submitted.query.sampling.max_tokens
    if item.parent is None and not item.inject and not item.reserve:
        return Branch(item, limit=_least(item.max_tokens, most))
    inherited: tuple[int, ...] = ()
    after, boundary = None, 0
    if item.parent is not None:
        parent = branches[item.parent]
        at = len(parent.tokens) if item.at is None else item.at
        if at > len(parent.tokens):
            raise ValueError(f"branch {item.branch} shares {at} tokens of {len(parent.tokens)}")
        inherited = (*parent.prefix, *parent.tokens[:at])
        after = (parent.id, len(parent.tokens)) if item.show else None
        boundary = max(0, at - parent.kept)
    injected = submitted.injections[item.inject] if item.inject else ()
    reserve = _reserve(item, submitted)
    prefix = (*inherited, *injected)
    if most is not None and item.kind != "probe":
        # A chain's limit is that of all its pieces; a probe is a chain of its own.
        most = max(0, most - len(prefix) - reserve)
    return Branch(
        item=item,
        prefix=prefix,
        injected=len(injected),
        unseen=boundary + len(injected),
        limit=_least(item.max_tokens, most),
        reserve=reserve,
        after=after,
    )


def _reserve(item: Generate, submitted: Submit) -> int:
    if not item.reserve:
        return 0
    reserve = item.reserve + max(map(len, submitted.injections.values()))
    most = submitted.query.sampling.max_tokens
    return reserve if most is None else min(reserve, most // 2)


def _least(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)
