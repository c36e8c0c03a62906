"""A cluster that answers what is recorded, in memory."""

from __future__ import annotations

import json
from typing import Any

import httpx

GOLD = "7"


def branch(number: int, **fields: Any) -> dict[str, Any]:
    """A branch as a response tells of it."""
    plain: dict[str, Any] = {
        "branch": number, "kind": "sample", "parent": None, "at": 0, "finish": "stop",
        "tokens": 10 + number, "answer": GOLD, "confidence": None, "scores": [],
        "replica": "a", "runs": 1,
    }  # fmt: skip
    return plain | fields


def score(number: int, parent: int, reward: float) -> dict[str, Any]:
    """A rating of a branch."""
    fields = {"kind": "score", "parent": parent, "scores": [reward], "answer": None}
    return branch(number, **fields)


def samples(count: int, rewards: bool) -> list[dict[str, Any]]:
    """Chains that are right in turn, and say so in three ways."""
    said = ("7", "8", "7.0", None, r"\frac{14}{2}")
    chains = [
        branch(number, answer=said[number % len(said)], confidence=0.912345)
        for number in range(count)
    ]
    judged = [score(count + number, number, 0.25) for number in range(count)] if rewards else []
    # As they end, not as they were begun.
    return [*reversed(judged), *reversed(chains)]


CHAIN = [
    branch(0, finish="step", tokens=50, answer=None),
    branch(1, kind="probe", parent=0, at=20, tokens=3, answer="8", confidence=0.5),
    branch(2, kind="probe", parent=0, at=40, tokens=3, confidence=1.0),
    branch(3, kind="probe", parent=0, at=48, tokens=1, answer=None, finish="stopped"),
    branch(4, parent=0, at=50, tokens=6),
]

TREE = [
    branch(0, finish="step", tokens=9, answer=None),
    branch(1, finish="length", tokens=256, answer=None),
    score(2, 0, 0.9),
    branch(3, parent=0, at=9, tokens=5),
    score(4, 3, 0.99999),
    branch(5, parent=0, at=9, tokens=5, finish="stopped", answer=None),
]


class Cluster:
    """Attributes:
    bodies: what it was asked.
    scorers: replicas of a reward model.
    fails_after: requests that it answers before it fails; None: it never does.
    stop: why its programs end.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.scorers = 1
        self.fails_after: int | None = None
        self.stop = "complete"

    @property
    def algorithms(self) -> list[str]:
        """The programs that it was asked for."""
        return [body["program"]["algorithm"] for body in self.bodies]

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "abacus"}]})
        if request.url.path == "/health":
            return httpx.Response(200, json={"status": "ok", "scorers": self.scorers})
        self.bodies.append(json.loads(request.content))
        if self.fails_after is not None and len(self.bodies) > self.fails_after:
            return httpx.Response(503, json={"error": {"message": "no engine replica"}})
        told = {"branches": self._branches(self.bodies[-1]["program"]), "stop": self.stop}
        return httpx.Response(200, json={"program": told, "usage": {"prompt_tokens": 33}})

    def _branches(self, program: dict[str, Any]) -> list[dict[str, Any]]:
        match program["algorithm"]:
            case "chain_of_thought":
                return CHAIN
            case "rebase" | "beam_search":
                return TREE
            case algorithm:
                return samples(program["max_branches"], rewards=algorithm == "best_of_n")
