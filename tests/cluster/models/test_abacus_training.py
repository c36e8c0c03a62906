"""Abacus's training: batches, the network against transformers' Llama, resuming."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from cluster.models import training  # noqa: E402
from cluster.models.abacus import data, train  # noqa: E402
from cluster.models.abacus.model import Abacus, Shape, export  # noqa: E402
from cluster.models.abacus.reasoner import PROBE  # noqa: E402
from cluster.models.abacus.tokenizer import build_tokenizer  # noqa: E402


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(data, "POOL_DOCUMENTS", 48)
    monkeypatch.setattr(data, "MICRO_TOKENS", 800)
    # Compiling would take longer than all the steps of these tests.
    monkeypatch.setattr("shutil.which", lambda _: None)
    # Threads waiting for each other on busy cores take ten times as long as one alone.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_batches_depend_on_seed_and_pool_only() -> None:
    tokenizer = build_tokenizer(seed=1)
    first, again, other = (list(data.pool_steps(tokenizer, 1, pool)) for pool in (0, 0, 1))
    assert all(torch.equal(a.ids, b.ids) for a, b in zip(first[0], again[0], strict=True))
    assert not all(
        a.ids.shape == b.ids.shape and torch.equal(a.ids, b.ids)
        for a, b in zip(first[0], other[0], strict=True)
    )


def test_probes_and_padding_have_no_weight() -> None:
    tokenizer = build_tokenizer(seed=1)
    probe = tokenizer.encode(PROBE).ids
    found = 0
    for step in data.pool_steps(tokenizer, 1, 0):
        for micro in step:
            assert micro.ids.shape == micro.weights.shape
            assert micro.ids.numel() <= 800
            assert not micro.weights[micro.ids == 0].any()
            for ids, weights in zip(micro.ids.tolist(), micro.weights, strict=True):
                if probe[0] in ids:
                    at = ids.index(probe[0])
                    assert ids[at : at + len(probe)] == probe
                    assert not weights[at : at + len(probe)].any()
                    assert weights[at + len(probe)] == 1
                    found += 1
    assert found


def test_transformers_computes_the_same_logits(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    model = Abacus(Shape(vocab=40, hidden=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=48))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
        # Exported in bfloat16, so that the comparison needs values that survive it.
        parameter.data = parameter.data.bfloat16().float()
    export(model, tmp_path, end_id=1, pad_id=0)
    llama = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    tokens = torch.randint(0, 40, (2, 17))
    with torch.no_grad():
        torch.testing.assert_close(llama(tokens).logits, model(tokens), rtol=1e-4, atol=1e-4)


def test_a_run_resumes_where_it_was_cut_off(tmp_path: Path) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights"
    first = train.Trainer(1, run, weights)
    first.run(training.Limits(tokens=4000, minutes=5))
    config = json.loads((weights / "config.json").read_text())
    assert config["vocab_size"] == first.tokenizer.get_vocab_size()
    resumed = train.Trainer(1, run, weights)
    assert resumed.progress == first.progress
    before = resumed.progress.tokens
    assert before >= 4000
    resumed.run(training.Limits(tokens=before + 1, minutes=5))
    assert resumed.progress.step == first.progress.step + 1


def test_the_rate_falls_with_the_larger_share() -> None:
    limits = training.Limits(tokens=1000, minutes=10)
    assert limits.share(training.Progress(tokens=300, seconds=60)) == 0.3
    assert limits.share(training.Progress(tokens=300, seconds=480)) == 0.8
    factors = [training.rate_factor(10_000, share) for share in (0.0, 0.5, 0.75, 0.875, 1.0, 1.1)]
    assert factors == [1, 1, 1, 0.5, 0, 0]
    assert training.rate_factor(0, 0.0) < 0.1
