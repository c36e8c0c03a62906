"""The same config with changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cluster.bench.systems.starting import llm_arguments
from cluster.bench.systems.variant import BASELINE, Variant
from cluster.cli.config import read_config
from cluster.cli.errors import CliError

LOCAL = Path("serve_configs/local.yaml")
GPU = Path("serve_configs/gpu.yaml")


def test_changes_go_as_deep_as_they_say_and_no_further(tmp_path: Path):
    plain, changed = Variant(LOCAL), Variant(LOCAL, BASELINE)
    controller = changed.settings.controller
    assert (controller.policy, controller.queue.order) == ("even", "fcfs")
    assert controller.placement.policy == "round_robin"
    assert controller.value_model == plain.settings.controller.value_model
    assert changed.settings.engine == plain.settings.engine
    config = read_config(changed.write(tmp_path / "new", 4321))
    assert (config.port, config.engines, config.model) == (4321, 3, "abacus")


def test_without_the_reward_model_there_are_no_scorers(tmp_path: Path):
    variant = Variant(LOCAL, reward=False)
    assert variant.settings.reward is None
    path = variant.write(tmp_path, 4321)
    assert read_config(path).engines == variant.replicas == 2
    names = [
        one["name"] for one in yaml.safe_load(path.read_text())["applications"][0]["deployments"]
    ]
    assert "Scorer" not in names


def test_another_application_is_refused(tmp_path: Path):
    path = tmp_path / "other.yaml"
    path.write_text("applications: [{import_path: a:b, args: {engine: {max_seqs: 1}}}]")
    with pytest.raises(CliError, match="max_seqs"):
        Variant(path)


def test_the_peer_gets_the_same_engines():
    variant = Variant(LOCAL)
    (llm,) = llm_arguments(variant)["llm_configs"]
    engine = variant.settings.engine
    for name in ("max_num_seqs", "max_num_batched_tokens", "block_size", "kv_cache_memory_bytes"):
        assert llm["engine_kwargs"][name] == getattr(engine, name)
    assert llm["deployment_config"]["num_replicas"] == 2
    assert llm["runtime_env"]["env_vars"] == engine.env
    assert llm["accelerator_config"] == {"kind": "cpu"}
    assert "accelerator_config" not in llm_arguments(Variant(GPU))["llm_configs"][0]
