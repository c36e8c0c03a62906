"""What is asked of every question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from dynasor.replay.recording import Question

Search = Literal["rebase", "beam_search"]

MAX_SAMPLES = 256
"""Most samples of a question, as in its format and in the programs that sample."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is recorded of a question, and how.

    Attributes:
        model: the served model's name; "": the first that the cluster lists.
        samples: independent chains, from 1 to `MAX_SAMPLES`.
        chains: long chains of thought with trial answers.
        trees: search trees, 0 or 1; None: 1 where the cluster has a reward model.
        rewards: the cluster has one, which judges the samples; a tree can't be without.
        search: the algorithm that grows the tree.
        width: of the tree, in paths.
        system: system message of the long chains; None: none.
        temperature: of everything.
        max_tokens: of one chain or step; None: what the context leaves.
    """

    model: str = ""
    samples: int = 64
    chains: int = 4
    trees: int | None = None
    rewards: bool = False
    search: Search = "rebase"
    width: int = 16
    system: str | None = None
    temperature: float = 1.0
    max_tokens: int | None = None

    def samples_body(self, question: Question) -> dict[str, Any]:
        """The chat request for all samples: one program that nothing ends early."""
        if self.rewards:
            program: dict[str, Any] = {"algorithm": "best_of_n", "probability": True}
        else:
            program = {"algorithm": "self_consistency", "weights": "confidence"}
        return self._body(question, {**program, "max_branches": self.samples})

    def chain_body(self, question: Question) -> dict[str, Any]:
        """The chat request for one long chain that is probed wherever a thought ends."""
        program = {
            "algorithm": "chain_of_thought",
            "probe_at": "thought",
            "probe_every": 1,
            "probability": True,
        }
        return self._body(question, program, self.system)

    def tree_body(self, question: Question) -> dict[str, Any]:
        """The chat request for a search tree."""
        return self._body(question, {"algorithm": self.search, "width": self.width})

    def _body(
        self, question: Question, program: dict[str, Any], system: str | None = None
    ) -> dict[str, Any]:
        messages = [{"role": "user", "content": question.prompt}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        return {
            "model": self.model,
            "messages": messages,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "program": {**program, "policy": "even"},
        }
