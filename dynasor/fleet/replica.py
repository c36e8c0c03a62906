"""A replica as the core sees it: what it holds and what runs there."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynasor.fleet.prefix import PrefixIndex
from dynasor.messages import ReplicaInfo


@dataclass(slots=True)
class Run:
    """One placement of a branch.

    Attributes:
        lease: tokens the branch may have generated in all.
        limit: tokens it may ever generate; no lease goes beyond.
        prompt: tokens of the program's prompt, shared by its runs here.
        prefix: tokens of the algorithm's prefix.
        stopping: a stop command is on its way.
    """

    id: int
    program: str
    branch: int
    lease: int
    limit: int
    prompt: int
    prefix: int
    stopping: bool = False


@dataclass(slots=True)
class Replica:
    """A live replica. Only the core changes it.

    Attributes:
        heard_at: when it last polled or reported.
        opened: programs whose prompt it was sent.
    """

    id: str
    info: ReplicaInfo
    heard_at: float
    prefixes: PrefixIndex
    runs: dict[int, Run] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)

    @property
    def free_slots(self) -> int:
        return self.info.slots - len(self.runs)

    @property
    def kv_reserved(self) -> int:
        """Tokens its runs may fill: each program's prompt once, and every run's lease."""
        prompts = {run.program: run.prompt for run in self.runs.values()}
        return sum(prompts.values()) + sum(run.prefix + run.lease for run in self.runs.values())

    def fits(self, service: str, program: str, prompt: int, own: int) -> bool:
        """Whether it offers ``service``, and has room for a run of ``program`` that may fill
        ``own`` tokens after a prompt of ``prompt`` tokens, which counts only if no run shares it
        here already.

        An idle replica takes any run: refusing would block the run for ever.
        """
        if service not in self.info.services or self.free_slots < 1:
            return False
        shared = any(run.program == program for run in self.runs.values())
        need = own if shared else own + prompt
        return not self.runs or self.kv_reserved + need <= self.info.kv_tokens
