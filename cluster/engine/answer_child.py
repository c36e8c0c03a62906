"""The worker process of a `cluster.engine.answers.AnswerReader`: works out keys of answers."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys

from dynasor.answers.answer import READINGS

_MEMORY_LIMIT = 2 << 30


def main(limit_s: float) -> None:
    """Answer the questions on standard input until it ends; no answer may outlast ``limit_s``."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
    # A library that prints must not end up in the replies.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    # The first parse imports and builds tables for a second: not on any answer's time.
    READINGS["math"].key("x(x+1)")
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in sys.stdin.buffer:
        question = json.loads(line)
        # Left at its default the alarm ends the process, which matters if the parent is gone.
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        key = READINGS[question["kind"]].key(question["text"])
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps({"key": key}), file=replies, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
