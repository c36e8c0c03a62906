"""What a simulation's YAML file says: ``simulation:`` here, ``workload:`` in `cluster.workload`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cluster.settings import EngineSettings, Settings
from cluster.sim.faults import Fault, Restart
from cluster.sim.outcomes.assumed import Assumed
from cluster.sim.profile import EngineProfile, read_profile
from cluster.workload.paths import DIRECTORY, RelativePath
from cluster.workload.refused import refused
from cluster.workload.workload import Workload
from dynasor.errors import InvalidField, first_invalid
from dynasor.messages import ReplicaInfo
from dynasor.query import parse_program
from dynasor.work import REWARD

Document = dict[str, Any]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class System(_Model):
    """A cluster that is simulated: the application's, with other settings of its controller."""

    name: Annotated[str, Field(pattern=r"^[\w.+-]{1,40}$")]
    controller: Document = Field({}, description="as `args.controller` of a Serve config")


class TimelineSettings(_Model):
    """What is told of how things went over time."""

    period_s: float = Field(
        1.0, gt=0, description="between two samples; doubled whenever there are too many"
    )
    samples: int = Field(600, ge=2, description="most that are kept")
    programs: int = Field(60, ge=0, description="first ones whose running branches are told")


class Simulation(_Model):
    """A cluster in virtual time.

    Attributes:
        application: a Serve config, whose ``args`` are taken, and its numbers of replicas.
        args: over these, field by field.
        slots, kv_tokens, block_size, max_num_batched_tokens: of engines that generate; None: what
            ``args.engine`` says explicitly, else the profile.
    """

    profile: str = Field("cpu_abacus", description="one that ships, or a .json file")
    application: RelativePath | None = None
    args: Document = {}
    replicas: int | None = Field(None, ge=1, le=10_000, description="engines that generate")
    scorers: int | None = Field(None, ge=0, le=10_000, description="engines that judge")
    systems: tuple[System, ...] = Field(
        (), description="to compare on the same workload; none: the application as it is"
    )
    load: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="of the arrivals, as a multiple of what the engines are estimated to sustain "
        "under policy even; their own rate counts no more; None: it does",
    )
    slots: int | None = Field(None, ge=1)
    kv_tokens: int | None = Field(None, ge=1)
    block_size: int | None = Field(None, ge=1)
    max_num_batched_tokens: int | None = Field(None, ge=1)
    max_tokens: int | None = Field(None, ge=1, description="of one branch; None: no limit")
    faults: tuple[Fault, ...] = ()
    assumed: Assumed = Assumed()
    timeline: TimelineSettings = TimelineSettings()
    keep: int = Field(
        20_000, ge=1, description="queries that are kept one by one; beyond, a regular sample"
    )


class Scenario(_Model):
    """A whole file: `Simulation` and `Workload`, and what they refer to.

    Attributes:
        settings: the application's, value models and logs left out that it would write.
    """

    simulation: Simulation
    workload: Workload
    settings: Settings
    profile: EngineProfile
    replicas: int = Field(ge=1)
    scorers: int = Field(ge=0)

    @property
    def systems(self) -> tuple[System, ...]:
        """Those to compare; at least one."""
        policy = self.settings.controller.policy
        return self.simulation.systems or (System(name=policy),)

    def settings_of(self, system: System) -> Settings:
        """The application of a system. Raises InvalidField: naming the field at fault."""
        document = self.settings.model_dump(mode="json", exclude_unset=True)
        controller = document.get("controller", {})
        own = self.settings.controller.policy
        if system.controller.get("policy", own) != own:
            # Parameters are those of the application's policy.
            controller.pop("policy_params", None)
        document["controller"] = _merged(controller, system.controller)
        return _settings(document, f"systems.{system.name}")

    def info(self, engine: EngineSettings) -> ReplicaInfo:
        """Of a replica with this engine; ``settings.engine`` or ``settings.reward``."""
        judges = engine is self.settings.reward
        sizes = {} if judges else self.simulation.model_dump(exclude_none=True)
        given, profile = engine.model_fields_set, self.profile
        slots = engine.max_num_seqs if "max_num_seqs" in given else profile.slots
        block = engine.block_size if "block_size" in given else profile.block_size
        model = self.settings.reward if judges else self.settings.model
        assert model is not None, "engines that judge have a model"
        return ReplicaInfo(
            slots=sizes.get("slots", slots),
            kv_tokens=sizes.get("kv_tokens", profile.kv_tokens),
            block_size=sizes.get("block_size", block),
            max_model_len=model.max_model_len,
            services=(REWARD,) if judges else ("generate", *engine.verifiers),
        )

    def batched_tokens(self, engine: EngineSettings) -> int:
        """Most tokens of one of its steps."""
        if "max_num_batched_tokens" in engine.model_fields_set:
            own = engine.max_num_batched_tokens
        else:
            own = self.profile.max_num_batched_tokens
        judges = engine is self.settings.reward
        return own if judges else self.simulation.max_num_batched_tokens or own

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.scorers and self.profile.reward is None:
            reason = f"profile {self.profile.name!r} has no engine that judges; must be 0"
            raise InvalidField("simulation.scorers", reason)
        names = [system.name for system in self.simulation.systems]
        if len(set(names)) < len(names):
            raise InvalidField("simulation.systems", "every system needs a name of its own")
        for place, fault in enumerate(self.simulation.faults):
            if not isinstance(fault, Restart) and fault.replica >= self.replicas:
                raise InvalidField(
                    f"simulation.faults.{place}.replica",
                    f"must be below {self.replicas}, got {fault.replica}",
                )
        for kind in self.workload.kinds:
            scorer = parse_program(kind.program).build().scorer
            if scorer is not None and scorer not in self.settings.scorers:
                known = ", ".join(self.settings.scorers) or "none"
                raise InvalidField(
                    f"workload.kinds.{kind.name}",
                    f"nobody of the name {scorer!r} judges; known: {known}",
                )
        return self


