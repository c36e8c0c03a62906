"""Monte Carlo tree search over reasoning steps, judged by a reward model.

One rollout, the knob's unit:
1. selection: from the root along the children of greatest UCT or PUCT to a node without children;
2. expansion: several next steps of it are sampled, and each is judged;
3. simulation: the most promising of them goes on to the end of its chain, which votes and is
   judged as well. Without it, only chains that happen to end in an expansion vote.

Every judgement is one visit with the reward as its value, of the judged node and of all nodes
above it. So ``N(node) = 1 + Σ N(children) + simulations``, at the root without the 1, and Q is the
mean. Rollouts run beside each other: each one under way counts, on its path, as a visit with value
0, which leads the next ones elsewhere (virtual loss). Chains that have ended are never selected,
nor nodes under which nothing is left to expand: a tree that is explored ends the search.

Greedy decisions by visit counts can get worse with more rollouts (arXiv 2603.21162). Two remedies:
the answer is by default a vote over all chains; and sequential halving may distribute the rollouts
over the root's children. This is written after the paper's abstract: halving by mean values, as
in `halving_visits`, without Gumbel noise, for the children are a sample of the prior already.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import msgspec
from pydantic import Field

from dynasor.algorithms.bandits import halving_visits, priors, puct, uct
from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.algorithms.search_tree import ROOT, Tree, TreeParams
from dynasor.certaindex import Certaindex
from dynasor.work import Event, Finished, Generate, Score, Started


class MctsParams(TreeParams):
    """Parameters of Monte Carlo tree search."""

    rollouts: int = Field(16, ge=1, le=256, description="most rollouts")
    selection: Literal["uct", "puct"] = Field("uct", description="rule that leads to a leaf")
    exploration: float = Field(
        1.0,
        ge=0.0,
        le=100.0,
        description="weight of exploration, c, for values in [0, 1]; UCB1 has 1.41, rStar 2",
    )
    prior_temperature: float | None = Field(
        None,
        ge=0.01,
        le=100.0,
        description="PUCT's prior is the softmax of sibling rewards at it; None: uniform",
    )
    root: Literal["select", "halving"] = Field(
        "select", description="at the root: the same rule, or sequential halving"
    )
    simulate: bool = Field(True, description="go on to a chain's end in every rollout")
    choose: Literal["vote", "reward", "visits"] = Field(
        "vote",
        description="answer: of the greatest sum of rewards, of the chain of greatest reward, or "
        "at the end of the most visited path",
    )


class Visits(msgspec.Struct):
    """Of a node: its visits and the sum of their values, the rollouts under way through it, and
    all that ever went through it."""

    count: int = 0
    value: float = 0.0
    virtual: int = 0
    rollouts: int = 0


class MctsState(msgspec.Struct):
    """The tree, and its nodes' visits."""

    tree: Tree = msgspec.field(default_factory=Tree)
    visits: dict[int, Visits] = msgspec.field(default_factory=lambda: {ROOT: Visits()})


