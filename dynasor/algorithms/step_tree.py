"""A tree of reasoning steps: what is generated and judged of it, whoever decides where it grows."""

from __future__ import annotations

from typing import Literal

import msgspec

from dynasor.algorithms.rewards import aggregate
from dynasor.work import Finished, Generate, Score

Outcome = Literal["", "live", "terminal", "dead"]


class Node(msgspec.Struct):
    """One step of reasoning, generated as a branch of its own.

    Attributes:
        branch: its number.
        parent: branch of the step before; None: it goes on from the prompt.
        depth: steps up to it, itself included.
        group: the algorithm's own mark; children inherit it.
        outcome: "live": it can go on; "terminal": its chain is finished; "dead": lost, cut in the
            middle, or as deep as a chain may get; "": it has not ended.
        settled: nothing more will be learned of it: it is dead, or its score came or failed.
        reward: of the chain up to its end, in [0, 1]; 0 until it is settled.
    """

    branch: int
    parent: int | None = None
    depth: int = 1
    group: int = 0
    outcome: Outcome = ""
    settled: bool = False
    reward: float = 0.0


class StepTree(msgspec.Struct):
    """Nodes that run or matter to their algorithm, and what is still to be started for them.

    Root children are the algorithm's: it numbers them, adds them when they have started, and
    demands them itself, for they begin units. All other numbers are given from ``next_branch`` on.

    Attributes:
        nodes: by branch, until they are forgotten.
        scoring: node by the number of its score, until that has come.
        wanted: numbers of nodes and scores that were not accepted yet, oldest first.
        next_branch: the next number.
    """

    nodes: dict[int, Node] = msgspec.field(default_factory=dict)
    scoring: dict[int, int] = msgspec.field(default_factory=dict)
    wanted: list[int] = msgspec.field(default_factory=list)
    next_branch: int = 0

    def plant(self, branch: int, group: int = 0) -> Node:
        """Add a root child that has started."""
        node = self.nodes[branch] = Node(branch, group=group)
        return node

    def grow(self, parent: Node) -> Node:
        """Want one more child of a node."""
        node = Node(self._issue(), parent.branch, parent.depth + 1, parent.group)
        self.nodes[node.branch] = node
        return node

    def forget(self, branch: int) -> Node:
        """Let go of a node that has settled and gets no more children."""
        return self.nodes.pop(branch)

    def demand(self, step_tokens: int, scorer: str) -> list[Generate | Score]:
        """What is wanted; it belongs to units that have begun."""
        return [self._item(branch, step_tokens, scorer) for branch in self.wanted]

    def accept(self, branch: int) -> None:
        """An item has started."""
        if branch in self.wanted:
            self.wanted.remove(branch)

    def finish(self, event: Finished, max_depth: int) -> Node | None:
        """Take the end of a step or score; returns the node that is settled by it, if one is."""
        if event.branch in self.scoring:
            node = self.nodes[self.scoring.pop(event.branch)]
            node.reward = aggregate(event.scores)
        else:
            node = self.nodes[event.branch]
            node.outcome = _outcome(event, last=node.depth >= max_depth)
            if node.outcome != "dead":
                self.scoring[self._issue()] = node.branch
                return None
        node.settled = True
        return node

    def _issue(self) -> int:
        branch = self.next_branch
        self.next_branch += 1
        self.wanted.append(branch)
        return branch

    def _item(self, branch: int, step_tokens: int, scorer: str) -> Generate | Score:
        if branch in self.scoring:
            return Score(branch, self.scoring[branch], scorer)
        return step(branch, step_tokens, parent=self.nodes[branch].parent, units=0)


def step(branch: int, max_tokens: int, parent: int | None = None, units: int = 1) -> Generate:
    """The work item of one step, at most so many tokens long."""
    return Generate(branch, units=units, parent=parent, until=("step",), max_tokens=max_tokens)


def _outcome(event: Finished, last: bool) -> Outcome:
    """What became of a step. One that was cut in its middle is no state to go on from, but if it
    says its answer before, its chain is as good as finished."""
    if event.finish == "stop" or (event.finish == "length" and event.answer is not None):
        return "terminal"
    return "live" if event.finish == "step" and not last else "dead"
