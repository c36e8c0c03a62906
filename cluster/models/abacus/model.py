"""The Llama network in plain torch, and its export to the Hugging Face format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from cluster.models.abacus.tokenizer import MAX_POSITIONS


@dataclass(frozen=True)
class Shape:
    """Sizes of the network; the defaults are what ships."""

    vocab: int
    hidden: int = 192
    layers: int = 6
    heads: int = 6
    kv_heads: int = 3
    head_dim: int = 32
    ffn: int = 512
    positions: int = MAX_POSITIONS
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5


class Block(nn.Module):
    """One decoder layer; parameter names are Llama's without ``self_attn.`` and ``mlp.``."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        query, key = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.input_layernorm = nn.RMSNorm(shape.hidden, eps=shape.norm_eps)
        self.q_proj = nn.Linear(shape.hidden, query, bias=False)
        self.k_proj = nn.Linear(shape.hidden, key, bias=False)
        self.v_proj = nn.Linear(shape.hidden, key, bias=False)
        self.o_proj = nn.Linear(query, shape.hidden, bias=False)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, eps=shape.norm_eps)
        self.gate_proj = nn.Linear(shape.hidden, shape.ffn, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.ffn, bias=False)
        self.down_proj = nn.Linear(shape.ffn, shape.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Map (batch, time, hidden) to the same shape; ``cos``, ``sin``: (time, head_dim)."""
        x = x + self._attend(self.input_layernorm(x), cos, sin)
        y = self.post_attention_layernorm(x)
        fed: Tensor = self.down_proj(F.silu(self.gate_proj(y)) * self.up_proj(y))
        return x + fed

    def _attend(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, time, _ = x.shape
        groups = self.shape.heads // self.shape.kv_heads

        def split(y: Tensor) -> Tensor:
            return y.view(batch, time, -1, self.shape.head_dim).transpose(1, 2)

        query = _rotate(split(self.q_proj(x)), cos, sin)
        key = _rotate(split(self.k_proj(x)), cos, sin).repeat_interleave(groups, dim=1)
        value = split(self.v_proj(x)).repeat_interleave(groups, dim=1)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        attended: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, time, -1))
        return attended


class Abacus(nn.Module):
    """A causal language model with tied input and output embeddings."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.hidden, eps=shape.norm_eps)
        frequency = shape.rope_theta ** (-torch.arange(0, shape.head_dim, 2) / shape.head_dim)
        angle = torch.outer(torch.arange(shape.positions), frequency).repeat(1, 2)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        self._initialize()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (batch, time, vocab) for token ids (batch, time)."""
        time = tokens.shape[1]
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x, self.cos[:time], self.sin[:time])
        return F.linear(self.norm(x), self.embed_tokens.weight)

    def _initialize(self) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.normal_(parameter, std=0.02 / (2 * self.shape.layers) ** 0.5)
            elif parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)


def export(model: Abacus, folder: Path, end_id: int, pad_id: int) -> None:
    """Write model.safetensors (bfloat16), config.json and generation_config.json to ``folder``.

    The safetensors file is replaced in one move, so a server never reads half a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        _llama_name(name): parameter.detach().to("cpu", torch.bfloat16).contiguous()
        for name, parameter in model.named_parameters()
    }
    unfinished = folder / "model.safetensors.part"
    save_file(tensors, unfinished, metadata={"format": "pt"})
    unfinished.chmod(0o644)
    unfinished.replace(folder / "model.safetensors")
    ends: dict[str, object] = {"eos_token_id": end_id, "pad_token_id": pad_id}
    _write_json(folder / "config.json", _llama_config(model.shape) | ends)
    sampling: dict[str, object] = {"do_sample": True, "temperature": 1.0, "top_p": 1.0, "top_k": 0}
    _write_json(folder / "generation_config.json", sampling | ends)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    low, high = x.chunk(2, dim=-1)
    return (x * cos + torch.cat((-high, low), dim=-1) * sin).to(x.dtype)


def _llama_name(name: str) -> str:
    words = name.split(".")
    if words[-2] in ("q_proj", "k_proj", "v_proj", "o_proj"):
        words.insert(-2, "self_attn")
    elif words[-2] in ("gate_proj", "up_proj", "down_proj"):
        words.insert(-2, "mlp")
    return ".".join(["model", *words])


def _llama_config(shape: Shape) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "dtype": "bfloat16",
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.ffn,
        "max_position_embeddings": shape.positions,
        "mlp_bias": False,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "rms_norm_eps": shape.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": shape.vocab,
    }


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
