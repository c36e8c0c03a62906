"""The JSON document of a benchmark's run: what was run where, every query, every figure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from cluster.workload.served import Served

SCHEMA = 1


class _Model(BaseModel):
    # JSON has no nan: it becomes a string, which is read back as a number.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class Measure(_Model):
    """One figure with its 95% confidence interval.

    Attributes:
        name: unique in its document, such as ``online/value/1.5/in_time``.
        unit: "" for shares and ratios.
        low, high: of the interval; the value itself where there is none.
        better: which direction is an improvement; None: neither is.
        goal: what was hoped for, in the direction of ``better``; None: nothing.
        repeats: the value of each repeat, where there are several.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    goal: float | None = None
    repeats: tuple[float, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None: there is none."""
        if self.goal is None or self.better is None:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal


class Run(_Model):
    """One system under one load.

    Attributes:
        load: what was varied, such as ``{"rate": 1.5, "repeat": 0}``.
        timeline: samples over time: ``{"at_s": …, <name>: number}``; or of one program's share,
            ``{"at_s": …, "program": number, "running": branches}``.
    """

    system: str
    load: dict[str, float] = {}
    served: tuple[Served, ...] = ()
    wall_s: float = 0.0
    client_cpu: float = 0.0
    timeline: tuple[dict[str, float], ...] = ()


class Document(_Model):
    """A whole run of a benchmark.

    Attributes:
        bench: "batch", "online", "overhead", "scale", "simulate", "fidelity".
        command: exactly what was typed.
        machine: processor, cores, memory, load at the beginning.
        versions: of the project, Python, the engine and everything below it.
        settings: what the command's options and files said.
        notes: what a reader has to know, such as what fell short.
    """

    schema_version: Literal[1] = 1
    bench: str
    command: str
    started: str = Field(description="ISO 8601, UTC")
    machine: dict[str, Any] = {}
    versions: dict[str, str] = {}
    seeds: tuple[int, ...] = ()
    settings: dict[str, Any] = {}
    measures: tuple[Measure, ...] = ()
    runs: tuple[Run, ...] = ()
    notes: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _with_version(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The schema's version is also there where defaults are left out."""
        return {"schema_version": self.schema_version, **handler(self)}
