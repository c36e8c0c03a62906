"""From command-line options to the body of a chat request."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from cluster.cli.errors import CliError

OPTIONS = {
    "algorithm": "--algorithm",
    "policy": "--policy",
    "max_branches": "--max-branches",
    "deadline_s": "--deadline",
    "effort": "--effort",
    "max_disagreement": "--max-disagreement",
    "max_total_tokens": "--max-total-tokens",
    "priority_s": "--priority",
    "tenant": "--tenant",
    "tag": "--tag",
}
"""Fields of a program that have an option of their own."""


def parse_param(text: str) -> tuple[str, Any]:
    """Read ``key=value``; the value is JSON if it can be read as such, else a string.

    Raises:
        argparse.ArgumentTypeError: no ``=``, an empty key, or a key with an option of its own.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"must be key=value, got {text!r}")
    if key in OPTIONS:
        raise argparse.ArgumentTypeError(f"{key}: use {OPTIONS[key]}")
    return key, _value(value)


def parse_policy(text: str) -> str | dict[str, Any]:
    """Read a policy: its name, or a JSON object with ``name`` and parameters.

    Raises:
        argparse.ArgumentTypeError: it begins like an object and is none.
    """
    if not text.startswith("{"):
        return text
    value = _value(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"must be a name or a JSON object, got {text!r}")
    return value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def question(text: str) -> str:
    """The question; ``-`` reads standard input.

    Raises:
        CliError: there is no text in it.
    """
    asked = sys.stdin.read() if text == "-" else text
    if not asked.strip():
        raise CliError("the question is empty")
    return asked.strip()


def chat_body(args: argparse.Namespace, asked: str, model: str) -> dict[str, Any]:
    """Body of ``POST /v1/chat/completions``; what the user did not say is left to the server."""
    messages = [{"role": "user", "content": asked}]
    if args.system is not None:
        messages.insert(0, {"role": "system", "content": args.system})
    program: dict[str, Any] = dict(args.param)
    for field, option in OPTIONS.items():
        _set(program, field, getattr(args, option.removeprefix("--").replace("-", "_")))
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "program": program,
        "stream": True,
    }
    _set(body, "temperature", args.temperature)
    _set(body, "max_tokens", args.max_tokens)
    _set(body, "seed", args.seed)
    return body


def _set(target: dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        target[name] = value
