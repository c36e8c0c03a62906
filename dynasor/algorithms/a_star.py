"""A*-decoding (Chatziveroglou 2025, arXiv 2505.13672): best-first search over reasoning steps.

The open node of least ``f = g + weight·h`` is expanded next. With r, a reward model's judgement of
a chain so far, in [0, 1]: ``h = 1 - r``, what it lacks; ``g`` is the sum over the steps after the
first one of ``max(0, r - r_parent)``, the least cost of a step under which h is consistent. So with
weight 1, f rises by what the reward falls and never falls itself: the open nodes bound from below
all that can come of them, and a chain's end that costs no more than any of them can't be beaten.
Written after the paper's abstract: its own g may differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import msgspec
from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.algorithms.search_tree import ROOT, Tree, TreeParams
from dynasor.certaindex import Certaindex
from dynasor.work import Event, Finished, Generate, Score, Started


class AStarParams(TreeParams):
    """Parameters of A*-decoding."""

    max_expansions: int = Field(32, ge=1, le=256, description="most nodes to expand")
    weight: float = Field(
        1.0,
        ge=0.0,
        le=100.0,
        description="of the estimate to go; above 1 deeper nodes come earlier, and the least cost "
        "isn't proven any more",
    )
    choose: Literal["cost", "vote", "reward"] = Field(
        "cost",
        description="answer: of the chain of least cost, of the greatest sum of rewards, or of the "
        "chain of greatest reward",
    )


class AStarState(msgspec.Struct):
    """The tree; by node that was judged, its g; and the open nodes that weren't expanded."""

    tree: Tree = msgspec.field(default_factory=Tree)
    paid: dict[int, float] = msgspec.field(default_factory=dict)
    frontier: list[int] = msgspec.field(default_factory=lambda: [ROOT])


@ALGORITHMS.register
class AStar(Algorithm[AStarParams, AStarState]):
    """Expands the cheapest open node; the knob is the number of expansions.

    Several may run beside each other; with ``parallel`` 1 it is strictly the cheapest one. At its
    cap, without any answer, it goes on from the cheapest open node to the end of the chain.
    """

    name = "a_star"
    source = "Chatziveroglou 2025, arXiv 2505.13672"
    Params = AStarParams
    State = AStarState
    size = "max_expansions"

    @property
    def stop_hint(self) -> StopHint:
        # It is proven or not, so each expansion is worth a look.
        return StopHint(
            knob=1, thresholds={"optimal": 1.0}, wave=None, most=self.params.max_expansions
        )

    @property
    def scorer(self) -> str:
        return self.params.scorer

    def demand(self) -> Iterator[Generate | Score]:
        return self.state.tree.demand(self._leaf(), self.params)

    def observe(self, event: Event) -> None:
        tree = self.state.tree
        match event:
            case Started(branch):
                if not tree.take(branch):
                    self._begin()
            case Finished():
                settled = tree.finish(event, self.params.scorer)
                if settled is not None:
                    self._settled(settled)

    def certaindex(self) -> Certaindex:
        """Entropy of the answers; the highest reward of a chain; and "optimal": 1 when the chain of
        least cost can't be beaten, less by as much as it might be."""
        tree = self.state.tree
        signals = {"reward": tree.ballot.top, "optimal": self._optimal()}
        return tree.ballot.certaindex(tree.ended, **signals)

    def answer(self) -> Best:
        tree = self.state.tree
        match self.params.choose:
            case "cost":
                return tree.best(lambda end: (-self._cost(end.branch), tree.ballot.reward(end)))
            case "vote":
                return tree.ballot.best("weighted")
            case "reward":
                return tree.ballot.best("best")

    def _begin(self) -> None:
        leaf = self._leaf()
        assert leaf is not None, "an expansion was started that was not demanded"
        self.state.frontier.remove(leaf)
        self.state.tree.expand(leaf, self.params)

    def _settled(self, branch: int) -> None:
        tree, frontier = self.state.tree, self.state.frontier
        node = tree.nodes[branch]
        if node.judged:
            self.state.paid[branch] = self._paid(branch)
            if node.phase == "open":
                frontier.append(branch)
        if tree.growing[node.expansion]:
            return
        cheapest = self._cheapest()
        is_step = branch in tree.nodes[node.expansion].children
        if cheapest is not None and is_step and self._last() and not tree.answered:
            tree.run_out(cheapest, node.expansion)
            return
        tree.end(node.expansion)

    def _last(self) -> bool:
        """Only one expansion runs, and none follows."""
        tree = self.state.tree
        return tree.begun == self.params.max_expansions and len(tree.growing) == 1

    def _leaf(self) -> int | None:
        """The node that is expanded next; None: there is none now."""
        tree, params = self.state.tree, self.params
        if tree.begun >= params.max_expansions or len(tree.growing) >= params.parallel:
            return None
        return self._cheapest()

    def _cheapest(self) -> int | None:
        """The open node of least cost; among equals the better one, then the deeper one."""
        nodes = self.state.tree.nodes
        return min(
            self.state.frontier,
            key=lambda node: (self._cost(node), -nodes[node].reward, -nodes[node].depth, node),
            default=None,
        )

    def _paid(self, branch: int) -> float:
        """g of a node that was just judged."""
        nodes = self.state.tree.nodes
        node = nodes[branch]
        if node.parent is None or node.parent == ROOT:
            return 0.0
        return self.state.paid[node.parent] + max(0.0, node.reward - nodes[node.parent].reward)

    def _cost(self, branch: int) -> float:
        """f of a node; of the root 0; of one that isn't judged, infinite."""
        if branch == ROOT:
            return 0.0
        if branch not in self.state.paid:
            return math.inf
        to_go = 1.0 - self.state.tree.nodes[branch].reward
        return self.state.paid[branch] + self.params.weight * to_go

    def _optimal(self) -> float:
        tree = self.state.tree
        least = min((self._cost(chain.branch) for chain in tree.answered), default=math.inf)
        if least == math.inf:
            return 0.0
        # Children that are still to come cost no less than the node that is being expanded.
        bound = min(map(self._cost, [*self.state.frontier, *tree.growing]), default=least)
        # Costs are sums: equal ones may differ in their last digits.
        return 1.0 - min(1.0, max(0.0, round(least - bound, 9)))
