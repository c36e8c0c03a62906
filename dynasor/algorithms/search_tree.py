"""A tree of reasoning steps that grows by expanding one node at a time.

An expansion samples several next steps of one node, its children. One that ends at a step can be
expanded further; one that says an answer is a chain that votes; both are judged. A chain that ends
without an answer is worth 0. A branch that was taken back or failed is lost: it counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec
from pydantic import Field

from dynasor.algorithms.base import Best
from dynasor.algorithms.rewards import RewardedBallot, Scorer, aggregate
from dynasor.registry import Params
from dynasor.work import Finished, Generate, Score

ROOT = -1
"""The node of the prompt, before the first step."""


class TreeParams(Params):
    """Parameters of every search that expands one node at a time."""

    children: int = Field(4, ge=1, le=64, description="steps sampled from a node to expand it")
    parallel: int = Field(4, ge=1, le=64, description="most expansions that run at a time")
    max_depth: int = Field(
        40, ge=1, le=256, description="steps of a path; the last one goes on to its chain's end"
    )
    step_tokens: int = Field(
        256, ge=1, le=8192, description="tokens of a step at most; one that is longer is a dead end"
    )
    scorer: Scorer = "reward"


class Node(msgspec.Struct):
    """A step, or a chain's end.

    Attributes:
        parent: node it goes on from; None: it is the root.
        depth: steps from the root; children of the root have 1.
        expansion: node in whose expansion it began.
        phase: "open" ended at a step, "ended" at the end of its chain.
        judged: its reward is known; a failed judgement is a reward of 0.
        reward: in [0, 1].
        children: steps sampled from it, once its expansion has begun.
    """

    parent: int | None
    depth: int
    expansion: int
    phase: Literal["running", "open", "ended", "lost"] = "running"
    judged: bool = False
    reward: float = 0.0
    children: list[int] = msgspec.field(default_factory=list)


def _root() -> dict[int, Node]:
    return {ROOT: Node(parent=None, depth=0, expansion=ROOT, phase="open")}


class Tree(msgspec.Struct):
    """The nodes, the work that is left of expansions that have begun, and the chains that vote.

    Attributes:
        nodes: by branch; parents come before their children.
        growing: by node being expanded, branches of its expansion that aren't settled.
        judging: by branch of a `Score` item, the node it judges.
        scores: judgements to start.
        steps: branches to start.
        numbers: branch numbers given out.
        begun: expansions that have begun.
        ended: expansions that have ended.
    """

    nodes: dict[int, Node] = msgspec.field(default_factory=_root)
    growing: dict[int, int] = msgspec.field(default_factory=dict)
    judging: dict[int, int] = msgspec.field(default_factory=dict)
    scores: list[Score] = msgspec.field(default_factory=list)
    steps: list[Generate] = msgspec.field(default_factory=list)
    ballot: RewardedBallot = msgspec.field(default_factory=RewardedBallot)
    numbers: int = 0
    begun: int = 0
    ended: int = 0

    def demand(self, leaf: int | None, params: TreeParams) -> Iterator[Generate | Score]:
        """What is left of the expansions that have begun; then the first step of another one.

        The first step begins a unit, all else belongs to it. ``leaf`` None: no further expansion.
        """
        items: list[Generate | Score] = sorted(
            [*self.scores, *self.steps], key=lambda item: item.branch
        )
        if leaf is not None:
            items.append(self._step(self.numbers, leaf, params, units=1))
        return iter(items)

    def take(self, branch: int) -> bool:
        """An item was started; False: it is the first step of another expansion."""
        before = len(self.scores) + len(self.steps)
        self.scores = [item for item in self.scores if item.branch != branch]
        self.steps = [item for item in self.steps if item.branch != branch]
        return len(self.scores) + len(self.steps) < before

    def expand(self, leaf: int, params: TreeParams) -> None:
        """The first step of an expansion was started; the others are demanded from now on."""
        node = self.nodes[leaf]
        node.children = [self._add(leaf, leaf) for _ in range(params.children)]
        self.steps += [self._step(child, leaf, params, units=0) for child in node.children[1:]]
        self.growing[leaf] = params.children
        self.begun += 1

    def run_out(self, node: int, expansion: int) -> None:
        """Go on from a node to the end of its chain, as a part of a running expansion."""
        branch = self._add(node, expansion)
        self.steps.append(Generate(branch, units=0, parent=node))
        self.growing[expansion] += 1

    def finish(self, event: Finished, scorer: str) -> int | None:
        """A branch or a judgement has ended.

        Returns:
            The node that is settled by it, judged or lost; None: it has to be judged first.
        """
        settled = self.judging.pop(event.branch, None)
        if settled is not None:
            node = self.nodes[settled]
            node.judged, node.reward = True, aggregate(event.scores)
            if node.phase == "ended":
                self.ballot.rewards[settled] = node.reward
        else:
            settled, node = event.branch, self.nodes[event.branch]
            node.phase = _phase(event)
            self.ballot.ballot.add(event)
            if node.phase == "open" or (node.phase == "ended" and event.answer is not None):
                self._judge(settled, scorer)
                return None
            node.judged = node.phase == "ended"
        self.growing[node.expansion] -= 1
        return settled

    def end(self, leaf: int) -> None:
        """An expansion has ended, with all that belongs to it."""
        del self.growing[leaf]
        self.ended += 1

    def path(self, branch: int) -> list[int]:
        """The nodes from the root to a node, both included."""
        nodes = [branch]
        while (parent := self.nodes[nodes[-1]].parent) is not None:
            nodes.append(parent)
        return nodes[::-1]

    @property
    def answered(self) -> list[Finished]:
        """Chains that say an answer, in the order they ended."""
        return [chain for chain in self.ballot.ballot.chains if chain.answer is not None]

    def best(self, key: Callable[[Finished], Any]) -> Best:
        """The answer of the chain of greatest key; among equals, of the one that ended first."""
        if not self.answered:
            return self.ballot.best()
        chain = max(self.answered, key=key)
        return Best(chain.answer, chain.branch)

    def _step(self, branch: int, leaf: int, params: TreeParams, units: int) -> Generate:
        parent = None if leaf == ROOT else leaf
        if self.nodes[leaf].depth + 1 >= params.max_depth:
            return Generate(branch, units=units, parent=parent)
        return Generate(
            branch, units=units, parent=parent, until=("step",), max_tokens=params.step_tokens
        )

    def _add(self, parent: int, expansion: int) -> int:
        branch = self._number()
        self.nodes[branch] = Node(parent, self.nodes[parent].depth + 1, expansion)
        return branch

    def _judge(self, node: int, scorer: str) -> None:
        score = self._number()
        self.judging[score] = node
        self.scores.append(Score(score, node, scorer))

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers - 1


def _phase(event: Finished) -> Literal["open", "ended", "lost"]:
    match event.finish:
        case "step":
            return "open"
        case "stop" | "length":
            return "ended"
        case _:
            return "lost"
