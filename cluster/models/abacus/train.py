"""Training of abacus from scratch: one process, on two CPU cores or a GPU.

The learning rate warms up, stays, and falls at the end ("WSD"), driven by the larger of the
shares of tokens and of time used up. A run that was cut off resumes from its checkpoint; resumed
with a smaller limit, it goes straight to its fall and ends early with a good model.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from cluster.models.abacus.data import Micro, pool_steps
from cluster.models.abacus.model import Abacus, Shape, export
from cluster.models.abacus.tokenizer import END, PAD, build_tokenizer, mark_id, save_tokenizer

_MATRIX_RATE = 3e-3
_OTHER_RATE = 3e-3
_WARM_UP_STEPS = 60
_FALL_SHARE = 0.25
_CHECKPOINT_SECONDS = 120.0
_REPORT_STEPS = 25
_CLIP = 1.0


@dataclass
class Progress:
    """How far a run is: steps and prompt-plus-response tokens seen, seconds spent."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    pool: int = 0
    steps_in_pool: int = 0
    losses: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Limits:
    """A run ends at ``tokens`` or after ``minutes``, whichever comes first."""

    tokens: int
    minutes: float

    def share(self, progress: Progress) -> float:
        """Return how much of the run is done, 0 to 1 and beyond."""
        return max(progress.tokens / self.tokens, progress.seconds / 60 / self.minutes)


class Trainer:
    """A model in training with its optimizers, checkpoint and export."""

    def __init__(self, seed: int, run_folder: Path, weights_folder: Path) -> None:
        torch.manual_seed(seed)
        self.seed = seed
        self.checkpoint = run_folder / "checkpoint.pt"
        self.weights_folder = weights_folder
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer: Tokenizer = build_tokenizer(seed)
        self.model = Abacus(Shape(self.tokenizer.get_vocab_size())).to(self.device)
        self.compiled_loss = self._plain_loss
        if shutil.which("g++"):
            self.compiled_loss = torch.compile(self._plain_loss, dynamic=True)
        self.optimizers = _optimizers(self.model)
        self.progress = Progress()
        run_folder.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self._resume()

    def run(self, limits: Limits) -> None:
        """Train until ``limits`` are reached, then export; progress goes to stdout."""
        save_tokenizer(self.tokenizer, self.weights_folder)
        saved = last = time.monotonic()
        while limits.share(self.progress) < 1:
            for step in self._pool():
                loss = self._step(step, limits)
                now = time.monotonic()
                self.progress.seconds += now - last
                last = now
                self._report(loss)
                if now - saved > _CHECKPOINT_SECONDS:
                    self.save()
                    saved = now
                if limits.share(self.progress) >= 1:
                    break
        self.save()

    def save(self) -> None:
        """Write the checkpoint and export the model as it is now."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": asdict(self.progress),
        }
        unfinished = self.checkpoint.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(self.checkpoint)
        end_id, pad_id = mark_id(self.tokenizer, END), mark_id(self.tokenizer, PAD)
        export(self.model, self.weights_folder, end_id, pad_id)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = Progress(**state["progress"])

    def _pool(self) -> list[list[Micro]]:
        """Return what is left of the current pool, or else the next pool."""
        steps = list(pool_steps(self.tokenizer, self.seed, self.progress.pool))
        left = steps[self.progress.steps_in_pool :]
        if left:
            return left
        self.progress.pool += 1
        self.progress.steps_in_pool = 0
        return list(pool_steps(self.tokenizer, self.seed, self.progress.pool))

    def _step(self, micros: list[Micro], limits: Limits) -> float:
        total = sum(float(micro.weights[:, 1:].sum()) for micro in micros)
        loss = 0.0
        for micro in micros:
            part = self._loss(micro.ids.to(self.device), micro.weights.to(self.device)) / total
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP)
        factor = rate_factor(self.progress.step, limits.share(self.progress))
        with one_thread():
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["peak"] * factor
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.steps_in_pool += 1
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Muon makes hundreds of tiny products a step; handing each to several threads costs more
    than it gains, and on a busy machine each waits for the scheduler."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


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


def rate_factor(step: int, share: float) -> float:
    """Share of the peak learning rate at a step, with ``share`` of the run done."""
    warm_up = min(1.0, (step + 1) / _WARM_UP_STEPS)
    return warm_up * min(1.0, max(0.0, (1 - share) / _FALL_SHARE))
