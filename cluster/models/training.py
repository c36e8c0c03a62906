"""What the trainings of the bundled models share: limits, checkpoints, the loop over the data.

The learning rate warms up, stays, and falls at the end ("WSD"), driven by the larger of the
shares of tokens and of time used up. A run that was cut off resumes from its checkpoint; resumed
with a smaller limit, it goes straight to its fall and ends early with a good model.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch
from tokenizers import Tokenizer
from torch import nn

from cluster.models.abacus.tokenizer import END, PAD, mark_id, save_tokenizer

_WARM_UP_STEPS = 60
_FALL_SHARE = 0.25
_CHECKPOINT_SECONDS = 120.0
_CLIP = 1.0

M = TypeVar("M")
"""A micro-batch."""


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


class TrainingLoop(ABC, Generic[M]):
    """A model in training with its optimizers, checkpoint and export.

    Subclasses set ``model``, ``tokenizer`` and ``optimizers``, then call `_begin`.
    """

    model: nn.Module
    tokenizer: Tokenizer
    optimizers: list[torch.optim.Optimizer]

    def __init__(self, seed: int, run_folder: Path, weights_folder: Path) -> None:
        torch.manual_seed(seed)
        self.seed = seed
        self.run_folder = run_folder
        self.checkpoint = run_folder / "checkpoint.pt"
        self.weights_folder = weights_folder
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.progress = Progress()

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
        self._export(end_id, pad_id)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = Progress(**state["progress"])

    def _pool(self) -> list[list[M]]:
        """Return what is left of the current pool, or else the next pool."""
        steps = list(self._draw(self.progress.pool))
        left = steps[self.progress.steps_in_pool :]
        if left:
            return left
        self.progress.pool += 1
        self.progress.steps_in_pool = 0
        return list(self._draw(self.progress.pool))

    def _begin(self) -> None:
        """Take up the run that the checkpoint holds, if there is one."""
        self.run_folder.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self._resume()

    def _update(self, limits: Limits) -> None:
        """Make one step of the optimizers on the gradients there are."""
        nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP)
        factor = rate_factor(self.progress.step, limits.share(self.progress))
        with one_thread():
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["peak"] * factor
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.steps_in_pool += 1

    @abstractmethod
    def _draw(self, pool: int) -> Iterable[list[M]]:
        """The steps of a pool of data, each a list of micro-batches."""

    @abstractmethod
    def _step(self, micros: list[M], limits: Limits) -> float:
        """Learn from one step's data and return the loss to report."""

    @abstractmethod
    def _report(self, loss: float) -> None:
        """Say how it goes, now and then."""

    @abstractmethod
    def _export(self, end_id: int, pad_id: int) -> None:
        """Write the model as it is now for a server."""


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


def rate_factor(step: int, share: float) -> float:
    """Share of the peak learning rate at a step, with ``share`` of the run done."""
    warm_up = min(1.0, (step + 1) / _WARM_UP_STEPS)
    return warm_up * min(1.0, max(0.0, (1 - share) / _FALL_SHARE))
