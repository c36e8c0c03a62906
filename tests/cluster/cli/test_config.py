"""What `dynasor up` reads of a Serve config."""

from __future__ import annotations

import pytest

from cluster.cli import main
from cluster.cli.config import read_config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "no YAML"),
        ("", "no Serve config"),
        ("applications: []", "no Serve config"),
        ("applications: [{}]\nhttp_options: {port: here}", "no Serve config"),
    ],
)
def test_a_config_that_is_none_is_refused(tmp_path, text, message, capsys):
    (tmp_path / "bad.yaml").write_text(text)
    assert main(["up", str(tmp_path / "bad.yaml")]) == 1
    assert message in capsys.readouterr().err


def test_a_missing_config_is_refused(tmp_path, capsys):
    assert main(["up", str(tmp_path / "none.yaml")]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9000"),
        ("localhost", "http://localhost:9000"),
        ("0.0.0.0", "http://127.0.0.1:9000"),
        ("'::'", "http://[::1]:9000"),
        ("10.0.0.7", "http://10.0.0.7:9000"),
    ],
)
def test_config_says_where_to_connect(tmp_path, host, url):
    path = tmp_path / "c.yaml"
    path.write_text(f"http_options: {{host: {host}, port: 9000}}\napplications: [{{}}]")
    config = read_config(path)
    assert (config.url, config.model) == (url, "abacus")


def test_config_defaults_are_serves_own(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("applications: [{args: {}}]")
    assert read_config(path).url == "http://127.0.0.1:8000"
