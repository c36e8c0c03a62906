"""A query: a prompt, an algorithm with its limits, and what the caller wants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from dynasor.algorithms import ALGORITHMS, DEFAULT_ALGORITHM, Algorithm
from dynasor.answers.kinds import ANSWER_KINDS, AnswerKind
from dynasor.errors import InvalidField, first_invalid
from dynasor.phrases import Phrases
from dynasor.policies import POLICIES, Policy
from dynasor.registry import Params
from dynasor.terms import Terms

MAX_REFERENCE = 262_144
"""Characters of a reference, as JSON."""


class Sampling(BaseModel):
    """How tokens are drawn; names and meaning are those of vLLM's ``SamplingParams``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(1.0, ge=0.0, le=2.0, description="0 is greedy")
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    top_k: int = Field(0, ge=-1, lt=2**31, description="0 or -1: all tokens")
    min_p: float = Field(0.0, ge=0.0, le=1.0)
    presence_penalty: float = Field(0.0, ge=-2.0, le=2.0)
    frequency_penalty: float = Field(0.0, ge=-2.0, le=2.0)
    repetition_penalty: float = Field(1.0, gt=0.0, le=2.0)
    max_tokens: int | None = Field(
        None, ge=1, description="most tokens of one branch; None: what the context length leaves"
    )
    min_tokens: int = Field(0, ge=0)
    stop: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = Field((), max_length=16)
    stop_token_ids: tuple[int, ...] = Field((), max_length=64)
    ignore_eos: bool = False
    seed: int | None = Field(None, ge=0, lt=2**63)


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """Which program answers a query. Built by `parse_program`, which validates.

    Attributes:
        algorithm: registered name.
        params: the algorithm's parameters.
        policy: registered name of the allocator policy; None: the cluster's default.
        policy_params: the policy's parameters; None with ``policy`` None.
        terms: what the caller wants, and what it may cost.
        answers: what kind of answers its chains give.
        phrases: those that differ from the model's.
        reference: JSON value that verifiers get beside the response: tests, a gold answer.
    """

    algorithm: str
    params: Params
    policy: str | None = None
    policy_params: Params | None = None
    terms: Terms = field(default_factory=Terms)
    answers: AnswerKind = "auto"
    phrases: Phrases = field(default_factory=Phrases)
    reference: Any = None

    def build(self) -> Algorithm[Any, Any]:
        """The algorithm with its parameters, as large as its effort allows, before its first
        event."""
        kind, params = ALGORITHMS.get(self.algorithm, "algorithm"), self.params
        if kind.size is not None and self.terms.effort is not None:
            size = self.terms.level.cap(getattr(params, kind.size))
            params = params.model_copy(update={kind.size: size})
        return kind(params)

    def build_policy(self) -> Policy | None:
        """The policy that it names; None: it takes the cluster's."""
        if self.policy is None:
            return None
        kind = POLICIES.get(self.policy, "policy")
        return kind(self.policy_params or kind.Params())

    def document(self) -> dict[str, Any]:
        """The JSON object that `parse_program` turns into this again."""
        out: dict[str, Any] = {"algorithm": self.algorithm, **self.params.model_dump(mode="json")}
        if self.policy is not None and self.policy_params is not None:
            out["policy"] = {"name": self.policy, **self.policy_params.model_dump(mode="json")}
        out.update(self.terms.model_dump(mode="json", exclude_defaults=True))
        if self.answers != "auto":
            out["answers"] = self.answers
        if self.phrases.model_fields_set:
            out["phrases"] = self.phrases.model_dump(mode="json", exclude_unset=True)
        if self.reference is not None:
            out["reference"] = self.reference
        return out


OWN_FIELDS = ("algorithm", "policy", *Terms.model_fields, "answers", "phrases", "reference")


