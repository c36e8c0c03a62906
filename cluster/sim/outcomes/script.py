"""One query's outcomes: what each of its branches does, and what judges say of it.

Taken from its question's recording: the samples, in a random order, are its chains; long chains
and search steps are those recorded. What is missing there is made of the samples, see `Assumed`.
Approximate, whatever is recorded: confidences other than mean probabilities, sketches of thoughts,
what a chain says that is made to go on ("wait"), and that no probe hedges.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from random import Random

from cluster.sim.outcomes.assumed import Assumed
from cluster.sim.outcomes.order import Order, seeded
from cluster.sim.outcomes.trace import Trace
from cluster.sim.outcomes.tree import StepTree
from cluster.sim.tokens import BRANCHES, Origin, origin
from dynasor.messages import Rate, Start
from dynasor.replay.recording import Chain, Probe, Question
from dynasor.work import REWARD


class Script:
    """Equal questions and seeds, asked in the same order, give the same.

    Attributes:
        shift: of its branches' token ids, see `cluster.sim.tokens`.
    """

    def __init__(self, question: Question, seed: int, assumed: Assumed) -> None:
        self.shift = seed % BRANCHES
        self._question = question
        self._seed = seed
        self._assumed = assumed
        self._order = Order(question.samples, seed)
        self._chains: dict[int, Chain] = {}
        self._traces: dict[int, Trace] = {}

    def trace(self, start: Start) -> Trace:
        """What the branch does; the same however often it is started."""
        known = self._traces.get(start.branch % BRANCHES)
        if known is None:
            known = self._traces[start.branch % BRANCHES] = self._made(start)
        return known

    def scores(self, rate: Rate) -> tuple[float, ...]:
        """What a judge says of a chain: a reward model's scores, or a verifier's, which knows."""
        end = origin(rate.tokens[-1], self.shift) if rate.tokens else None
        trace = self._traces.get(end.branch) if end is not None else None
        if trace is None:
            return (0.0,)
        if rate.scorer != REWARD:
            return (float(trace.right and trace.answer is not None),)
        rng = self._rng(1 + rate.branch)
        score = self._assumed.score
        last = trace.reward if trace.reward is not None else score(rng, trace.right)
        before = len(rate.tokens) // self._assumed.step_tokens if rate.steps else 0
        return (*(score(rng, trace.right) for _ in range(before)), last)

    def right(self, branch: int | None) -> bool:
        """Whether a branch that has begun says the right answer."""
        trace = self._traces.get(branch % BRANCHES) if branch is not None else None
        return trace is not None and trace.right

    def _made(self, start: Start) -> Trace:
        inherited = start.prefix[: len(start.prefix) - start.injected]
        end = origin(inherited[-1], self.shift) if inherited else None
        parent = self._traces.get(end.branch) if end is not None else None
        if start.alone or "box" in start.until:
            return self._trial(end, parent)
        if "think_end" in start.until:
            return self._thinking(parent)
        if "step" in start.until or (parent is not None and parent.kind == "step"):
            return self._step(parent, to_the_end="step" not in start.until)
        if parent is not None:
            return self._conclusion(parent.chain)
        return self._sampled(start)

    def _sampled(self, start: Start) -> Trace:
        sample = self._order[start.branch]
        tokens = max(1, sample.tokens)
        trace = Trace(tokens, "stop", "sample", sample.answer, sample.correct, reward=sample.reward)
        if start.measure is None:
            return trace
        rng = self._rng(-1 - start.branch)
        confidence = sample.confidence
        if confidence is None:
            confidence = self._assumed.score(rng, sample.correct)
        thoughts = range(self._assumed.thought_tokens, tokens, self._assumed.thought_tokens)
        return Trace(
            tokens,
            "stop",
            "sample",
            sample.answer,
            sample.correct,
            confidence=max(1e-6, confidence),
            weak_at=rng.randint(1, tokens),
            thoughts=tuple(thoughts),
            reward=sample.reward,
        )

    def _thinking(self, parent: Trace | None) -> Trace:
        """A chain up to its answer; after a pause that it did not want, another one's end."""
        number = 0 if parent is None else parent.chain + 1
        chain = self._chain(number)
        tokens = max(1, chain.tokens - self._assumed.answer_tokens)
        if parent is not None:
            tokens = max(1, round(self._assumed.wait_share * tokens))
        thoughts = tuple(probe.at for probe in chain.probes if 0 < probe.at <= tokens)
        if parent is not None:
            thoughts = ()
        return Trace(tokens, "step", "thinking", None, thoughts=thoughts, chain=number)

    def _conclusion(self, number: int) -> Trace:
        chain = self._chain(number)
        tokens = min(self._assumed.answer_tokens, max(1, chain.tokens))
        return Trace(tokens, "stop", "answer", chain.answer, chain.correct, chain=number)

    def _trial(self, at: Origin | None, parent: Trace | None) -> Trace:
        """What the chain says when it is asked in its middle."""
        number = 0 if parent is None else parent.chain
        chain = self._chain(number)
        place = 0 if at is None else at.place + 1
        if parent is not None and parent.kind == "thinking" and number:
            # The end of a chain that went on: nothing is recorded of its middle.
            place = chain.tokens
        found = bisect_right(chain.probes, place, key=lambda probe: probe.at)
        probe = chain.probes[found - 1] if found else Probe(0, None)
        answer = chain.answer if place >= chain.tokens else probe.answer
        right = answer is not None and answer in self.right_answers
        tokens = max(1, probe.tokens or self._assumed.probe_tokens)
        confidence = probe.confidence
        if confidence is None:
            confidence = self._assumed.score(self._rng(-1 - place), right)
        return Trace(tokens, "stop", "answer", answer, right, max(1e-6, confidence), chain=number)

    def _step(self, parent: Trace | None, *, to_the_end: bool) -> Trace:
        above = None if parent is None else parent.node
        tree = self._tree
        node = tree.run_out(above) if to_the_end and above is not None else tree.child(above)
        return Trace(
            node.tokens,
            node.finish,
            "step",
            node.answer,
            node.right,
            node=node,
            reward=node.reward,
        )

    def _chain(self, number: int) -> Chain:
        if number not in self._chains:
            chains = self._question.chains
            if chains:
                chain = chains[(self._seed + number) % len(chains)]
            else:
                rng = self._rng(1_000_003 + number)
                chain = self._assumed.chain(rng, self._order[number], self._question.samples)
            self._chains[number] = chain
        return self._chains[number]

    @cached_property
    def _tree(self) -> StepTree:
        return StepTree(self._question.steps, self._order, self._rng(0), self._assumed)

    @cached_property
    def right_answers(self) -> frozenset[str]:
        """All that count as right."""
        return right_answers(self._question)

    def _rng(self, number: int) -> Random:
        return seeded(self._seed, number)


def right_answers(question: Question) -> frozenset[str]:
    """The answers that a recording calls right, and the one it was given."""
    parts = (question.samples, question.chains, question.steps)
    found = {one.answer for part in parts for one in part if one.correct and one.answer is not None}
    return frozenset(found if question.gold is None else {*found, question.gold})