def read_scenario(path: Path, over: Document | None = None) -> Scenario:
    """A simulation's file.

    Args:
        over: fields that count instead of the file's, as it would say them; what is null there is
            left open. Relative paths begin at the file's directory in both.

    Raises:
        ValueError: it can't be read, or says something that is not allowed; names the file and the
            field.
    """
    document = _merged(_read_yaml(path), over or {})
    unknown = sorted(document.keys() - {"simulation", "workload"})
    if unknown:
        raise ValueError(f"{path}: {unknown[0]}: unknown field; allowed: simulation, workload")
    context = {DIRECTORY: path.parent}
    try:
        simulation = Simulation.model_validate(document.get("simulation") or {}, context=context)
    except ValidationError as error:
        raise ValueError(f"{path}: {refused(error, Simulation, 'simulation')}") from None
    try:
        workload = Workload.model_validate(document.get("workload") or {}, context=context)
    except ValidationError as error:
        raise ValueError(f"{path}: {refused(error, Workload, 'workload')}") from None
    return scenario(simulation, workload, path)


def scenario(simulation: Simulation, workload: Workload, path: Path) -> Scenario:
    """What both refer to, read. Raises ValueError: see `read_scenario`; ``path`` is named."""
    args, replicas, scorers = simulation.args, 1, 0
    if simulation.application is not None:
        application = _application(simulation.application)
        args = _merged(application.get("args") or {}, simulation.args)
        counts = {
            one["name"]: one.get("num_replicas") for one in application.get("deployments", ())
        }
        replicas = _count(counts.get("Engine"), 1)
        scorers = _count(counts.get("Scorer"), 1) if args.get("reward") else 0
    settings = _settings(args, "args")
    controller = settings.controller.model_copy(
        update={"value_model_save": None, "event_log": None}
    )
    profile = simulation.profile
    try:
        return Scenario(
            simulation=simulation,
            workload=workload,
            settings=settings.model_copy(update={"controller": controller}),
            profile=read_profile(
                str(path.parent / profile) if profile.endswith(".json") else profile
            ),
            replicas=replicas if simulation.replicas is None else simulation.replicas,
            scorers=scorers if simulation.scorers is None else simulation.scorers,
        )
    except ValidationError as error:
        raise ValueError(f"{path}: {first_invalid(error)}") from None


def _settings(document: Document, prefix: str) -> Settings:
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        raise first_invalid(error, prefix) from None


def _application(path: Path) -> Document:
    try:
        found: Document = _read_yaml(path)["applications"][0]
    except (KeyError, IndexError, TypeError):
        raise ValueError(f"{path}: no Serve config (it needs a list of applications)") from None
    return found


def _read_yaml(path: Path) -> Document:
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: no YAML: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path}: must be an object, got {type(document).__name__}")
    return document


def _count(given: Any, otherwise: int) -> int:
    return given if isinstance(given, int) else otherwise


def _merged(document: Document, over: Document) -> Document:
    """A document with another one's fields over its own, objects within objects too."""
    merged = dict(document)
    for name, value in over.items():
        known = merged.get(name)
        both = isinstance(known, dict) and isinstance(value, dict)
        merged[name] = _merged(known, value) if both else value  # type: ignore[arg-type]
    return merged
