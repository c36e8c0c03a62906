"""Steps of a search: recorded ones as far as they go, then steps cut out of samples.

Where nothing was recorded, a path of steps is a sample: children of a step go on as samples that
fit what is known of it. A wrong sample makes its mistake at some step; up to there it is as good
as a right one, and from there on it stays wrong.
"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple

from cluster.sim.outcomes.assumed import Assumed
from cluster.sim.outcomes.order import Order
from dynasor.replay.recording import ROOT, Sample, Step

TRIES = 8
"""Samples that are looked at for one that fits a step's past."""

MOST_STEPS = 256


class Node(NamedTuple):
    """A step of a path.

    Attributes:
        tokens: of this step alone.
        finish: "step": the path goes on.
        right: nothing is wrong with the path so far; of a recorded step that others follow, it is
            assumed for what was not recorded there.
        reward: of the path up to its end; None: not recorded.
        depth: of the first step 1.
        place: in the recorded steps; None: it was cut out of a sample.
    """

    tokens: int
    finish: Literal["step", "stop", "length"]
    answer: str | None
    right: bool
    reward: float | None
    depth: int
    place: int | None


class StepTree:
    """The paths of one query; asked for in the same order, they are the same."""

    def __init__(
        self, steps: tuple[Step, ...], order: Order, rng: Random, assumed: Assumed
    ) -> None:
        self._steps = steps
        self._order = order
        self._rng = rng
        self._assumed = assumed
        self._samples = 0
        self._children: dict[int, list[int]] = {}
        self._given: dict[int, int] = {}
        for place, step in enumerate(steps):
            self._children.setdefault(step.parent, []).append(place)
        for children in self._children.values():
            rng.shuffle(children)

    def child(self, parent: Node | None) -> Node:
        """The next step from a node; None: from the question. Each recorded one comes once before
        any comes again."""
        place = ROOT if parent is None else parent.place
        if place is None or place not in self._children:
            return self._cut(parent)
        given = self._given.get(place, 0)
        self._given[place] = given + 1
        children = self._children[place]
        return self._recorded(children[given % len(children)], parent)

    def run_out(self, parent: Node) -> Node:
        """From a node to the end of its path, as one step."""
        tokens, node = 0, parent
        while node.finish == "step" and node.depth < parent.depth + MOST_STEPS:
            node = self.child(node)
            tokens += node.tokens
        return node._replace(tokens=max(1, tokens))

    def _recorded(self, place: int, parent: Node | None) -> Node:
        step = self._steps[place]
        good = step.correct if step.finish != "step" else self._promising(step)
        depth = 1 if parent is None else parent.depth + 1
        tokens = max(1, step.tokens)
        return Node(tokens, step.finish, step.answer, good, step.reward, depth, place)

    def _promising(self, step: Step) -> bool:
        """Whether what nobody recorded after a step may end right: with the chance that its reward
        says, for rewards err; as a sample does where it has none."""
        if step.reward is not None:
            return self._rng.random() < step.reward
        self._samples += 1
        return self._order[self._samples - 1].correct

    def _cut(self, parent: Node | None) -> Node:
        depth = 1 if parent is None else parent.depth + 1
        for _ in range(TRIES):
            sample = self._order[self._samples]
            self._samples += 1
            count = max(1, round(sample.tokens / self._assumed.step_tokens))
            mistake = self._mistake(sample, count, parent)
            if mistake is not None and depth <= count:
                break
        else:
            count, mistake = depth, depth
        last, lost = depth >= count, parent is not None and not parent.right
        # Where no wrong sample was found for a wrong path, it ends without an answer.
        fits = not (lost and sample.correct)
        return Node(
            tokens=max(1, sample.tokens // count),
            finish="stop" if last else "step",
            answer=sample.answer if last and fits else None,
            right=fits and (sample.correct or (mistake is not None and depth < mistake)),
            reward=sample.reward if last and fits else None,
            depth=depth,
            place=None,
        )

    def _mistake(self, sample: Sample, count: int, parent: Node | None) -> int | None:
        """The step in which a sample goes wrong; None: it does not fit its parent."""
        if parent is not None and not parent.right:
            return None if sample.correct else 1
        if sample.correct:
            return count + 1
        before = 0 if parent is None else parent.depth
        mistake = self._rng.randint(1, count)
        return mistake if mistake > before else None
