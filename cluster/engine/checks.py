"""Verifiers that come with the cluster, and the behaviour of code; all run in a sandbox.

A reference is a JSON object that comes with the query.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dynasor.answers import readable
from dynasor.answers.equal import equal

if TYPE_CHECKING:
    from cluster.engine.sandbox import Sandbox

_SHARE_OF_TIME = 0.8
"""How much of its time a call gives to the code: it must also tell what came of it."""
_TIME_LIMIT_S = 5.0
"""Where no sandbox sets one."""
_MODULE = "response"
"""Name of the module that the code is."""
_SHOWN_LENGTH = 200
_RAISES = "raises "


def sandbox_prepare(name: str) -> None:
    """Import and build what `exact` needs: see `cluster.engine.sandbox.Sandbox`."""
    if name == "exact":
        equal("x(x+1)", "x+y")


def exact(question: str, response: str, reference: Any) -> float:
    """1 if the response's answer equals ``reference["answer"]``, else 0.

    Numbers and expressions are compared by value, other answers by their text.
    """
    answer = readable(response)
    return float(answer is not None and equal(answer, str(_field(reference, "answer"))))


def python_tests(question: str, response: str, reference: Any) -> float:
    """The share of ``reference["tests"]``, a list of statements, that raise nothing.

    They run one after the other behind the response's code: its last fenced block or, without
    one, all that is not thinking. The code may take half of the time of the call, and each test an
    equal part of what is left then; what takes longer fails. All fail if the code itself does.
    """
    tests = _field(reference, "tests")
    if not tests:
        raise ValueError("reference: tests must not be empty")
    limit_s = float(os.environ.get("SANDBOX_TIME_LIMIT_S", _TIME_LIMIT_S))
    deadline = time.monotonic() + _SHARE_OF_TIME * limit_s
    scope = _new_scope()
    code = readable(response, kind="code")
    if code is None or not _passes(code, scope, (deadline - time.monotonic()) / 2):
        return 0.0
    passed = 0
    for index, test in enumerate(tests):
        left_s = deadline - time.monotonic()
        passed += _passes(str(test), scope, left_s / (len(tests) - index))
    return passed / len(tests)


def behaviour(code: str, entry: str, inputs: Sequence[Sequence[Any]]) -> list[str]:
    """What the function ``entry`` of ``code`` returns for each list of arguments.

    A value is shown so that equal values look alike: sets and mappings in order, floats to 9
    digits. An input that raises shows the exception's type; one for which nothing is returned,
    what has become of the arguments. Raises what the code itself raises, `KeyError` if it has no
    such function.
    """
    scope = _new_scope()
    # What draws at random draws the same in all programs.
    random.seed(0)
    _execute(code, scope)
    function = scope[entry]
    return [_output(function, json.loads(json.dumps(list(given)))) for given in inputs]


def behave(
    sandbox: Sandbox,
) -> Callable[[str, str, Sequence[Sequence[Any]]], Awaitable[str | None]]:
    """Return ``(code, entry, inputs) -> digest`` of the code's `behaviour` in a sandbox.

    Programs that do the same have the same digest. None if the code fails, takes too long, or
    raises for every input: broken programs must not pass for programs that agree.
    """
    # Here, for the processes of the sandbox import this module too and need none of it.
    from cluster.engine.sandbox import SandboxError

    async def digest(code: str, entry: str, inputs: Sequence[Sequence[Any]]) -> str | None:
        arguments = [code, entry, [list(given) for given in inputs]]
        try:
            outputs: list[str] = await sandbox.call(f"{__name__}:behaviour", arguments)
        except SandboxError:
            return None
        if all(output.startswith(_RAISES) for output in outputs):
            return None
        return hashlib.sha256(json.dumps(outputs).encode()).hexdigest()[:32]

    return digest


def _field(reference: Any, name: str) -> Any:
    if not isinstance(reference, dict) or name not in reference:
        raise ValueError(f"reference must be an object with {name!r}")
    return reference[name]


def _new_scope() -> dict[str, Any]:
    # Dataclasses and the like look for the module that they are defined in.
    module = sys.modules[_MODULE] = ModuleType(_MODULE)
    return module.__dict__


def _execute(code: str, scope: dict[str, Any]) -> None:
    exec(compile(code, _MODULE, "exec", dont_inherit=True), scope)


class _TooSlow(BaseException):
    """The time of a piece of code is over; no handler of its own should catch this."""


def _passes(code: str, scope: dict[str, Any], limit_s: float) -> bool:
    try:
        with _at_most(limit_s):
            _execute(code, scope)
    except BaseException:
        return False
    return True


@contextmanager
def _at_most(limit_s: float) -> Iterator[None]:
    def strike(*_: object) -> None:
        raise _TooSlow

    if limit_s <= 0:
        raise _TooSlow
    before = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _output(function: Any, given: list[Any]) -> str:
    try:
        value = function(*given)
        shown = _shown(given if value is None else value)
    except BaseException as error:
        return _RAISES + type(error).__name__
    if len(shown) <= _SHOWN_LENGTH:
        return shown
    return f"sha256 {hashlib.sha256(shown.encode(errors='backslashreplace')).hexdigest()}"


def _shown(value: Any) -> str:
    match value:
        case float():
            return f"{value:.9g}"
        case list():
            return f"[{', '.join(map(_shown, value))}]"
        case tuple():
            return f"({', '.join(map(_shown, value))},)"
        case set() | frozenset():
            return f"{{{', '.join(sorted(map(_shown, value)))}}}"
        case dict():
            items = sorted(f"{_shown(key)}: {_shown(entry)}" for key, entry in value.items())
            return f"{{{', '.join(items)}}}"
    return repr(value)