def parse_program(value: Any, field: str = "program") -> ProgramSpec:
    """Validate a program object: ``{"algorithm": …, "policy": …, <the algorithm's parameters>}``.

    Raises:
        InvalidField: naming the field under ``field`` and what is allowed there.
    """
    if isinstance(value, ProgramSpec):
        return value
    if not isinstance(value, Mapping):
        raise InvalidField(field, f"must be an object, got {type(value).__name__}")
    rest = {key: item for key, item in value.items() if key not in OWN_FIELDS}
    name = value.get("algorithm", DEFAULT_ALGORITHM)
    params = ALGORITHMS.parse(name, rest, f"{field}.algorithm", field, OWN_FIELDS)
    policy, policy_params = _parse_policy(value.get("policy"), f"{field}.policy")
    spec = ProgramSpec(
        algorithm=name,
        params=params,
        policy=policy,
        policy_params=policy_params,
        terms=_parse_terms(value, field),
        answers=_parse_answers(value.get("answers"), f"{field}.answers"),
        phrases=_parse_phrases(value.get("phrases"), f"{field}.phrases"),
        reference=_parse_reference(value.get("reference"), f"{field}.reference"),
    )
    _check_signals(spec, f"{field}.policy")
    return spec


def _check_signals(spec: ProgramSpec, field: str) -> None:
    """Whether the algorithm has the signals that the policy's parameters name."""
    policy = spec.build_policy()
    known = spec.build().stop_hint.thresholds
    for parameter, names in policy.signals.items() if policy is not None else ():
        for name in names:
            if name not in known:
                allowed = ", ".join(sorted(known)) or "none"
                reason = f"{spec.algorithm} has no such signal; known: {allowed}"
                raise InvalidField(f"{field}.{parameter}.{name}", reason)


def _parse_policy(value: Any, field: str) -> tuple[str | None, Params | None]:
    if value is None:
        return None, None
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or "name" not in value:
        raise InvalidField(field, "must be a policy's name or an object with 'name'")
    rest = {key: item for key, item in value.items() if key != "name"}
    return value["name"], POLICIES.parse(value["name"], rest, field, field, ("name",))


def _parse_terms(value: Mapping[str, Any], field: str) -> Terms:
    given = {name: value[name] for name in Terms.model_fields if value.get(name) is not None}
    try:
        return Terms.model_validate(given)
    except ValidationError as error:
        raise first_invalid(error, field, Terms.model_fields) from None


def _parse_answers(value: Any, field: str) -> AnswerKind:
    if value is None:
        return "auto"
    if value not in ANSWER_KINDS:
        allowed = ", ".join(ANSWER_KINDS)
        raise InvalidField(field, f"must be one of {allowed}; got {value!r:.60}")
    kind: AnswerKind = value
    return kind


def _parse_phrases(value: Any, field: str) -> Phrases:
    if value is None:
        return Phrases()
    if not isinstance(value, Mapping):
        raise InvalidField(field, f"must be an object, got {type(value).__name__}")
    try:
        return Phrases.model_validate(dict(value))
    except ValidationError as error:
        raise first_invalid(error, field, Phrases.model_fields) from None


def _parse_reference(value: Any, field: str) -> Any:
    try:
        size = len(json.dumps(value))
    except (TypeError, ValueError) as error:
        raise InvalidField(field, f"must be a JSON value: {error}") from None
    if size > MAX_REFERENCE:
        raise InvalidField(field, f"must be at most {MAX_REFERENCE} characters of JSON, got {size}")
    return value


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Annotated[str, Field(pattern="^(system|developer|user|assistant|tool)$")]
    content: str


class Query(BaseModel):
    """What a caller asks: exactly one of ``prompt`` (raw text) and ``messages`` (a conversation).

    ``Query(prompt=…, program={"max_branches": 16, "deadline_s": 10})``

    Raises:
        pydantic.ValidationError: naming the field and what is allowed there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    prompt: str | None = Field(None, min_length=1)
    messages: tuple[Message, ...] | None = Field(None, min_length=1)
    program: Annotated[
        ProgramSpec, BeforeValidator(parse_program), PlainSerializer(ProgramSpec.document)
    ] = Field(default_factory=lambda: parse_program({}))
    sampling: Sampling = Sampling()

    @property
    def question(self) -> str:
        """The query in its own words: the prompt, or what the user said last."""
        if self.prompt is not None:
            return self.prompt
        said = [message.content for message in self.messages or () if message.role == "user"]
        return said[-1] if said else ""

    @model_validator(mode="after")
    def _one_prompt(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise InvalidField("prompt", "give exactly one of 'prompt' and 'messages'")
        return self
