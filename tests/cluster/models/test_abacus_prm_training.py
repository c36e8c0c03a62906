"""Abacus-prm's network, its start and training, and what the shipped weights can do."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tokenizers import Tokenizer  # noqa: E402

from cluster.models import abacus, training  # noqa: E402
from cluster.models.abacus.model import Shape  # noqa: E402
from cluster.models.abacus.problems import TRAINED_LEVELS, make_problem  # noqa: E402
from cluster.models.abacus.reasoner import CLOSING, chain_lines, think  # noqa: E402
from cluster.models.abacus.tokenizer import END  # noqa: E402
from cluster.models.abacus_prm import data, train, weights_path  # noqa: E402
from cluster.models.abacus_prm.mistakes import Document, make_document  # noqa: E402
from cluster.models.abacus_prm.model import EXTRA_LAYERS, AbacusPrm, export, load  # noqa: E402
from cluster.models.abacus_prm.report import auc  # noqa: E402
from cluster.models.abacus_prm.start import from_abacus  # noqa: E402


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


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(weights_path() / "tokenizer.json"))


def tiny() -> AbacusPrm:
    torch.manual_seed(1)
    shape = Shape(vocab=40, hidden=32, layers=4, heads=4, kv_heads=2, head_dim=8, ffn=48)
    model = AbacusPrm(shape)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
        # Exported in bfloat16, so that the comparison needs values that survive it.
        parameter.data = parameter.data.bfloat16().float()
    return model


def test_an_export_is_read_back_as_it_was(tmp_path: Path) -> None:
    model = tiny()
    export(model, tmp_path, end_id=1, pad_id=0)
    tokens = torch.randint(0, 40, (2, 17))
    with torch.no_grad():
        assert torch.equal(load(tmp_path)(tokens), model(tokens))


def test_transformers_computes_the_same_score(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = tiny()
    export(model, tmp_path, end_id=1, pad_id=0)
    llama = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path, dtype=torch.float32
    )
    tokens = torch.randint(2, 40, (3, 17))
    with torch.no_grad():
        torch.testing.assert_close(
            llama(tokens).logits[:, 0], model(tokens)[:, -1], rtol=1e-4, atol=1e-4
        )


def test_shipped_weights_are_small() -> None:
    assert (weights_path() / "model.safetensors").stat().st_size <= 10e6
    model = load(weights_path())
    exported = [*model.trunk.parameters(), *model.score.parameters()]
    assert sum(parameter.numel() for parameter in exported) <= 5e6


def test_shipped_weights_tell_right_lines_and_chains_from_wrong_ones(
    tokenizer: Tokenizer,
) -> None:
    rng = random.Random(20_002)
    documents = []
    for level in TRAINED_LEVELS:
        for number in range(10):
            problem = make_problem(level, rng)
            passes = think(problem, number == 0, rng)
            thought = "".join(f"{line}\n" for line in chain_lines(problem, passes))
            answer = f"{CLOSING}{passes[-1].result}}}{END}"
            documents.append(Document(problem, None, thought + answer))
    model = load(weights_path())
    newline = tokenizer.token_to_id("Ċ")
    lines: list[tuple[float, bool]] = []
    ends: list[tuple[float, bool]] = []
    for row in data.encode(tokenizer, documents):
        with torch.no_grad():
            scores = model(torch.tensor([row.ids]))[0].tolist()
        ends.append((scores[-1], row.scores[-1] > 0))
        for id_, score, weight in zip(row.ids, scores, row.scores, strict=True):
            if id_ == newline and abs(weight) == 1:
                lines.append((score, weight > 0))
    assert auc(*map(list, zip(*lines, strict=True))) > 0.9
    assert auc(*map(list, zip(*ends, strict=True))) > 0.9


def test_extra_layers_start_by_looking_at_the_token_before(tokenizer: Tokenizer) -> None:
    rng = random.Random(1)
    rows = data.encode(tokenizer, [make_document(rng) for _ in range(8)])
    torch.manual_seed(1)
    model = from_abacus(abacus.weights_path(), [torch.tensor(row.ids) for row in rows])
    ids = max((row.ids for row in rows), key=len)
    place = len(ids) // 2
    trunk = model.trunk
    cos, sin = trunk.cos[: len(ids)], trunk.sin[: len(ids)]
    fetch: Any = trunk.layers[-EXTRA_LAYERS]
    with torch.no_grad():
        x = trunk.embed_tokens(torch.tensor([ids]))
        for layer in trunk.layers[:-EXTRA_LAYERS]:
            x = layer(x, cos, sin)
        other = x.clone()
        other[0, place] = x[0, 5]
        fetched, changed = (
            fetch._attend(fetch.input_layernorm(each), cos, sin)[0] for each in (x, other)
        )
        change = (fetched - changed).norm(dim=-1)
    assert change.argmax() == place + 1
    assert change[place : place + 3].sum() > 0.5 * change.sum()


def test_batches_depend_on_seed_and_pool_only(tokenizer: Tokenizer) -> None:
    first, again, other = (list(data.pool_steps(tokenizer, 1, pool)) for pool in (5, 5, 6))
    for a, b in zip(first[0], again[0], strict=True):
        assert torch.equal(a.ids, b.ids) and torch.equal(a.scores, b.scores)
        assert torch.equal(a.sounds, b.sounds) and torch.equal(a.exact, b.exact)
    assert not all(
        a.ids.shape == b.ids.shape and torch.equal(a.ids, b.ids)
        for a, b in zip(first[0], other[0], strict=True)
    )


def test_every_id_has_its_lessons_and_padding_none(tokenizer: Tokenizer) -> None:
    for step in data.pool_steps(tokenizer, 1, 5):
        for micro in step:
            assert micro.ids.numel() <= 800
            padding = micro.ids == 0
            assert not micro.scores[padding].any() and not micro.sounds[padding].any()
            assert (micro.exact[padding] == data.NO_ID).all()
            known = micro.exact != data.NO_ID
            assert (micro.sounds[known & (micro.ids == micro.exact)] > 0).all()
            assert (micro.sounds[known & (micro.ids != micro.exact)] < 0).all()


def test_a_run_resumes_where_it_was_cut_off(tmp_path: Path) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights"
    first = train.Trainer(1, run, weights)
    first.run(training.Limits(tokens=3000, minutes=5))
    config = json.loads((weights / "config.json").read_text())
    assert config["num_hidden_layers"] == len(first.model.trunk.layers)
    resumed = train.Trainer(1, run, weights)
    assert resumed.progress == first.progress
    before = resumed.progress.tokens
    assert before >= 3000
    resumed.run(training.Limits(tokens=before + 1, minutes=5))
    assert resumed.progress.step == first.progress.step + 1


def test_every_weight_is_trained_by_one_optimizer() -> None:
    model = tiny()
    trained = [
        id(parameter)
        for optimizer in train._optimizers(model)
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]
    assert sorted(trained) == sorted(id(parameter) for parameter in model.parameters())
