"""Where training starts: abacus' weights, and extra layers that look at the tokens just before.

A line is judged by comparing each token with what abacus expected there one token earlier. Random
layers take very long to find that out: fetching an expectation is of no use before it is compared,
and the reverse. Hence the attention of the extra layers starts out fixed on near distances.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cluster.models.abacus.model import Shape
from cluster.models.abacus_prm.model import EXTRA_LAYERS, AbacusPrm, read_tensors

# Like abacus' own: next to its large activations, usual small ones would not be heard.
_EXTRA_SIZE = 0.1

# By extra layer and head, how many tokens back it looks; None: anywhere, at random.
_DISTANCES = ((1, 1, 1, 2, 1, 0), (1, 2, 3, 4, None, None), (1, 2, None, None, None, None))

_SHARPNESS = 25.0
_SHARES = (0.5, 0.25, 0.15, 0.1)
"""Of the sharpness, by rotary frequency from the highest down; together they meet only once."""

_RIDGE = 1e-3


def from_abacus(folder: Path, samples: Sequence[Tensor]) -> AbacusPrm:
    """Return an untrained scorer on the weights of the abacus in ``folder``.

    Args:
        samples: some token sequences, 1-D, like those of training.
    """
    config = json.loads((folder / "config.json").read_text())
    shape = Shape(vocab=config["vocab_size"], layers=config["num_hidden_layers"] + EXTRA_LAYERS)
    model = AbacusPrm(shape)
    model.trunk.load_state_dict(read_tensors(folder), strict=False)
    extra = model.trunk.layers[-EXTRA_LAYERS:]
    for name, parameter in extra.named_parameters():
        if name.endswith("_proj.weight"):
            nn.init.normal_(parameter, std=_EXTRA_SIZE)
    constant = _constant_direction(model, samples)
    for layer, distances in zip(extra, _DISTANCES, strict=True):
        for head, distance in enumerate(distances):
            if distance is not None:
                _look_back(layer, shape, head, distance, constant)
    return model


@torch.no_grad()
def _constant_direction(model: AbacusPrm, samples: Sequence[Tensor]) -> Tensor:
    """Return a direction in which abacus' normed output is nearly 1 at every token."""
    trunk = model.trunk
    outputs = []
    for ids in samples:
        x = trunk.embed_tokens(ids[None])
        for layer in trunk.layers[:-EXTRA_LAYERS]:
            x = layer(x, trunk.cos[: len(ids)], trunk.sin[: len(ids)])
        outputs.append(F.rms_norm(x[0], x.shape[-1:]))
    x = torch.cat(outputs)
    moment = x.T @ x / len(x) + _RIDGE * torch.eye(x.shape[1])
    direction: Tensor = torch.linalg.solve(moment, x.mean(0))
    return direction


@torch.no_grad()
def _look_back(layer: nn.Module, shape: Shape, head: int, distance: int, constant: Tensor) -> None:
    """Make a head attend to the token ``distance`` back, whatever stands there.

    Query and key are the same for all tokens, by the constant direction, so that only the
    rotation of the positions tells them apart; the query is turned by ``distance`` beforehand.
    """
    width, half = shape.head_dim, shape.head_dim // 2
    turn = -distance * shape.rope_theta ** (-torch.arange(half) / half)
    size = torch.zeros(half)
    size[: len(_SHARES)] = (torch.tensor(_SHARES) * _SHARPNESS * width**0.5).sqrt()
    query = torch.cat((size * turn.cos(), size * turn.sin()))
    key = torch.cat((size, torch.zeros(half)))
    group = head * shape.kv_heads // shape.heads
    q_proj, k_proj = layer.get_parameter("q_proj.weight"), layer.get_parameter("k_proj.weight")
    q_proj[head * width : (head + 1) * width] = torch.outer(query, constant)
    k_proj[group * width : (group + 1) * width] = torch.outer(key, constant)
