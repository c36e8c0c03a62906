"""Abacus' network, deeper and with a score in place of words, and its export."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from cluster.models.abacus.model import Abacus, Shape
from cluster.models.abacus.model import export as export_abacus

EXTRA_LAYERS = 3
"""On top of abacus': fetch what was expected of a token, compare, and gather along the pass."""


class Readings(NamedTuple):
    """What the network says after each token, as logits.

    Attributes:
        scores: that the value or answer is right; (batch, time). The only ones exported.
        sounds: that the line is exact so far; (batch, time), read below the last layer.
        words: the next token of an exact line; (batch, time, vocab), below the extra layers.
        exact: what an exact line would have in place of this token; (batch, time, vocab), above
            the first extra layer.
    """

    scores: Tensor
    sounds: Tensor
    words: Tensor
    exact: Tensor


class AbacusPrm(nn.Module):
    """Scores every prefix of a token sequence."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.trunk = Abacus(shape)
        self.score = nn.Linear(shape.hidden, 1, bias=False)
        self.sound = _head(shape.hidden, 1)
        self.exact = _head(shape.hidden, shape.vocab)
        nn.init.normal_(self.score.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of the scores (batch, time) for token ids (batch, time)."""
        return self.read(tokens).scores

    def read(self, tokens: Tensor) -> Readings:
        """Return all readings for token ids (batch, time)."""
        trunk = self.trunk
        cos, sin = trunk.cos[: tokens.shape[1]], trunk.sin[: tokens.shape[1]]
        x = trunk.embed_tokens(tokens)
        for layer in trunk.layers[:-EXTRA_LAYERS]:
            x = layer(x, cos, sin)
        words = F.linear(trunk.norm(x), trunk.embed_tokens.weight)
        fetch, compare, gather = trunk.layers[-EXTRA_LAYERS:]
        x = fetch(x, cos, sin)
        exact = self.exact(x)
        x = compare(x, cos, sin)
        sounds = self.sound(x).squeeze(-1)
        x = gather(x, cos, sin)
        return Readings(self.score(trunk.norm(x)).squeeze(-1), sounds, words, exact)


def load(folder: Path) -> AbacusPrm:
    """Return the scorer that `export` wrote to ``folder``, in float32; its other heads are new."""
    config = json.loads((folder / "config.json").read_text())
    shape = Shape(
        vocab=config["vocab_size"],
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        ffn=config["intermediate_size"],
    )
    model = AbacusPrm(shape)
    tensors = read_tensors(folder)
    model.score.load_state_dict({"weight": tensors.pop("score.weight")})
    model.trunk.load_state_dict(tensors)
    return model


def export(model: AbacusPrm, folder: Path, end_id: int, pad_id: int) -> None:
    """Write model.safetensors (bfloat16) and config.json to ``folder``.

    The format is that of a Hugging Face sequence classifier with one label. The safetensors file
    is replaced in one move, so a server never reads half a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        export_abacus(model.trunk, Path(scratch), end_id, pad_id)
        tensors = load_file(Path(scratch) / "model.safetensors")
        config = json.loads((Path(scratch) / "config.json").read_text())
    tensors["score.weight"] = model.score.weight.detach().to("cpu", torch.bfloat16)
    unfinished = folder / "model.safetensors.part"
    save_file(tensors, unfinished, metadata={"format": "pt"})
    unfinished.chmod(0o644)
    unfinished.replace(folder / "model.safetensors")
    config |= {
        "architectures": ["LlamaForSequenceClassification"],
        "num_labels": 1,
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
        "tie_word_embeddings": False,
        "use_cache": False,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Return the tensors in ``folder`` in float32, by the names that `Abacus` has for them."""
    tensors = load_file(folder / "model.safetensors")
    return {_plain_name(name): tensor.float() for name, tensor in tensors.items()}


def _plain_name(name: str) -> str:
    return name.removeprefix("model.").replace("self_attn.", "").replace("mlp.", "")


def _head(hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.RMSNorm(hidden), nn.Linear(hidden, outputs))
