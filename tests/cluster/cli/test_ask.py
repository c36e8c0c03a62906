"""`dynasor ask` against a server that plays a recorded program."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any, get_args

import pytest

from cluster.cli import main, views
from dynasor.result import StopReason


def ask(server: Any, *options: str) -> int:
    return main(["ask", "What?", "--url", server.url, *options])


def test_plain_output_tells_branches_answer_and_cost(server, capsys):
    assert ask(server) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "branch 0: stop, 100 tokens, answer 39",
        "certaindex 0.00  votes: 39 x 1",
        "branch 1: stop, 101 tokens, answer 39",
        "branch 2: stop, 102 tokens, answer 41",
        "branch 3: stop, 103 tokens, answer 39",
        "branch 4: length, 104 tokens, no answer",
        "certaindex 0.50  votes: 39 x 3, 41 x 1, no answer x 1",
        "",
        "reasoning:",
        "12 * 3 = 36",
        "[31m36 + 3 = 39",
        "",
        "answer: 39",
        "generated: 510 tokens in 5 branches (400 kept, 104 discarded, 6 probe); "
        "prompt: 32 tokens, 96 found in caches",
        "self_consistency under threshold: 1.25 s, ended because the answer was settled; "
        "certaindex 0.50",
    ]


def test_plain_output_has_no_control_characters(server, capsys):
    ask(server)
    out = capsys.readouterr().out
    assert all(char == "\n" or char.isprintable() for char in out)


def test_quiet_hides_the_reasoning(server, capsys):
    assert ask(server, "--quiet") == 0
    out = capsys.readouterr().out
    assert "answer: 39" in out
    assert "36 + 3" not in out


def test_json_is_the_final_program_and_nothing_else(server, program, capsys):
    assert ask(server, "--json") == 0
    assert json.loads(capsys.readouterr().out) == program


def test_defaults_leave_the_rest_to_the_server(server):
    ask(server)
    assert server.asked == [
        {
            "model": "abacus",
            "messages": [{"role": "user", "content": "What?"}],
            "program": {},
            "stream": True,
        }
    ]


def test_every_option_reaches_the_request(server):
    options = (
        "--model m --algorithm rebase --param width=4 --param mode=wide --max-branches 8 "
        "--policy even --deadline 2.5 --effort low --max-disagreement 0.02 --max-total-tokens 4000 "
        "--priority 1.5 --tenant me --tag sums --system S --temperature 0.5 --max-tokens 99 "
        "--seed 7"
    )
    assert ask(server, *options.split()) == 0
    assert server.asked == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "What?"}],
            "program": {
                "algorithm": "rebase",
                "width": 4,
                "mode": "wide",
                "max_branches": 8,
                "policy": "even",
                "deadline_s": 2.5,
                "effort": "low",
                "max_disagreement": 0.02,
                "max_total_tokens": 4000,
                "priority_s": 1.5,
                "tenant": "me",
                "tag": "sums",
            },
            "stream": True,
            "temperature": 0.5,
            "max_tokens": 99,
            "seed": 7,
        }
    ]


def test_policy_may_be_an_object(server):
    ask(server, "--policy", '{"name": "threshold", "knob": 3}')
    assert server.asked[0]["program"]["policy"] == {"name": "threshold", "knob": 3}


def test_dash_reads_the_question_from_standard_input(server, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("  from a pipe\n"))
    assert main(["ask", "-", "--url", server.url]) == 0
    assert server.asked[0]["messages"] == [{"role": "user", "content": "from a pipe"}]


def test_an_empty_question_is_refused(server, capsys):
    assert main(["ask", "  ", "--url", server.url]) == 1
    assert capsys.readouterr().err == "dynasor: the question is empty\n"
    assert server.asked == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--param", "width"], "must be key=value"),
        (["--param", "=3"], "must be key=value"),
        (["--param", "policy=even"], "use --policy"),
        (["--param", "priority_s=3"], "use --priority"),
        (["--effort", "huge"], "'none', 'minimal', 'low', 'medium', 'high'"),
        (["--max-disagreement", "few"], "invalid float value"),
        (["--policy", "{name"], "must be a name or a JSON object"),
        (["--max-branches", "many"], "invalid int value"),
    ],
)
def test_wrong_options_exit_with_2_and_say_what_is_allowed(options, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["ask", "What?", *options])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_the_servers_error_message_is_shown(server, capsys):
    server.status = 400
    server.body = [json.dumps({"error": {"message": "program.max_branches: must be at least 1"}})]
    assert ask(server) == 1
    captured = capsys.readouterr()
    assert captured.err == "dynasor: program.max_branches: must be at least 1 (HTTP 400)\n"
    assert captured.out == ""


@pytest.mark.parametrize(("body", "shown"), [("Bad gateway", "Bad gateway"), ("", "no message")])
def test_an_error_that_is_no_json_is_shown_as_it_is(server, body, shown, capsys):
    server.status, server.body = 502, [body]
    assert ask(server) == 1
    assert capsys.readouterr().err == f"dynasor: {shown} (HTTP 502)\n"


def test_an_error_in_the_stream_is_shown(server, capsys):
    server.body = [*server.body[:3], 'data: {"error": {"message": "all engines failed"}}\n\n']
    assert ask(server) == 1
    assert capsys.readouterr().err == "dynasor: all engines failed\n"


def test_a_stream_that_just_ends_is_an_error(server, capsys):
    server.body = server.body[:4]
    assert ask(server) == 1
    assert "ended the stream without a result" in capsys.readouterr().err


def test_no_server_says_how_to_start_one(capsys):
    assert main(["ask", "What?", "--url", "http://127.0.0.1:9"]) == 1
    err = capsys.readouterr().err
    assert "no server at http://127.0.0.1:9" in err
    assert "dynasor up serve_configs/local.yaml" in err


def test_a_url_without_scheme_is_explained(capsys):
    assert main(["ask", "What?", "--url", "127.0.0.1:8000"]) == 1
    assert "must begin with http://" in capsys.readouterr().err


def test_interrupt_closes_the_connection_and_exits_130(server, monkeypatch, capsys):
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(views.PlainView, "progress", interrupted)
    server.body, server.hold = server.body[:3], True
    assert ask(server) == 130
    assert server.left.wait(5)
    assert capsys.readouterr().err == "dynasor: interrupted\n"


@pytest.mark.parametrize("reason", get_args(StopReason))
def test_every_reason_to_stop_has_words(reason):
    assert reason in views.STOPS


def test_importing_the_command_line_imports_nothing_heavy():
    heavy = "{'ray', 'vllm', 'torch', 'transformers', 'httpx', 'rich', 'numpy'}"
    code = f"import sys, cluster.cli; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
