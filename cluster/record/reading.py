"""What a response says, in the words of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cluster.bench.client import Reply, RequestFailed
from dynasor.answers.answer import READINGS
from dynasor.answers.equal import equal
from dynasor.answers.guess import kind_of
from dynasor.answers.normalize import normalize
from dynasor.replay.recording import ROOT, Chain, Probe, Sample, Step

DIGITS = 4
"""After the point, of confidences and rewards."""

FINISHES = ("step", "stop", "length")
"""How branches end by themselves; the others were taken back."""

Branches = Sequence[dict[str, Any]]


class Told(NamedTuple):
    """A program that ran to its end, as its response tells."""

    branches: Branches
    prompt_tokens: int


def told(reply: Reply) -> Told:
    """Its branches, in the order of their numbers.

    Raises:
        RequestFailed: the program did not run to its end, a branch failed, or the response is none
            of this cluster.
    """
    try:
        program = reply.document["program"]
        branches = sorted(program["branches"], key=lambda branch: int(branch["branch"]))
        failed = sum(branch["finish"] == "error" for branch in branches)
        stop, tokens = program["stop"], int(reply.document["usage"]["prompt_tokens"])
    except (LookupError, TypeError, ValueError) as error:
        raise RequestFailed(f"unusable response: {error!r}") from None
    if stop != "complete":
        raise RequestFailed(f"the program was ended before it was complete: {stop}")
    if failed:
        raise RequestFailed(f"{failed} of the program's branches failed; the engines' log says why")
    return Told(branches, tokens)


class Reader:
    """Reads the programs of one question; equal answers get equal strings in all of them."""

    def __init__(self, gold: str) -> None:
        self._gold = gold
        self._names: dict[str, str] = {}
        self._right: dict[str, bool] = {}

    def samples(self, branches: Branches) -> tuple[Sample, ...]:
        """Independent chains, with their rewards where they were judged."""
        scores = _scores(branches)
        return tuple(
            Sample(
                **self._says(branch),
                tokens=branch["tokens"],
                confidence=_rounded(branch["confidence"]),
                reward=scores.get(branch["branch"]),
            )
            for branch in branches
            if branch["kind"] == "sample" and branch["finish"] in FINISHES
        )

    def chain(self, branches: Branches) -> Chain:
        """One long chain; its pieces are one after the other. Probes that its end cut off are left
        out."""
        pieces = [branch for branch in branches if branch["kind"] == "sample"]
        probes = [
            Probe(
                at=branch["at"],
                answer=self._says(branch)["answer"],
                tokens=branch["tokens"],
                confidence=_rounded(branch["confidence"]),
            )
            for branch in branches
            if branch["kind"] == "probe" and branch["finish"] in FINISHES
        ]
        return Chain(
            **self._says(pieces[-1] if pieces else {}),
            tokens=sum(piece["tokens"] for piece in pieces),
            probes=tuple(sorted(probes, key=lambda probe: probe.at)),
        )

    def steps(self, branches: Branches) -> tuple[Step, ...]:
        """A search tree, parents first: children have higher numbers."""
        scores = _scores(branches)
        nodes = [
            branch
            for branch in branches
            if branch["kind"] == "sample" and branch["finish"] in FINISHES
        ]
        places = {node["branch"]: place for place, node in enumerate(nodes)}
        return tuple(
            Step(
                **self._says(node),
                parent=ROOT if node["parent"] is None else places[node["parent"]],
                tokens=node["tokens"],
                reward=scores.get(node["branch"]),
                finish=node["finish"],
            )
            for node in nodes
        )

    def _says(self, branch: dict[str, Any]) -> dict[str, Any]:
        """Its answer and whether that is right."""
        text = branch.get("answer")
        if text is None:
            return {"answer": None, "correct": False}
        name = normalize(text) or self._names.setdefault(READINGS[kind_of(text)].key(text), text)
        if name not in self._right:
            self._right[name] = equal(name, self._gold)
        return {"answer": name, "correct": self._right[name]}


def _scores(branches: Branches) -> dict[int, float | None]:
    """Rewards by the branch that they are of."""
    return {
        branch["parent"]: _rounded(branch["scores"][-1])
        for branch in branches
        if branch["kind"] == "score" and branch["scores"]
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(min(1.0, max(0.0, share)), DIGITS)
