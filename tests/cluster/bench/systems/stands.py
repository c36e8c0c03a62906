"""Questions and a server in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from cluster.workload.workload import Workload

VOTE = {"algorithm": "self_consistency", "max_branches": 4}


def write_questions(path: Path, count: int = 8) -> Path:
    """Questions 'ask n', whose right answer is n."""
    lines = []
    for n in range(count):
        sample = {"answer": str(n), "tokens": 10 + n, "correct": True}
        question = {"id": f"q{n}", "prompt": f"ask {n}", "gold": str(n), "level": 2}
        lines.append(json.dumps({**question, "samples": [sample]}))
    path.write_text("\n".join(lines))
    return path


def workload(path: Path, **more: Any) -> Workload:
    document = {
        "questions": str(write_questions(path / "questions.jsonl")),
        "arrivals": {"process": "poisson", "rate": 200.0},
        "queries": 8,
        "kinds": [{"name": "vote", "system": "Be brief.", "program": VOTE}],
        **more,
    }
    return Workload.model_validate(document)


def asked_number(body: dict[str, Any]) -> int:
    """Which question a chat request puts."""
    return int(body["messages"][-1]["content"].removeprefix("ask "))


def completions(texts: list[str], finish: str = "stop", tokens: int = 40) -> dict[str, Any]:
    choices = [{"message": {"content": text}, "finish_reason": finish} for text in texts]
    return {"choices": choices, "usage": {"completion_tokens": tokens}}


def program(answer: str | None, tokens: int = 30) -> dict[str, Any]:
    said = {"answer": answer, "tokens": {"spent": tokens}, "stop": "certain", "branches": [{}] * 4}
    return {"choices": [], "usage": {}, "program": said}


class Server:
    """Answers each chat request by a function, and keeps what it was asked.

    Attributes:
        busy: looks at its status that still find a program in progress.
    """

    def __init__(self, answer: Callable[[dict[str, Any]], httpx.Response | dict[str, Any]]) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.busy = 0
        self._answer = answer

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "abacus"}]})
        if request.url.path == "/health":
            self.busy -= self.busy > 0
            return httpx.Response(200, json={"programs": self.busy, "runs": 0})
        self.bodies.append(json.loads(request.content))
        answer = self._answer(self.bodies[-1])
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)
