"""`dynasor record` on real engines."""

from __future__ import annotations

from pathlib import Path

from cluster.cli import main
from cluster.workload.files import read_recording
from dynasor.replay.recording import ROOT
from tests.cluster.e2e.conftest import Application


def test_a_small_recording(application: Application, tmp_path: Path) -> None:
    out = tmp_path / "small.jsonl.gz"
    small = ["--levels", "1,4", "--problems", "1", "--samples", "4", "--chains", "2"]
    asked = ["--url", application.url, "--out", str(out), *small, "--width", "4"]
    assert main(["record", *asked]) == 0
    easy, harder = read_recording(out)
    assert (easy.level, harder.level) == (1, 4) and easy.prompt_tokens < harder.prompt_tokens
    for question in (easy, harder):
        assert len(question.samples) == 4 and question.model == "abacus"
        for sample in question.samples:
            assert sample.tokens > 5 and sample.correct == (sample.answer == question.gold)
            assert sample.confidence is not None and sample.reward is not None
        probes = [probe for chain in question.chains for probe in chain.probes]
        assert all(chain.answer is not None for chain in question.chains)
        assert probes, "it checks itself at least once"
        assert all(probe.confidence is not None for probe in probes)
        assert sum(step.parent == ROOT for step in question.steps) == 4
        assert any(step.finish == "stop" and step.answer is not None for step in question.steps)
