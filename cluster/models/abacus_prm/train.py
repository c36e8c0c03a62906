"""Training of abacus-prm from abacus' weights: one process, on two CPU cores or a GPU.

The rates, checkpoints and limits work as in the training of abacus.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from cluster.models import abacus
from cluster.models.abacus.tokenizer import PAD, mark_id
from cluster.models.abacus_prm.data import Micro, encode, pool_steps
from cluster.models.abacus_prm.mistakes import make_document
from cluster.models.abacus_prm.model import EXTRA_LAYERS, AbacusPrm, export
from cluster.models.abacus_prm.report import auc
from cluster.models.abacus_prm.start import from_abacus
from cluster.models.training import Limits, TrainingLoop

_NEW_RATE = 3e-3
_OLD_RATE = 6e-4
"""Of abacus' own layers, which know their arithmetic."""

_MATRICES = ("_proj.weight", "exact.1.weight")
_SOUND_SHARE = 0.3
_WORD_SHARE = 0.1
_EXACT_SHARE = 0.3
_EXACT_SAME = 0.1
_EXACT_OTHER = 2.0
_START_SAMPLES = 64
_REPORT_STEPS = 25


class Trainer(TrainingLoop[Micro]):
    """A scorer in training with its optimizers, checkpoint and export."""

    model: AbacusPrm

    def __init__(self, seed: int, run_folder: Path, weights_folder: Path) -> None:
        super().__init__(seed, run_folder, weights_folder)
        base = abacus.weights_path()
        self.tokenizer: Tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        self.model = from_abacus(base, self._samples()).to(self.device)
        self.compiled_losses = self._plain_losses
        if shutil.which("g++"):
            self.compiled_losses = torch.compile(self._plain_losses, dynamic=True)
        self.optimizers = _optimizers(self.model)
        self._judged: list[tuple[Tensor, Tensor]] = []
        self._begin()

    def _samples(self) -> list[Tensor]:
        rng = random.Random(f"abacus-prm:{self.seed}")
        documents = [make_document(rng) for _ in range(_START_SAMPLES)]
        return [torch.tensor(row.ids) for row in encode(self.tokenizer, documents)]

    def _draw(self, pool: int) -> Iterable[list[Micro]]:
        return pool_steps(self.tokenizer, self.seed, pool)

    def _export(self, end_id: int, pad_id: int) -> None:
        export(self.model, self.weights_folder, end_id, pad_id)

    def _step(self, micros: list[Micro], limits: Limits) -> float:
        """Make one step of the optimizers and return the loss of the scores alone."""
        total = sum(float(micro.scores.abs().sum()) for micro in micros)
        loss = 0.0
        for micro in micros:
            judging, helping, scores = self._losses(micro)
            ((judging + helping) / total).backward()  # type: ignore[no-untyped-call]
            loss += judging.item() / total
            whole = micro.scores.abs() == 1
            self._judged.append((scores.detach().cpu()[whole], micro.scores[whole] > 0))
        self._update(limits)
        pad_id = mark_id(self.tokenizer, PAD)
        self.progress.tokens += sum(int((micro.ids != pad_id).sum()) for micro in micros)
        return loss

    def _losses(self, micro: Micro) -> tuple[Tensor, Tensor, Tensor]:
        parts = (micro.ids, micro.scores, micro.sounds, micro.exact)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            losses: tuple[Tensor, Tensor, Tensor] = self.compiled_losses(
                *(part.to(self.device) for part in parts)
            )
        return losses

    def _plain_losses(
        self, ids: Tensor, rights: Tensor, sounds: Tensor, exact: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss of the scores, that of all else, and the scores; see `Micro`."""
        read = self.model.read(ids)
        scores = read.scores.float()
        words = _entropies(read.words[:, :-1], exact[:, 1:]).sum()
        weights = torch.where(ids == exact, _EXACT_SAME, _EXACT_OTHER).flatten()
        replaced = (_entropies(read.exact, exact) * weights).sum()
        helping = (
            _SOUND_SHARE * _binary(read.sounds.float(), sounds)
            + _WORD_SHARE * words
            + _EXACT_SHARE * replaced
        )
        return _binary(scores, rights), helping, scores

    def _report(self, loss: float) -> None:
        progress = self.progress
        progress.losses.append(loss)
        if progress.step % _REPORT_STEPS:
            return
        recent = progress.losses[-_REPORT_STEPS:]
        progress.losses = recent
        scores, rights = (torch.cat(part).numpy() for part in zip(*self._judged, strict=True))
        self._judged = []
        print(
            f"step {progress.step}  tokens {progress.tokens / 1e6:.2f} M  "
            f"loss {sum(recent) / len(recent):.4f}  AUC {auc(scores, rights):.4f}  "
            f"{progress.seconds / 60:.1f} min  {progress.tokens / progress.seconds:.0f} tok/s",
            flush=True,
        )


def _binary(scores: Tensor, weights: Tensor) -> Tensor:
    """Return the summed loss of logits; a weight's sign says what they should be."""
    return (F.softplus(-scores * weights.sign()) * weights.abs()).sum()


def _entropies(logits: Tensor, ids: Tensor) -> Tensor:
    return F.cross_entropy(logits.float().flatten(0, 1), ids.flatten(), reduction="none")


def _optimizers(model: AbacusPrm) -> list[torch.optim.Optimizer]:
    extra = [f"trunk.layers.{len(model.trunk.layers) - 1 - back}." for back in range(EXTRA_LAYERS)]
    heads = ("score.", "sound.", "exact.")
    new: list[tuple[str, nn.Parameter]] = []
    old: list[tuple[str, nn.Parameter]] = []
    for name, parameter in model.named_parameters():
        (new if name.startswith((*extra, *heads)) else old).append((name, parameter))

    def groups(*, matrices: bool) -> Iterable[dict[str, object]]:
        for named, rate in ((new, _NEW_RATE), (old, _OLD_RATE)):
            chosen = [p for name, p in named if name.endswith(_MATRICES) == matrices]
            yield {"params": chosen, "peak": rate}

    return [
        torch.optim.Muon(groups(matrices=True), weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(groups(matrices=False), betas=(0.9, 0.95), weight_decay=0.0),
    ]
