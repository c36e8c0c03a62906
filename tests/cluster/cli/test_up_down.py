"""`dynasor up` and `down` with a harmless stand-in for Ray's `serve` script."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import textwrap
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from cluster.cli import main, up
from cluster.cli import server as server_module
from cluster.cli.errors import CliError
from cluster.cli.server import Server

SERVE = """\
#!{python} -SE
import http.server, json, os, signal, subprocess, sys

here = os.path.dirname(__file__)
way, port = open(here + "/way").read().split()
with open(here + "/seen", "w") as seen:
    json.dump({{"argv": sys.argv[1:], "env": dict(os.environ)}}, seen)
print("loading the model", flush=True)
if way == "dies":
    print("no such model", flush=True)
    sys.exit(3)
if way == "stubborn":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
# A process group of its own, as Ray's workers have.
child = subprocess.Popen(["sleep", "600"], process_group=0)
with open(here + "/child", "w") as file:
    file.write(str(child.pid))

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if way == "sick" else 200)
        self.end_headers()
        self.wfile.write(b'{{"status": "ok", "replicas": 2, "scorers": 0}}')
    def log_message(self, *args):
        pass

try:
    http.server.HTTPServer(("127.0.0.1", int(port)), Health).serve_forever(0.01)
except KeyboardInterrupt:
    if way != "leaves":
        child.kill()
"""


class Stand:
    """Where the stand-in is run."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.run_dir = folder / "run"
        self.config = folder / "some.yaml"
        self.config.write_text(
            textwrap.dedent(f"""\
                http_options: {{host: 127.0.0.1, port: {port}}}
                applications:
                  - import_path: cluster.app:app
                    args: {{model: {{name: tiny}}}}
                    deployments: [{{name: Engine, num_replicas: 2}}]
                """)
        )
        script = folder / "serve"
        script.write_text(SERVE.format(python=sys.executable))
        script.chmod(0o755)

    def up(self, way: str = "serves", timeout: str = "20") -> int:
        (self.folder / "way").write_text(f"{way} {self.port}")
        options = ["--timeout", timeout, "--run-dir", str(self.run_dir)]
        return main(["up", str(self.config), *options])

    def down(self, timeout: str = "10") -> int:
        return main(["down", "--run-dir", str(self.run_dir), "--timeout", timeout])

    @property
    def members(self) -> list[psutil.Process]:
        return Server(self.run_dir).members()

    def seen(self) -> dict[str, object]:
        document: dict[str, object] = json.loads((self.folder / "seen").read_text())
        return document


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Stand(tmp_path, port)
    monkeypatch.setattr(server_module, "KILL_AFTER_S", 0.3)
    monkeypatch.setattr(server_module, "POLL_S", 0.02)
    monkeypatch.setattr(up, "POLL_S", 0.02)
    monkeypatch.setattr(up, "STOP_TIMEOUT_S", 0.5)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    yield made
    Server(made.run_dir).stop(0.0)


