"""`dynasor profile-engine` refuses what it can't use before anything is started."""

import pytest

from cluster.cli import main

CONFIG = """
applications:
  - name: dynasor
    import_path: cluster.app:app
    args:
      engine: {device: cpu, kv_cache_memory_bytes: 268435456}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engines", "0"], "--engines must be at least 1, got 0"),
        (["--out", "profile.yaml"], "--out must end in .json, got profile.yaml"),
        (["--scorer"], "has no reward model"),
    ],
)
def test_options_that_make_no_sense_are_refused(config, options, said, capsys):
    assert main(["profile-engine", str(config), *options]) == 1
    assert said in capsys.readouterr().err


def test_a_config_that_says_what_is_not_allowed_is_refused(config, capsys):
    config.write_text(CONFIG.replace("device: cpu", "device: abacus"))
    assert main(["profile-engine", str(config)]) == 1
    assert "args.engine.device" in capsys.readouterr().err


def test_a_missing_config_is_refused(tmp_path, capsys):
    assert main(["profile-engine", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err
