"""The mix that ships, and what a file may say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cluster.bench.load.mix import Mix, read_mix
from dynasor.errors import InvalidField
from dynasor.policies import POLICIES
from dynasor.query import parse_program

MIX = read_mix()


def test_the_mix_has_several_algorithms_under_any_policy():
    assert len({kind.program["algorithm"] for kind in MIX.kinds}) >= 4
    MIX.check(tuple(POLICIES))


def test_a_program_gets_its_policy_and_deadline():
    kind = MIX.kinds[0]
    spec = parse_program(kind.under("beta", 2.5))
    assert (spec.policy, spec.terms.deadline_s) == ("beta", 2.5)
    assert "deadline_s" not in kind.under("beta")
    assert "policy" not in kind.program


def test_an_unknown_policy_is_named():
    with pytest.raises(InvalidField, match="nobody"):
        MIX.check(("even", "nobody"))


KIND = {"name": "a", "share": 1, "program": {"algorithm": "self_consistency"}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"share": 0}, "greater than 0"),
        ({"share": float("inf")}, "finite"),
        ({"program": {"algorithm": "nothing"}}, "unknown algorithm"),
        ({"program": {**KIND["program"], "policy": "even"}}, "the policy comes from"),
        ({"colour": 1}, "Extra inputs"),
    ],
)
def test_what_a_file_may_not_say(tmp_path: Path, change, reason):
    file = tmp_path / "mix.yaml"
    file.write_text(yaml.safe_dump({"kinds": [{**KIND, **change}]}))
    with pytest.raises(ValueError, match=reason):
        read_mix(file)


def test_two_kinds_of_one_name_are_refused():
    with pytest.raises(ValueError, match="a name of its own"):
        Mix.model_validate({"kinds": [KIND, KIND]})