@ALGORITHMS.register
class Mcts(Algorithm[MctsParams, MctsState]):
    """Expands where rewards are high or little was tried; the knob is the number of rollouts."""

    name = "mcts"
    source = "Kocsis & Szepesvári 2006; for reasoning steps: rStar (Qi et al. 2024), TS-LLM (2023)"
    Params = MctsParams
    State = MctsState
    size = "rollouts"

    @property
    def stop_hint(self) -> StopHint:
        # A wave as wide as the rollouts that run beside each other; a narrower one would keep
        # them from it.
        params = self.params
        return StopHint(3, {"entropy": 0.99, "reward": 0.4}, params.parallel, params.rollouts)

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
        """Entropy of the answers, and the mean reward of the chains that have ended."""
        tree = self.state.tree
        rewards = list(map(tree.ballot.reward, tree.ballot.ballot.chains))
        mean = math.fsum(rewards) / len(rewards) if rewards else 0.0
        return tree.ballot.certaindex(tree.ended, reward=mean)

    def answer(self) -> Best:
        tree = self.state.tree
        match self.params.choose:
            case "vote":
                return tree.ballot.best("weighted")
            case "reward":
                return tree.ballot.best("best")
            case "visits":
                return tree.best(lambda chain: (self._visited(chain), tree.ballot.reward(chain)))

    def _visited(self, chain: Finished) -> list[int]:
        """Visits along a chain's path: the greatest such list is the path of a greedy walk."""
        visits, path = self.state.visits, self.state.tree.path(chain.branch)
        return [visits[node].count for node in path if node in visits]

    def _begin(self) -> None:
        leaf = self._leaf()
        assert leaf is not None, "a rollout was started that was not demanded"
        self.state.tree.expand(leaf, self.params)
        for node in self.state.tree.path(leaf):
            self.state.visits[node].virtual += 1
            self.state.visits[node].rollouts += 1

    def _settled(self, branch: int) -> None:
        tree, visits = self.state.tree, self.state.visits
        leaf = tree.nodes[branch].expansion
        if tree.nodes[branch].judged:
            visits[branch] = Visits()
            for node in tree.path(branch):
                visits[node].count += 1
                visits[node].value += tree.nodes[branch].reward
        if tree.growing[leaf]:
            return
        promising = self._promising(leaf)
        simulated = branch not in tree.nodes[leaf].children
        if promising is not None and self.params.simulate and not simulated:
            tree.run_out(promising, leaf)
            return
        tree.end(leaf)
        for node in tree.path(leaf):
            visits[node].virtual -= 1

    def _promising(self, leaf: int) -> int | None:
        """The child of greatest reward; None: its chain has ended already."""
        nodes = self.state.tree.nodes
        judged = [child for child in nodes[leaf].children if nodes[child].judged]
        best = max(judged, key=lambda c: (nodes[c].reward, nodes[c].phase == "open"), default=None)
        return best if best is not None and nodes[best].phase == "open" else None

    def _leaf(self) -> int | None:
        """The node that the next rollout would expand; None: there is none now."""
        tree, params = self.state.tree, self.params
        if tree.begun >= params.rollouts or len(tree.growing) >= params.parallel:
            return None
        return self._below(ROOT)

    def _below(self, node: int) -> int | None:
        if not self.state.tree.nodes[node].children:
            return node
        for child in self._ranked(node):
            leaf = self._below(child)
            if leaf is not None:
                return leaf
        return None

    def _ranked(self, node: int) -> list[int]:
        """Children that may be gone through, best first."""
        tree = self.state.tree
        children = [
            child
            for child in tree.nodes[node].children
            if tree.nodes[child].judged and tree.nodes[child].phase == "open"
        ]
        if node == ROOT and self.params.root == "halving":
            # The arms are known when the first rollout, which samples them, has ended.
            ranks = {} if ROOT in tree.growing else self._halved(children)
        else:
            ranks = self._selected(node, children)
        return sorted(ranks, key=lambda child: ranks[child], reverse=True)

    def _selected(self, node: int, children: list[int]) -> dict[int, tuple[float, ...]]:
        nodes, visits, params = self.state.tree.nodes, self.state.visits, self.params
        parents = visits[node].count + visits[node].virtual
        prior = priors([nodes[child].reward for child in children], params.prior_temperature)
        ranks: dict[int, tuple[float, ...]] = {}
        for child, share in zip(children, prior, strict=True):
            n = visits[child].count + visits[child].virtual
            mean = visits[child].value / n
            if params.selection == "uct":
                ranks[child] = (uct(mean, n, parents, params.exploration),)
            else:
                ranks[child] = (puct(mean, n, parents, params.exploration, share),)
        return ranks

    def _halved(self, children: list[int]) -> dict[int, tuple[float, ...]]:
        """Whose turn it is comes first; where that one has nothing left to expand, the best."""
        visits = self.state.visits
        # The first rollout samples the arms; the others are shared out among them.
        turns = halving_visits(len(children), self.params.rollouts - 1)
        ranks: dict[int, tuple[float, ...]] = {}
        for child in children:
            turn = turns[self.state.tree.begun - 1]
            mean = visits[child].value / visits[child].count
            ranks[child] = (float(visits[child].rollouts == turn), mean)
        return ranks