def over(process: psutil.Process) -> bool:
    """Whether a process has ended; its new parent may take its time to ask for its status."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_up_waits_until_it_serves_and_says_what_to_try(stand, capsys):
    assert stand.up() == 0
    out = capsys.readouterr().out
    assert f"http://127.0.0.1:{stand.port}/v1" in out
    assert f"curl -s http://127.0.0.1:{stand.port}/v1/chat/completions" in out
    assert '"model": "tiny"' in out
    assert f"dynasor ask '{up.QUESTION}' --url http://127.0.0.1:{stand.port}" in out
    assert "loading the model" in (stand.run_dir / "serve.log").read_text()
    assert int((stand.run_dir / "serve.pid").read_text().split()[0]) == stand.members[0].pid


def test_up_starts_a_ray_of_its_own_without_reports(stand, monkeypatch):
    monkeypatch.setenv("RAY_DEDUP_LOGS", "1")
    stand.up()
    seen = stand.seen()
    assert seen["argv"] == ["run", "--address", "local", str(stand.config)]
    env = seen["env"]
    assert env["RAY_USAGE_STATS_ENABLED"] == "0"
    assert env["RAY_DEDUP_LOGS"] == "1", "what the user has set stays"


def test_up_when_it_runs_says_so(stand, capsys):
    stand.up()
    before = stand.members
    capsys.readouterr()
    assert stand.up() == 0
    assert capsys.readouterr().out == f"already running at http://127.0.0.1:{stand.port}\n"
    assert stand.members == before


def test_down_stops_everything_and_may_be_repeated(stand, capsys):
    stand.up()
    members = stand.members
    assert len(members) == 2
    assert stand.down() == 0
    assert all(map(over, members))
    assert capsys.readouterr().out.endswith("stopping …\nstopped\n")
    assert stand.down() == 0
    assert capsys.readouterr().out == "nothing to stop\n"


def test_down_kills_what_does_not_stop(stand, capsys):
    stand.up("stubborn")
    members = stand.members
    assert stand.down(timeout="0.1") == 0
    assert all(map(over, members))
    assert "2 processes had to be killed" in capsys.readouterr().out


def test_down_ends_what_the_server_left_behind(stand):
    stand.up("leaves")
    members = stand.members
    assert stand.down(timeout="0.3") == 0
    assert all(map(over, members))


def test_down_finds_orphans_of_a_server_that_was_killed(stand):
    stand.up()
    leader, orphan = stand.members
    leader.kill()
    leader.wait(5)
    assert stand.members == [orphan]
    assert stand.down() == 0
    assert over(orphan)


def test_down_leaves_a_process_alone_that_only_has_the_same_pid(stand, capsys):
    stand.run_dir.mkdir()
    other = psutil.Process(os.getpid())
    (stand.run_dir / "serve.pid").write_text(f"{other.pid}\n{other.create_time() - 60}\n")
    assert stand.down() == 0
    assert capsys.readouterr().out == "nothing to stop\n"
    assert not (stand.run_dir / "serve.pid").exists()


@pytest.mark.parametrize("text", ["", "12", "pid start", "1 2 3"])
def test_a_broken_pid_file_means_nothing_runs(stand, text):
    stand.run_dir.mkdir()
    (stand.run_dir / "serve.pid").write_text(text)
    assert stand.down() == 0


def test_up_shows_the_log_when_it_dies(stand, capsys):
    assert stand.up("dies") == 1
    err = capsys.readouterr().err
    assert "it ended with status 3" in err
    assert err.endswith("loading the model\nno such model\n")
    assert not (stand.run_dir / "serve.pid").exists()


def test_up_leaves_nothing_running_when_time_is_over(stand, capsys):
    assert stand.up("sick", timeout="0.5") == 1
    assert "after 0.5 s 0 of 2 engines are ready" in capsys.readouterr().err
    child = int((stand.folder / "child").read_text())
    assert not psutil.pid_exists(child) or over(psutil.Process(child))


def test_up_leaves_nothing_running_after_an_interrupt(stand, monkeypatch):
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(up, "_wait", interrupt)
    assert stand.up() == 130
    assert stand.members == []


def test_up_refuses_a_taken_port(stand, capsys):
    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", stand.port), Broken) as httpd:
        thread = Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        assert stand.up() == 1
        httpd.shutdown()
        thread.join()
    assert f"port {stand.port} is taken" in capsys.readouterr().err


def test_up_refuses_beside_a_server_that_does_not_serve(stand, capsys):
    (stand.folder / "way").write_text(f"sick {stand.port}")
    process = Server(stand.run_dir).start([str(stand.folder / "serve")], os.environ)
    assert stand.up("sick") == 1
    assert "stop it with `dynasor down`" in capsys.readouterr().err
    assert process.poll() is None


def test_a_server_started_by_a_background_job_can_be_interrupted(stand):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        stand.up()
    finally:
        signal.signal(signal.SIGINT, before)
    assert Server(stand.run_dir).stop(10) == 0


def test_two_ups_at_once_start_one_server(stand):
    stand.run_dir.mkdir()
    (stand.run_dir / "serve.pid").write_text("")
    with pytest.raises(CliError, match="another `dynasor up`"):
        Server(stand.run_dir).start(["true"], {})


def test_up_without_ray_says_what_to_install(stand, capsys):
    (stand.folder / "serve").unlink()
    assert stand.up() == 1
    assert "install the project's environment" in capsys.readouterr().err
