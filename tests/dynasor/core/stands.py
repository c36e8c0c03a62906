"""Worlds and policies that the tests of the core share."""

from __future__ import annotations

from collections.abc import Callable

from dynasor.policies import Policy, ProgramView, Verdict
from dynasor.policies.even import EvenParams
from tests.dynasor.simulated import Chain
from tests.dynasor.world import World

Register = Callable[[type[Policy]], type[Policy]]


def lengths(*of: int, answer: str = "42") -> Callable[[str, int], Chain]:
    """Branch i has ``of[i]`` tokens, the last one from there on."""
    return lambda _, branch: Chain(of[min(branch, len(of) - 1)], answer)


def world(*args: object, slots: int = 8, **knobs: object) -> World:
    """A world with one replica, "a"."""
    made = World(*args, **knobs)  # type: ignore[arg-type]
    made.attach("a", slots=slots)
    return made


class FirstAnswer(Policy):
    """Settled as soon as there is any answer."""

    name = "first_answer"
    Params = EvenParams

    def verdict(self, program: ProgramView) -> Verdict:
        return Verdict(None, "certain" if program.certaindex().votes else None)


class Defective(Policy):
    """Raises as soon as a chain has ended."""

    name = "defective"
    Params = EvenParams

    def verdict(self, program: ProgramView) -> Verdict:
        if program.active < program.started:
            raise ZeroDivisionError("a defect")
        return Verdict(None)


class OneLease(Policy):
    """Everything is started; nobody goes on beyond the first lease, unless it is generous."""

    name = "one_lease"
    Params = EvenParams
    generous = False

    def verdict(self, program: ProgramView) -> Verdict:
        return Verdict(None)

    def renew(self, program: ProgramView) -> bool:
        return self.generous or program.generated == 0
