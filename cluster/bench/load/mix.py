"""What a load is made of: kinds of queries and their shares. Data: see `mix.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cluster.bench.rows import Row
from dynasor.query import parse_program

MIX = Path(__file__).parents[1] / "mix.yaml"


class Kind(Row):
    """Queries under one program. ``share``: relative to the other kinds."""

    share: float = Field(gt=0, allow_inf_nan=False)

    def under(self, policy: str, deadline_s: float | None = None) -> dict[str, Any]:
        """The program object of a request."""
        program = {**self.program, "policy": policy}
        return program if deadline_s is None else {**program, "deadline_s": deadline_s}

    @model_validator(mode="after")
    def _leaves_the_policy_open(self) -> Self:
        if "policy" in self.program:
            raise ValueError(f"kind {self.name}: the policy comes from the command line")
        return self


class Mix(BaseModel):
    """Kinds of queries, by share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] = Field(min_length=1)

    def draw(self, rng: Random) -> Kind:
        """One kind, by share."""
        return rng.choices(self.kinds, [kind.share for kind in self.kinds])[0]

    def check(self, policies: Sequence[str]) -> None:
        """Whether every kind can be asked under every policy. Raises InvalidField."""
        for policy in policies:
            for kind in self.kinds:
                parse_program(kind.under(policy))

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [kind.name for kind in self.kinds]
        if len(set(names)) < len(names):
            raise ValueError("every kind needs a name of its own")
        return self


def read_mix(path: Path = MIX) -> Mix:
    """The mix in a YAML file.

    Raises:
        OSError: it can't be read.
        yaml.YAMLError: it is no YAML.
        pydantic.ValidationError: it says something that no request may say.
    """
    return Mix.model_validate(yaml.safe_load(path.read_text()))
