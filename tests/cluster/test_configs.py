"""The shipped Serve configs are valid and build; bad settings are refused by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from ray.serve._private.api import call_user_app_builder_with_args_if_necessary
from ray.serve._private.build_app import build_app
from ray.serve.schema import ServeDeploySchema

from cluster.app import app, engine_resources
from cluster.settings import EngineSettings, Settings

FOLDER = Path(__file__).parents[2] / "serve_configs"
CONFIGS = sorted(path for path in FOLDER.glob("*.yaml") if not path.name.startswith("sim_"))


def load(path: Path) -> ServeDeploySchema:
    return ServeDeploySchema.model_validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_shipped_config_builds(path: Path) -> None:
    (config,) = load(path).applications
    assert config.import_path == "cluster.app:app"
    built = build_app(
        call_user_app_builder_with_args_if_necessary(app, config.args),
        name=config.name,
        default_runtime_env=None,
    )
    names = {deployment.name for deployment in built.deployments}
    scorers = {"Scorer"} if (config.args or {}).get("reward") else set()
    assert names == {"Controller", "Engine", "Ingress"} | scorers
    assert {override.name for override in config.deployments} <= names


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_knobs_of_the_controller_that_are_commented_out_are_right(path: Path) -> None:
    knob = re.compile(r"^( {8})# (?= *[a-z_]+:)", re.MULTILINE)
    text, count = knob.subn(r"\1", path.read_text())
    assert count > 5
    (application,) = yaml.safe_load(text)["applications"]
    controller = Settings.model_validate(application["args"]).controller
    assert controller.queue.tenants and controller.limits.tenant and controller.value_model_save


def test_the_gpu_config_asks_for_a_placement_group_per_replica() -> None:
    (config,) = load(next(path for path in CONFIGS if path.name == "gpu.yaml")).applications
    engine = Settings.model_validate(config.args).engine
    assert engine_resources(engine)["placement_group_bundles"] == [
        {"CPU": 2.0, "GPU": 1.0},
        {"GPU": 1.0},
    ]


def test_a_single_gpu_needs_no_placement_group() -> None:
    resources = engine_resources(EngineSettings(device="gpu"))
    assert resources == {"ray_actor_options": {"num_cpus": 1.0, "num_gpus": 1}}


@pytest.mark.parametrize(
    ("args", "field", "allowed"),
    [
        ({"modell": {}}, "modell", "not permitted"),
        ({"engine": {"max_num_seqs": 0}}, "engine.max_num_seqs", "greater than or equal to 1"),
        ({"engine": {"slots": 4}}, "engine.slots", "not permitted"),
        ({"engine": {"device": "tpu"}}, "engine.device", "'cpu' or 'gpu'"),
        ({"engine": {"device": "cpu"}}, "engine", "kv_cache_memory_bytes"),
        ({"model": {"dtype": "int3"}}, "model.dtype", "'float32'"),
        ({"controller": {"policy": "magic"}}, "controller.policy", "known: beta, even"),
        ({"controller": {"lease_tokens": 1}}, "controller.lease_tokens", "equal to 8"),
        ({"controller": {"replica_timeout_s": 1}}, "controller", "poll_hold_s"),
        ({"controller": {"value_model_save_s": 0}}, "controller.value_model_save_s", "equal to 1"),
        ({"controller": {"placement": {"x": 1}}}, "controller.placement.x", "not permitted"),
    ],
    ids=str,
)
def test_a_bad_setting_is_refused_with_its_name_and_range(
    args: dict[str, Any], field: str, allowed: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        call_user_app_builder_with_args_if_necessary(app, args)
    message = str(caught.value)
    assert field in message and allowed in message
