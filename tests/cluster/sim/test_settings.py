"""A simulation's file: what it takes from others, what goes over what, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cluster.sim.settings import System, read_scenario
from tests.cluster.sim.small import VOTE, profile, world

CONFIGS = Path(__file__).parents[3] / "serve_configs"


def document(folder: Path, **changes: object) -> Path:
    path = folder / "sim.yaml"
    content = {
        "simulation": {"profile": profile(folder).name},
        "workload": {
            "questions": {"parametric": {}},
            "arrivals": {"process": "poisson", "rate": 1},
            "queries": 5,
            "kinds": [VOTE],
        },
    }
    for name, fields in changes.items():
        assert isinstance(fields, dict)
        content[name] = {**content.get(name, {}), **fields}  # type: ignore[dict-item]
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("sim_*.yaml")), ids=lambda path: path.name)
def test_shipped_files_are_right(path: Path) -> None:
    over = {"simulation": {"profile": "published_h100_llama31_8b_fp8", "scorers": 0}}
    kinds = {"workload": {"kinds": [VOTE]}}
    scenario = read_scenario(path, {**over, **kinds})
    assert scenario.workload.queries is not None
    assert scenario.replicas == {"sim_local": 2, "sim_64": 64, "sim_256": 256}[path.stem]


def test_an_application_gives_settings_and_replicas(tmp_path: Path) -> None:
    path = document(tmp_path, simulation={"application": str(CONFIGS / "local.yaml")})
    scenario = read_scenario(path)
    assert (scenario.replicas, scenario.scorers) == (2, 1)
    assert scenario.settings.controller.policy == "value"
    assert scenario.settings.scorers == ("reward", "exact")
    assert scenario.info(scenario.settings.engine).slots == 64
    more = read_scenario(
        path, {"simulation": {"replicas": 5, "args": {"engine": {"block_size": 64}}}}
    )
    assert more.replicas == 5
    info = more.info(more.settings.engine)
    assert (info.slots, info.block_size) == (64, 64)


def test_sizes_are_the_profiles_where_nobody_says_others(tmp_path: Path) -> None:
    scenario = world(tmp_path, slots=7)
    info = scenario.info(scenario.settings.engine)
    assert (info.slots, info.kv_tokens, info.block_size) == (7, 65_536, 16)
    assert info.services == ("generate", "exact")
    assert scenario.settings.reward is not None
    judge = scenario.info(scenario.settings.reward)
    assert (judge.slots, judge.services) == (32, ("reward",))


def test_a_system_changes_the_controller_only(tmp_path: Path) -> None:
    controller = {"policy": "beta", "policy_params": {"confidence": 0.8}, "lease_tokens": 100}
    scenario = world(tmp_path, controller=controller)
    (same,) = scenario.systems
    assert scenario.settings_of(same) == scenario.settings
    other = scenario.settings_of(System(name="even", controller={"policy": "even"}))
    assert (other.controller.policy, other.controller.lease_tokens) == ("even", 100)
    assert other.controller.policy_params == {}
    named = scenario.settings_of(System(name="beta", controller={"policy": "beta"}))
    assert named.controller.policy_params == {"confidence": 0.8}, "it is the same policy"
    assert other.engine == scenario.settings.engine


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"simulation": {"replica": 3}}, "simulation.replica: unknown field"),
        ({"simulation": {"replicas": 0}}, "simulation.replicas"),
        ({"simulation": {"profile": "none"}}, "no engine profile 'none'"),
        ({"simulation": {"args": {"controller": {"policy": "x"}}}}, "unknown policy .x."),
        ({"simulation": {"faults": [{"kind": "fire", "at_s": 1}]}}, "faults"),
        (
            {"simulation": {"faults": [{"kind": "loss", "at_s": 1, "replica": 1}]}},
            "below 1, got 1$",
        ),
        ({"simulation": {"systems": [{"name": "a"}, {"name": "a"}]}}, "systems: every system"),
        (
            {"simulation": {"scorers": 1, "profile": "published_a100_llama2_7b_fp16"}},
            "simulation.scorers: profile",
        ),
        ({"workload": {"queries": None}}, "queries"),
        ({"workload": {"kinds": [{"name": "b", "program": {"algorithm": "rebase"}}]}}, "kinds.b"),
        ({"simulation": {"timeline": {"x": 1}}}, "timeline.x: unknown field; allowed: period_s"),
        ({"simulation": {"faults": [{"kind": "x"}]}}, "kind: must be one of loss, restart, slow"),
        ({"workload": {"arrivals": {"process": "x"}}}, "arrivals.process: must be one of bursts"),
        (
            {"workload": {"arrivals": {"process": "poisson", "rate": 1, "x": 1}}},
            "allowed: process, rate",
        ),
        ({"worload": {}}, "worload: unknown field"),
    ],
)
def test_errors_name_the_field(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_scenario(document(tmp_path, **changes))


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.yaml: No such file"):
        read_scenario(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("[1]")
    with pytest.raises(ValueError, match=r"list\.yaml: must be an object"):
        read_scenario(tmp_path / "list.yaml")


def test_a_system_with_a_wrong_setting_is_refused_by_name(tmp_path: Path) -> None:
    system = System(name="odd", controller={"lease_tokens": 1})
    with pytest.raises(ValueError, match=r"systems\.odd\.controller\.lease_tokens"):
        world(tmp_path).settings_of(system)
