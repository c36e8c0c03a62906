"""A server that plays a recorded program to `dynasor ask`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

PROGRAM = {
    "algorithm": "self_consistency",
    "policy": "threshold",
    "answer": "39",
    "certaindex": 0.5,
    "votes": [{"answer": "39", "count": 3}, {"answer": "41", "count": 1}],
    "abstained": 1,
    "branches": [
        {
            "branch": branch, "kind": "sample", "finish": finish, "tokens": 100 + branch,
            "answer": answer, "replica": "a", "runs": 1,
        }
        for branch, finish, answer in [
            (0, "stop", "39"), (1, "stop", "39"), (2, "stop", "41"), (3, "stop", "39"),
            (4, "length", None),
        ]
    ]
    + [
        {
            "branch": 5, "kind": "sample", "finish": None, "tokens": 0, "answer": None,
            "replica": None, "runs": 0,
        }
    ],
    "tokens": {
        "prompt": 32, "kept": 400, "discarded": 104, "probe": 6, "score": 0, "cached": 96,
        "generated": 510, "spent": 510,
    },
    "stop": "certain",
    "elapsed_s": 1.25,
}  # fmt: skip


def chunk(delta: dict[str, Any], finish: str | None = None, **extra: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice], **extra})}\n\n"


def progress(states: list[tuple[str, int, str | None]], certaindex: float = 0.0) -> dict[str, Any]:
    answers = [answer for _, _, answer in states if answer is not None]
    return {
        "certaindex": certaindex,
        "votes": [
            {"answer": answer, "count": answers.count(answer)} for answer in dict.fromkeys(answers)
        ],
        "abstained": 0,
        "branches": [
            {"branch": number, "kind": "sample", "state": state, "tokens": tokens, "answer": answer}
            for number, (state, tokens, answer) in enumerate(states)
        ],
        "generated": sum(tokens for _, tokens, _ in states),
        "elapsed_s": 0.5,
    }


RUNNING = progress([("running", 40, None), ("waiting", 0, None)])
ONE_ENDED = progress([("stop", 100, "39"), ("running", 70, None)])

STREAM = [
    chunk({"role": "assistant", "content": ""}),
    ": keep-alive\n\n",
    chunk({}, program=RUNNING),
    chunk({}, program=ONE_ENDED),
    chunk({"reasoning": "12 * 3 = 36\n\x1b[31m36 + 3 = 39"}),
    chunk({"content": "The answer "}),
    chunk({"content": "is 39."}),
    chunk({}, "stop", program=PROGRAM),
    "data: [DONE]\n\n",
]


@dataclass
class FakeServer:
    """What to answer, and what was asked."""

    url: str = ""
    status: int = 200
    body: list[str] = field(default_factory=lambda: list(STREAM))
    cluster: Any = None
    hold: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)


def _handler(state: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/v1/cluster":
                self._send(state.status, [json.dumps(state.cluster)])
                return
            self._send(200, ['{"data": [{"id": "abacus"}, {"id": "other"}]}'])

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            state.asked.append(json.loads(self.rfile.read(length)))
            self._send(state.status, state.body)
            if state.hold and self.connection.recv(1) == b"":
                state.left.set()

        def _send(self, status: int, parts: list[str]) -> None:
            self.send_response(status)
            self.end_headers()
            for part in parts:
                self.wfile.write(part.encode())

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def server() -> Iterator[FakeServer]:
    state = FakeServer()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    httpd.daemon_threads = True
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def stream() -> Callable[[], list[str]]:
    """Lines of the recorded stream."""
    return lambda: "".join(STREAM).splitlines()


@pytest.fixture
def program() -> dict[str, Any]:
    return json.loads(json.dumps(PROGRAM))
