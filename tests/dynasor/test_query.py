"""What a caller may ask, and what an error says: the field, and what is allowed there."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dynasor.algorithms import ALGORITHMS
from dynasor.errors import InvalidField, Overloaded, first_invalid
from dynasor.policies import POLICIES
from dynasor.query import ProgramSpec, Query, Sampling, parse_program
from dynasor.registry import Params, Registry
from dynasor.settings import CoreSettings


def refused(**query: Any) -> InvalidField:
    with pytest.raises(ValidationError) as caught:
        Query.model_validate({"prompt": "1+1?", **query})
    return first_invalid(caught.value)


class TestProgram:
    def test_defaults(self) -> None:
        spec = parse_program({})
        assert spec.algorithm == "self_consistency"
        assert (spec.policy, spec.policy_params, spec.terms.deadline_s) == (None, None, None)

    @pytest.mark.parametrize(
        ("program", "field", "words"),
        [
            ([], "program", ["object", "list"]),
            ({"algorithm": "majority"}, "program.algorithm", ["majority", *ALGORITHMS]),
            ({"algorithm": None}, "program.algorithm", ["None", *ALGORITHMS]),
            ({"algorithm": ["sample"]}, "program.algorithm", [*ALGORITHMS]),
            ({"branches": 3}, "program.branches", ["max_branches", "policy", "deadline_s"]),
            ({"max_branches": 0}, "program.max_branches", ["1", "got 0"]),
            ({"max_branches": 257}, "program.max_branches", ["256", "got 257"]),
            ({"max_branches": 2.5}, "program.max_branches", ["integer", "2.5"]),
            ({"algorithm": "sample", "n": 0}, "program.n", ["1", "got 0"]),
            ({"algorithm": "sample", "max_branches": 3}, "program.max_branches", ["n"]),
            ({"policy": "magic"}, "program.policy", ["magic", *POLICIES]),
            ({"policy": {"name": "magic"}}, "program.policy", ["magic", *POLICIES]),
            ({"policy": 3}, "program.policy", ["name"]),
            ({"policy": {"knob": 3}}, "program.policy", ["name"]),
            (
                {"policy": {"name": "threshold", "thresholds": {"mood": 0.5}}},
                "program.policy.thresholds.mood",
                ["entropy"],
            ),
            ({"answers": "poem"}, "program.answers", ["math", "choice", "text", "code"]),
            ({"phrases": {"stpe": "x"}}, "program.phrases.stpe", ["step", "probe"]),
            ({"phrases": {"probe": "so?"}}, "program.phrases.probe", ["so?"]),
            ({"reference": "x" * 300_000}, "program.reference", ["262144"]),
            ({"policy": {"name": "even", "knob": 3}}, "program.policy.knob", ["name"]),
            (
                {"policy": {"name": "threshold", "konb": 3}},
                "program.policy.konb",
                ["knob", "threshold", "wave"],
            ),
            (
                {"policy": {"name": "threshold", "threshold": 1.5}},
                "program.policy.threshold",
                ["1", "1.5"],
            ),
            (
                {"policy": {"name": "threshold", "threshold": float("nan")}},
                "program.policy.threshold",
                ["nan"],
            ),
            ({"deadline_s": 0}, "program.deadline_s", ["greater than 0", "got 0"]),
            ({"deadline_s": -1}, "program.deadline_s", ["greater than 0", "-1"]),
            ({"deadline_s": 86_401}, "program.deadline_s", ["86400", "86401"]),
            ({"deadline_s": float("nan")}, "program.deadline_s", ["finite number", "nan"]),
            ({"deadline_s": "3"}, "program.deadline_s", ["valid number", "'3'"]),
            ({"deadline_s": True}, "program.deadline_s", ["valid number", "True"]),
        ],
    )
    def test_an_error_names_the_field_and_what_is_allowed(
        self, program: Any, field: str, words: list[str]
    ) -> None:
        with pytest.raises(InvalidField) as caught:
            parse_program(program)
        assert caught.value.field == field
        for word in words:
            assert word in caught.value.reason
        assert str(caught.value).startswith(f"{field}: ")
        through_query = refused(program=program)
        assert (through_query.field, through_query.reason) == (field, caught.value.reason)

    def test_the_field_is_named_as_the_caller_wrote_it(self) -> None:
        with pytest.raises(InvalidField) as caught:
            parse_program({"policy": {"name": "threshold", "knob": 0}}, "extra_body.dynasor")
        assert caught.value.field == "extra_body.dynasor.policy.knob"

    def test_a_policy_is_a_name_or_an_object(self) -> None:
        assert parse_program({"policy": "even"}) == parse_program({"policy": {"name": "even"}})

    def test_what_is_parsed_is_taken_as_it_is(self) -> None:
        spec = parse_program({"max_branches": 3})
        assert parse_program(spec) is spec


class TestQuery:
    @pytest.mark.parametrize(
        ("query", "field", "words"),
        [
            ({"prompt": None}, "prompt", ["prompt", "messages"]),
            ({"messages": [{"role": "user", "content": "x"}]}, "prompt", ["exactly one"]),
            ({"prompt": ""}, "prompt", ["at least 1"]),
            ({"prompt": None, "messages": []}, "messages", ["at least 1"]),
            (
                {"prompt": None, "messages": [{"role": "bot", "content": "x"}]},
                "messages.0.role",
                ["system", "user", "assistant", "bot"],
            ),
            ({"prompt": None, "messages": [{"role": "user"}]}, "messages.0.content", ["required"]),
            ({"promt": "x"}, "promt", ["unknown"]),
            ({"sampling": {"temperature": 2.1}}, "sampling.temperature", ["2", "2.1"]),
            ({"sampling": {"temperature": float("nan")}}, "sampling.temperature", ["nan"]),
            ({"sampling": {"top_p": 0}}, "sampling.top_p", ["greater than 0"]),
            ({"sampling": {"top_k": -2}}, "sampling.top_k", ["-1", "-2"]),
            ({"sampling": {"max_tokens": 0}}, "sampling.max_tokens", ["1", "got 0"]),
            ({"sampling": {"seed": 2**63}}, "sampling.seed", [str(2**63)]),
            ({"sampling": {"seed": -1}}, "sampling.seed", ["0", "-1"]),
            ({"sampling": {"stop": [""]}}, "sampling.stop.0", ["at least 1"]),
            ({"sampling": {"stop": ["x"] * 17}}, "sampling.stop", ["16"]),
            ({"sampling": {"temp": 1}}, "sampling.temp", ["unknown"]),
        ],
    )
    def test_an_error_names_the_field_and_what_is_allowed(
        self, query: dict[str, Any], field: str, words: list[str]
    ) -> None:
        error = refused(**query)
        assert error.field == field
        for word in words:
            assert word in error.reason

    def test_known_fields_are_listed_where_the_caller_knows_them(self) -> None:
        with pytest.raises(ValidationError) as caught:
            Sampling.model_validate({"temp": 1})
        error = first_invalid(caught.value, "sampling", Sampling.model_fields)
        assert error.field == "sampling.temp"
        assert "temperature" in error.reason and "top_p" in error.reason

    def test_a_long_value_is_cut_in_the_message(self) -> None:
        assert len(refused(sampling={"max_tokens": "x" * 1000}).reason) < 200

    def test_is_immutable(self) -> None:
        query = Query(prompt="x")
        with pytest.raises(ValidationError):
            query.prompt = "y"  # type: ignore[misc]


programs = st.one_of(
    st.fixed_dictionaries(
        {"algorithm": st.just("self_consistency")},
        optional={"max_branches": st.integers(1, 256)},
    ),
    st.fixed_dictionaries({"algorithm": st.just("sample")}, optional={"n": st.integers(1, 256)}),
)
policies = st.one_of(
    st.sampled_from(["even", "threshold"]),
    st.fixed_dictionaries(
        {"name": st.just("threshold")},
        optional={
            "threshold": st.floats(0, 1),
            "knob": st.integers(1, 256),
            "wave": st.integers(1, 256),
        },
    ),
)
extras = st.fixed_dictionaries(
    {}, optional={"policy": policies, "deadline_s": st.floats(1e-3, 86_400)}
)
samplings = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0.01, 1),
        "max_tokens": st.integers(1, 10_000),
        "seed": st.integers(0, 2**63 - 1),
        "stop": st.lists(st.text(min_size=1, max_size=9), max_size=4),
        "stop_token_ids": st.lists(st.integers(0, 99_999), max_size=4),
        "ignore_eos": st.booleans(),
    },
)


class TestRoundTrip:
    @given(programs, extras)
    def test_a_program_is_its_document(
        self, program: dict[str, Any], extra: dict[str, Any]
    ) -> None:
        spec = parse_program({**program, **extra})
        assert isinstance(spec, ProgramSpec)
        assert parse_program(spec.document()) == spec

    @given(programs, extras, samplings, st.booleans())
    def test_a_query_survives_json(
        self, program: dict[str, Any], extra: dict[str, Any], sampling: dict[str, Any], chat: bool
    ) -> None:
        text: dict[str, Any] = {"prompt": "1+1?"}
        if chat:
            text = {"messages": [{"role": "user", "content": "1+1?"}]}
        query = Query.model_validate(
            {**text, "program": {**program, **extra}, "sampling": sampling}
        )
        assert Query.model_validate_json(query.model_dump_json()) == query
        assert Query.model_validate_json(query.model_dump_json(exclude_none=True)) == query
        assert pickle.loads(pickle.dumps(query)) == query


class TestRegistry:
    def test_a_name_is_taken_once(self) -> None:
        registry: Registry[Any] = Registry("fruit")

        class Apple:
            name = "apple"
            Params = Params

        registry.register(Apple)
        assert registry.get("apple", "x") is Apple
        with pytest.raises(ValueError, match=r"fruit 'apple' is registered twice"):
            registry.register(Apple)

    def test_names_come_sorted(self) -> None:
        assert list(ALGORITHMS) == sorted(ALGORITHMS)


class TestErrors:
    def test_cross_process_borders_whole(self) -> None:
        field = pickle.loads(pickle.dumps(InvalidField("a.b", "must be 1, got 2")))
        assert (field.field, field.reason, str(field)) == (
            "a.b",
            "must be 1, got 2",
            "a.b: must be 1, got 2",
        )
        full = pickle.loads(pickle.dumps(Overloaded("full", 1.5)))
        assert (full.reason, full.retry_after_s) == ("full", 1.5)

    def test_a_default_policy_that_is_not_known_is_refused(self) -> None:
        with pytest.raises(ValidationError) as caught:
            CoreSettings(policy="magic")
        error = first_invalid(caught.value)
        assert error.field == "policy"
        assert all(name in error.reason for name in POLICIES)
