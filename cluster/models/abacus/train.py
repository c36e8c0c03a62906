"""Training of abacus from scratch: one process, on two CPU cores or a GPU.

The learning rate warms up, stays, and falls at the end ("WSD"), driven by the larger of the
shares of tokens and of time used up. A run that was cut off resumes from its checkpoint; resumed
with a smaller limit, it goes straight to its fall and ends early with a good model.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from cluster.models.abacus.data import Micro, pool_steps
from cluster.models.abacus.model import Abacus, Shape, export
from cluster.models.abacus.tokenizer import build_tokenizer
from cluster.models.training import Limits, TrainingLoop

_MATRIX_RATE = 3e-3
_OTHER_RATE = 3e-3
_REPORT_STEPS = 25


class Trainer(TrainingLoop[Micro]):
    """A model in training with its optimizers, checkpoint and export."""

    model: Abacus

    def __init__(self, seed: int, run_folder: Path, weights_folder: Path) -> None:
        super().__init__(seed, run_folder, weights_folder)
        self.tokenizer: Tokenizer = build_tokenizer(seed)
        self.model = Abacus(Shape(self.tokenizer.get_vocab_size())).to(self.device)
        self.compiled_loss = self._plain_loss
        if shutil.which("g++"):
            self.compiled_loss = torch.compile(self._plain_loss, dynamic=True)
        self.optimizers = _optimizers(self.model)
        self._begin()

    def _draw(self, pool: int) -> Iterable[list[Micro]]:
        return pool_steps(self.tokenizer, self.seed, pool)

    def _export(self, end_id: int, pad_id: int) -> None:
        export(self.model, self.weights_folder, end_id, pad_id)

    def _step(self, micros: list[Micro], limits: Limits) -> float:
        total = sum(float(micro.weights[:, 1:].sum()) for micro in micros)
        loss = 0.0
        for micro in micros:
            part = self._loss(micro.ids.to(self.device), micro.weights.to(self.device)) / total
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
        self._update(limits)
        self.progress.tokens += sum(int((micro.weights > 0).sum()) for micro in micros)
        return loss

    def _loss(self, ids: Tensor, weights: Tensor) -> Tensor:
        with torch.autocast(self.device, dtype=torch.bfloat16):
            loss: Tensor = self.compiled_loss(ids, weights)
        return loss

    def _plain_loss(self, ids: Tensor, weights: Tensor) -> Tensor:
        logits = self.model(ids[:, :-1]).float().flatten(0, 1)
        each = F.cross_entropy(logits, ids[:, 1:].flatten(), reduction="none")
        return (each * weights[:, 1:].flatten()).sum()

    def _report(self, loss: float) -> None:
        progress = self.progress
        progress.losses.append(loss)
        if progress.step % _REPORT_STEPS:
            return
        recent = progress.losses[-_REPORT_STEPS:]
        progress.losses = recent
        print(
            f"step {progress.step}  tokens {progress.tokens / 1e6:.2f} M  "
            f"loss {sum(recent) / len(recent):.4f}  {progress.seconds / 60:.1f} min  "
            f"{progress.tokens / progress.seconds:.0f} tok/s",
            flush=True,
        )


def _optimizers(model: Abacus) -> list[torch.optim.Optimizer]:
    matrices = [p for name, p in model.named_parameters() if name.endswith("_proj.weight")]
    others = [p for name, p in model.named_parameters() if not name.endswith("_proj.weight")]
    muon = torch.optim.Muon(
        [{"params": matrices, "peak": _MATRIX_RATE}],
        weight_decay=0.05,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(
        [{"params": others, "peak": _OTHER_RATE}], betas=(0.9, 0.95), weight_decay=0.0
    )
    return [muon, adam]
