"""A workload: questions, arrivals, and how they are asked, as a YAML file says it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, islice
from pathlib import Path
from random import Random
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from cluster.workload.arrivals import Arrivals, Seconds
from cluster.workload.difficulty import Difficulties
from cluster.workload.files import read_bytes, read_recording
from cluster.workload.parametric import Parametric
from cluster.workload.paths import DIRECTORY, RelativePath
from cluster.workload.refused import refused
from cluster.workload.request import Request
from dynasor.algorithms import PLAIN
from dynasor.errors import InvalidField
from dynasor.query import parse_program
from dynasor.replay.recording import Question

Name = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,39}$")]
NOT_OF_A_KIND = ("policy", "deadline_s", "tenant")
"""Fields of a program object that a kind leaves open: they come from elsewhere."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kind(_Model):
    """Queries that are asked in the same way."""

    name: Name
    share: float = Field(1.0, gt=0, allow_inf_nan=False, description="relative to the other kinds")
    tenant: str = Field("", max_length=128, description="whose they are; empty: nobody's")
    system: str = Field("", description="message of the system that comes before the question")
    program: dict[str, Any] = Field({"algorithm": PLAIN}, description="of the request")

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        field = f"kinds.{self.name}.program"
        for name in NOT_OF_A_KIND:
            if name in self.program:
                raise InvalidField(f"{field}.{name}", "must be left out")
        parse_program(self.program, field)
        return self


class Deadline(_Model):
    """Deadlines that grow with the question: ``slo_scale`` times its difficulty times ``base_s``
    (arXiv 2412.20993).

    Attributes:
        base_s: what an average question takes alone in an empty cluster, for all kinds or by name;
            None: it is measured first, see `Workload.with_deadlines`.
    """

    slo_scale: float = Field(gt=0, allow_inf_nan=False)
    base_s: Seconds | dict[Name, Seconds] | None = None

    def base_of(self, kind: str) -> float:
        """Of the queries of a kind. Raises ValueError: it is open."""
        if self.base_s is None:
            raise ValueError("deadline.base_s must be given, or measured first")
        return self.base_s[kind] if isinstance(self.base_s, dict) else self.base_s


class Synthetic(_Model):
    """Questions that are drawn, not recorded."""

    parametric: Parametric


Questions = Annotated[
    Annotated[RelativePath, Tag("file")] | Annotated[Synthetic, Tag("drawn")],
    Discriminator(lambda value: "drawn" if isinstance(value, dict | Synthetic) else "file"),
]


class Workload(_Model):
    """What is asked, and when.

    Attributes:
        questions: a recording, or parameters of questions to draw.
        queries, seconds: the first of these bounds that is reached ends it.
    """

    questions: Questions
    arrivals: Arrivals
    queries: int | None = Field(None, ge=1)
    seconds: float | None = Field(None, gt=0, allow_inf_nan=False)
    kinds: tuple[Kind, ...] = Field((Kind(name="plain"),), min_length=1)
    deadline: Deadline | None = None
    seed: int = Field(0, ge=0)

    def requests(self, seed: int | None = None) -> Iterator[Request]:
        """Its queries in the order of their arrival; equal seeds, equal queries. None: its own.

        What is asked does not depend on when: other arrivals change the times only. Every question
        is asked once before any is asked again.

        Raises:
            ValueError: the questions or arrivals can't be read, or the base of deadlines is open.
        """
        seed = self.seed if seed is None else seed
        places = _places(len(self._questions), Random(f"questions:{seed}"))
        mix, inner = Random(f"kinds:{seed}"), Random(f"requests:{seed}")
        shares = [*accumulate(kind.share for kind in self.kinds)]
        for number, arrival in enumerate(islice(self.arrivals.arrivals(seed), self.queries)):
            if self.seconds is not None and arrival.at_s >= self.seconds:
                return
            kind, place = mix.choices(self.kinds, cum_weights=shares)[0], next(places)
            yield Request(
                number=number,
                at_s=arrival.at_s,
                kind=kind.name,
                question=place,
                program=kind.program,
                tenant=kind.tenant,
                deadline_s=self._deadline_s(kind.name, place),
                seed=inner.getrandbits(31),
                input_tokens=arrival.input_tokens,
                prefix_ids=arrival.prefix_ids,
            )

    def read_questions(self) -> Sequence[Question]:
        """Its questions; a request's ``question`` is a place in them. They are read once.

        Raises:
            ValueError: the recording can't be read.
        """
        return self._questions

    def kind(self, name: str) -> Kind:
        """The kind of a request. Raises KeyError: there is none of this name."""
        return {kind.name: kind for kind in self.kinds}[name]

    def at_rate(self, rate: float) -> Self:
        """The same with so many arrivals per second, in the mean."""
        arrivals = self.arrivals.scaled(rate / self.arrivals.mean_rate)
        return self.model_copy(update={"arrivals": arrivals})

    def with_deadlines(self, slo_scale: float, base_s: float | dict[str, float]) -> Self:
        """The same with other deadlines, such as from a measured base."""
        deadline = Deadline(slo_scale=slo_scale, base_s=base_s)
        return self.model_copy(update={"deadline": deadline})

    def _deadline_s(self, kind: str, place: int) -> float | None:
        """Raises ValueError: the base is open."""
        if self.deadline is None:
            return None
        return self.deadline.slo_scale * self._difficulties.of(place) * self.deadline.base_of(kind)

    @cached_property
    def _questions(self) -> Sequence[Question]:
        if isinstance(self.questions, Synthetic):
            return self.questions.parametric.read()
        return read_recording(self.questions)

    @cached_property
    def _difficulties(self) -> Difficulties:
        return Difficulties(self._questions)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        names = [kind.name for kind in self.kinds]
        if len(set(names)) < len(names):
            raise ValueError("kinds: every kind needs a name of its own")
        if self.queries is None and self.seconds is None:
            raise ValueError("give queries, seconds, or both: the arrivals have no end")
        base = None if self.deadline is None else self.deadline.base_s
        if isinstance(base, dict) and (missing := set(names) - base.keys()):
            raise ValueError(f"deadline.base_s lacks kind {min(missing)}")
        return self


def read_workload(path: Path) -> Workload:
    """The part ``workload`` of a YAML file; whatever else is in it is left alone.

    Raises:
        ValueError: it can't be read or is no workload; names the file and the field.
    """
    try:
        document = yaml.safe_load(read_bytes(path))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: no YAML: {error}") from None
    if not isinstance(document, dict) or "workload" not in document:
        raise ValueError(f"{path}: needs an object 'workload'")
    try:
        return Workload.model_validate(document["workload"], context={DIRECTORY: path.parent})
    except ValidationError as error:
        raise ValueError(f"{path}: {refused(error, Workload, 'workload')}") from None


def _places(number: int, rng: Random) -> Iterator[int]:
    """All places in a random order, then all in another one, and so on."""
    places = list(range(number))
    while True:
        rng.shuffle(places)
        yield from places
