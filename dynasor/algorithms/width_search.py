"""Search over a step tree by width: depth by depth, a rule says how many children each step gets.

REBASE, beam search, DVTS and particle filtering are such rules.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec
from pydantic import Field

from dynasor.algorithms.base import Algorithm, Best, StopHint
from dynasor.algorithms.rewards import RewardedBallot, Scorer
from dynasor.algorithms.step_tree import Node, StepTree, step
from dynasor.certaindex import Certaindex
from dynasor.registry import Params
from dynasor.work import Event, Finished, Started, WorkItem

MAX_KNOB = 16


class WidthParams(Params):
    """Parameters that all width rules share."""

    width: int = Field(16, ge=1, le=256, description="paths of reasoning")
    max_depth: int = Field(
        40, ge=1, le=256, description="steps of a path at most; one that is longer is lost"
    )
    step_tokens: int = Field(
        256, ge=1, le=8192, description="tokens of a step at most; one that is longer is lost"
    )
    scorer: Scorer = "reward"


class Cohort(msgspec.Struct):
    """Root children that search together, with no regard to other cohorts.

    Attributes:
        roots: how many they were: its units of the knob.
        depth: of the steps on its frontier.
        frontier: branches of the present steps, one for each path that is not finished or lost;
            empty: the search is over.
    """

    roots: int = 0
    depth: int = 1
    frontier: list[int] = msgspec.field(default_factory=list)


class WidthState(msgspec.Struct):
    """Root children that have started, their cohorts and steps, and the chains that vote."""

    started: int = 0
    cohorts: list[Cohort] = msgspec.field(default_factory=list)
    tree: StepTree = msgspec.field(default_factory=StepTree)
    ballot: RewardedBallot = msgspec.field(default_factory=RewardedBallot)


P = TypeVar("P", bound=WidthParams)


class WidthSearch(Algorithm[P, WidthState]):
    """Generates a step for every path, has all of them judged, and lets `spread` share out the
    width that is left: that of all paths but the finished ones. Finished paths vote with their
    rewards.

    The knob is the width: each root child begins a unit, and steps below it need no further grant.
    A unit has ended when a path is finished and judged, or when no step is left that could use it.

    However many root children a policy grants at a time, those that start before the first of them
    are compared form a *cohort*: a search of that width. Later ones form further cohorts, so nobody
    waits for a grant that may never come.
    """

    State = WidthState
    size = "width"

    def __init__(self, params: P) -> None:
        super().__init__(params)
        self.state.tree.next_branch = params.width

    @abstractmethod
    def spread(self, rewards: Sequence[float], width: int, turn: str) -> list[int]:
        """Numbers of children of the steps that can go on.

        Args:
            rewards: of these steps, at least one.
            width: paths to share out, at least as many as steps; the sum may not be above it.
            turn: unique in the program, to seed chance with.
        """

    @property
    def cohort_width(self) -> int:
        """Most root children of one cohort."""
        return self.params.width

    @property
    def stop_hint(self) -> StopHint:
        """The paper's values for REBASE on GSM8K (arXiv 2412.20993); for MATH it takes an entropy
        of 0.75 and no reward. The knob is at most half of the width, or nothing could be saved."""
        width = self.params.width
        knob = min(MAX_KNOB, (width + 1) // 2)
        return StopHint(knob, {"entropy": 0.85, "reward": 0.99}, wave=None, most=width)

    @property
    def scorer(self) -> str:
        return self.params.scorer

    def demand(self) -> Iterator[WorkItem]:
        params = self.params
        items: list[WorkItem] = [*self.state.tree.demand(params.step_tokens, params.scorer)]
        items += [
            step(branch, params.step_tokens) for branch in range(self.state.started, params.width)
        ]
        return iter(items)

    def observe(self, event: Event) -> None:
        tree = self.state.tree
        match event:
            case Started(branch) if branch < self.params.width:
                self._join(branch)
            case Started(branch):
                tree.accept(branch)
            case Finished(branch=branch) if branch in tree.nodes or branch in tree.scoring:
                node = tree.finish(event, self.params.max_depth)
                self._vote(event, node)
                if node is not None:
                    self._advance(node.group)

    def certaindex(self) -> Certaindex:
        """Entropy of the finished paths' answers, and the highest of their rewards."""
        state = self.state
        paths = [state.tree.nodes[branch] for cohort in state.cohorts for branch in cohort.frontier]
        going = sum(not _finished(node) for node in paths)
        return state.ballot.certaindex(state.started - going, reward=state.ballot.top)

    def answer(self) -> Best:
        return self.state.ballot.best()

    def _join(self, branch: int) -> None:
        """A root child has started: it belongs to the newest cohort, or begins one."""
        cohorts = self.state.cohorts
        if not cohorts or cohorts[-1].depth > 1 or cohorts[-1].roots == self.cohort_width:
            cohorts.append(Cohort())
        self.state.started = branch + 1
        self.state.tree.plant(branch, group=len(cohorts) - 1)
        cohorts[-1].roots += 1
        cohorts[-1].frontier.append(branch)

    def _vote(self, event: Finished, settled: Node | None) -> None:
        """Finished chains vote as soon as they have ended, with their weight once it is known."""
        ended = self.state.tree.nodes.get(event.branch)
        if ended is not None and ended.outcome == "terminal":
            self.state.ballot.ballot.add(event)
        if settled is not None and settled.outcome == "terminal":
            self.state.ballot.rewards[settled.branch] = settled.reward

    def _advance(self, number: int) -> None:
        """Go one step deeper when all steps of a cohort's frontier are settled."""
        cohort, tree = self.state.cohorts[number], self.state.tree
        if not all(tree.nodes[branch].settled for branch in cohort.frontier):
            return
        nodes = [tree.forget(branch) for branch in cohort.frontier]
        width = sum(not _finished(node) for node in nodes)
        live = [node for node in nodes if node.outcome == "live"]
        counts: list[int] = []
        if live:
            turn = f"{number}:{cohort.depth}"
            counts = self.spread([node.reward for node in live], width, turn)
        cohort.depth += 1
        cohort.frontier = [
            tree.grow(node).branch
            for node, count in zip(live, counts, strict=True)
            for _ in range(count)
        ]


def _finished(node: Node) -> bool:
    """Whether a path has come to its end, and was judged."""
    return node.settled and node.outcome == "terminal"


def ranked(rewards: Sequence[float]) -> list[int]:
    """Positions by reward, highest first, among equals the first one first."""
    return sorted(range(len(rewards)), key=lambda position: -rewards[position])


def kept(rewards: Sequence[float], width: int, beam: int) -> list[int]:
    """The best ``ceil(width / beam)`` steps share the width evenly, the best ones first.

    Where fewer steps than that are left, they get more children than ``beam``, so that the width
    stays used.

    Returns:
        Numbers of children in the order of the rewards; they sum to ``width`` exactly.
    """
    best = ranked(rewards)[: -(-width // beam)]
    each, more = divmod(width, len(best))
    counts = [0] * len(rewards)
    for place, position in enumerate(best):
        counts[position] = each + (place < more)
    return counts
