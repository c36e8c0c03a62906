"""What a comparison of algorithms compares: the rows of its table and what is expected of them.

All of it is data, for every row is a request that a user could send.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dynasor.algorithms import PLAIN
from dynasor.query import parse_program

ROWS = Path(__file__).with_name("rows.yaml")
MAJORITY_AT_EQUAL_TOKENS = "majority-at-equal-tokens"
"""What a row may be expected to beat beside another row: see `cluster.bench.majority`."""

Name = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,39}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Model):
    """One row of the table: a program that every problem is put under.

    Raises:
        pydantic.ValidationError: no such algorithm or policy, or a parameter that it refuses.
    """

    name: Name
    program: dict[str, Any] = Field({"algorithm": PLAIN}, description="of the request")
    hard: bool = Field(False, description="ask the bundled model to think hard: one long chain")
    baseline: Name | None = Field(
        None, description="row that its accuracy and thinking tokens are compared with"
    )

    @cached_property
    def plain(self) -> bool:
        """Its chains come as they are, and none of them is the answer."""
        return parse_program(self.program).build().completions is not None

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        parse_program(self.program)
        return self


class Expectation(_Model):
    """A row against another one, or against majority voting: a difference or a ratio, and exactly
    one bound of it."""

    row: Name
    metric: Literal["accuracy", "tokens", "thinking_tokens"] = Field(
        description="accuracy: the difference in percentage points; the others: the ratio"
    )
    than: Name
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def bound(self) -> tuple[Literal["above", "at least", "at most"], float]:
        """The bound that is given."""
        if self.above is not None:
            return "above", self.above
        if self.at_least is not None:
            return "at least", self.at_least
        assert self.at_most is not None, "one bound is given"
        return "at most", self.at_most

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        given = [b for b in (self.above, self.at_least, self.at_most) if b is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of above, at_least and at_most")
        if self.than == MAJORITY_AT_EQUAL_TOKENS and self.metric != "accuracy":
            raise ValueError(f"{self.than} has another accuracy only, not other tokens")
        return self


class Sheet(_Model):
    """Rows, the row that all tokens are compared with, and what is expected.

    Attributes:
        majority: a row of fixed N: majority voting at equal tokens is computed from its chains.
    """

    majority: Name
    rows: tuple[Row, ...] = Field(min_length=1)
    expect: tuple[Expectation, ...] = ()

    def chosen(self, names: Sequence[str] | None) -> tuple[Row, ...]:
        """The rows of these names, in the order of the sheet; None: all of them.

        Raises:
            ValueError: there is no such row.
        """
        if names is None:
            return self.rows
        known = [row.name for row in self.rows]
        for name in names:
            if name not in known:
                raise ValueError(f"unknown row {name!r}; known: {', '.join(known)}")
        return tuple(row for row in self.rows if row.name in names)

    @model_validator(mode="after")
    def _refers_to_rows(self) -> Self:
        names = [row.name for row in self.rows]
        doubled = [name for name in names if names.count(name) > 1]
        if doubled or MAJORITY_AT_EQUAL_TOKENS in names:
            raise ValueError(f"the name {(*doubled, MAJORITY_AT_EQUAL_TOKENS)[0]!r} is taken")
        used = [self.majority, *(row.baseline for row in self.rows if row.baseline is not None)]
        for expectation in self.expect:
            used += [expectation.row, expectation.than]
        for name in used:
            if name not in (*names, MAJORITY_AT_EQUAL_TOKENS):
                raise ValueError(f"there is no row {name!r}")
        return self


def read_sheet(path: Path = ROWS) -> Sheet:
    """The rows in a YAML file.

    Raises:
        OSError: it can't be read.
        yaml.YAMLError: it is no YAML.
        pydantic.ValidationError: it says something that no request may say, or refers to no row.
    """
    return Sheet.model_validate(yaml.safe_load(path.read_text()))
