"""What the whole end-to-end session leaves behind; runs last."""

from __future__ import annotations

from pathlib import Path

import yaml

from cluster.settings import ControllerSettings
from dynasor.journal import replay
from tests.cluster.e2e.conftest import Application


def test_the_sessions_event_log_replays_to_the_same_decisions(application: Application) -> None:
    config = yaml.safe_load(Path(application.home / "config.yaml").read_text())
    settings = ControllerSettings(**config["applications"][0]["args"]["controller"])
    replayed = []
    for log in application.event_log.glob("*.jsonl"):
        # A controller that was killed may have left half a line.
        lines = [line for line in log.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]
        replayed.append(replay(lines, settings))
    assert max(replayed) > 100


def test_refused_requests_left_no_stack_trace(application: Application) -> None:
    log = application.log()
    for word in ("ValidationError", "InvalidField", "JSONDecodeError", "RequestValidationError"):
        assert word not in log
