"""What is asked of every question."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dynasor.replay.recording import Question

PROGRAMS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("programs.yaml").read_text())
SEARCHES = tuple(PROGRAMS["trees"])
"""Names of what grows a tree; the first is the default."""

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
        search: what grows the tree, one of `SEARCHES`.
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
    search: str = SEARCHES[0]
    width: int = 16
    system: str | None = None
    temperature: float = 1.0
    max_tokens: int | None = None

    def samples_body(self, question: Question) -> dict[str, Any]:
        """The chat request for all samples: one program that nothing ends early."""
        program = PROGRAMS["judged" if self.rewards else "unjudged"]
        return self._body(question, {**program, "max_branches": self.samples})

    def chain_body(self, question: Question) -> dict[str, Any]:
        """The chat request for one long chain that is probed wherever a thought ends."""
        return self._body(question, PROGRAMS["chain"], self.system)

    def tree_body(self, question: Question) -> dict[str, Any]:
        """The chat request for a search tree."""
        return self._body(question, {**PROGRAMS["trees"][self.search], "width": self.width})

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
