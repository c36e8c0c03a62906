"""Verifiers of the operator's, and those that come with the cluster."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from cluster.engine.checks import behave
from cluster.engine.sandbox import Sandbox, SandboxError, SandboxTimeout
from cluster.engine.verifiers import Verifiers

VICTIMS = "tests.cluster.engine.victims"
CHECKS = "cluster.engine.checks"


@pytest_asyncio.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(1, 4.0, 1 << 30)
    yield sandbox
    await sandbox.close()


@pytest.fixture
def verifiers(sandbox: Sandbox) -> Verifiers:
    table = {
        "half": f"{VICTIMS}:half",
        "echo": f"{VICTIMS}:echo",
        "slow": f"{VICTIMS}:slow",
        "exact": f"{CHECKS}:exact",
        "tests": f"{CHECKS}:python_tests",
    }
    return Verifiers(table, sandbox)


async def test_verifiers_are_called_by_name(verifiers: Verifiers) -> None:
    assert verifiers.names == ("half", "echo", "slow", "exact", "tests")
    await verifiers.check()
    assert await verifiers.score("half", "question", "response", None) == 0.5
    with pytest.raises(KeyError):
        await verifiers.score("none", "question", "response", None)


@pytest.mark.parametrize(
    ("value", "score"),
    [(True, 1.0), (False, 0.0), (1, 1.0), (7, 1.0), (10**40, 1.0), (-0.5, 0.0), ("inf", 1.0)],
)
async def test_scores_are_clipped(verifiers: Verifiers, value: Any, score: float) -> None:
    found = await verifiers.score("echo", "", "", value)
    assert found == score
    assert isinstance(found, float)


@pytest.mark.parametrize("value", [None, "1", [1.0], {}, "nan"])
async def test_what_is_no_score_is_an_error_that_names_the_verifier(
    verifiers: Verifiers, value: Any
) -> None:
    with pytest.raises(SandboxError, match=r"verifier 'echo' returned .*, not a number"):
        await verifiers.score("echo", "", "", value)


async def test_a_wrong_path_is_refused_by_name_with_the_reason(sandbox: Sandbox) -> None:
    verifiers = Verifiers({"good": f"{VICTIMS}:half", "bad": f"{VICTIMS}:halve"}, sandbox)
    with pytest.raises(ValueError, match=r"verifier 'bad': .*has no attribute 'halve'"):
        await verifiers.check()


async def test_a_verifier_that_hangs_is_cut(verifiers: Verifiers) -> None:
    with pytest.raises(SandboxTimeout, match="victims:slow took over 4 s"):
        await verifiers.score("slow", "", "", None)


@pytest.mark.parametrize(
    ("response", "answer", "score"),
    [
        (r"so \boxed{0.5}", "1/2", 1.0),
        (r"so \boxed{x(x+1)}", "x^2+x", 1.0),
        ("the answer is Paris.", "paris", 1.0),
        (r"so \boxed{4}", 4, 1.0),
        (r"so \boxed{4}", "5", 0.0),
        ("no idea", "5", 0.0),
    ],
)
async def test_exact_compares_the_answer(
    verifiers: Verifiers, response: str, answer: str | int, score: float
) -> None:
    assert await verifiers.score("exact", "", response, {"answer": answer}) == score


async def test_exact_costs_no_import_per_call(sandbox: Sandbox) -> None:
    await sandbox.load(f"{CHECKS}:exact")
    assert await sandbox.call(f"{VICTIMS}:imported", ["math_verify"])
    assert not await sandbox.call(f"{VICTIMS}:imported", ["torch"])


@pytest.mark.parametrize("reference", [None, "5", {}, {"answers": "5"}])
async def test_a_reference_without_what_is_needed_is_an_error(
    verifiers: Verifiers, reference: Any
) -> None:
    with pytest.raises(SandboxError, match="reference must be an object with 'answer'"):
        await verifiers.score("exact", "", r"\boxed{5}", reference)


def fenced(code: str) -> str:
    return (
        f"Use\n```python\nraise ValueError\n```\nno, rather\n\n```python\n{code}\n```\nThat's it."
    )


DOUBLE = fenced("def double(x):\n    return 2 * x if x < 10 else 0")
SOME = ["assert double(2) == 4", "assert double(0) == 0", "assert double(20) == 40", "nonsense"]


@pytest.mark.parametrize(
    ("response", "tests", "score"),
    [
        (DOUBLE, SOME[:2], 1.0),
        (DOUBLE, SOME[:3], 2 / 3),
        (DOUBLE, SOME, 0.5),
        (fenced("def double(x) return x"), SOME, 0.0),
        (fenced("raise SystemExit"), ["pass"], 0.0),
        (fenced("import sys\nsys.exit()"), ["pass"], 0.0),
        ("def double(x): return 2 * x", SOME[:2], 1.0),
        ("I can't.", SOME[:2], 0.0),
        (f"<think>{fenced('double = 1')}</think>{DOUBLE}", SOME[:2], 1.0),
        ("```python\ndef double(x):\n    return 2 * x\n", SOME[:2], 1.0),
        (
            fenced(
                "from __future__ import annotations\nfrom dataclasses import dataclass\n"
                "@dataclass\nclass Box:\n    x: int\n\nassert Box.__annotations__ == {'x': 'int'}"
            ),
            ["assert Box(1) == Box(1)"],
            1.0,
        ),
        (
            fenced("class Box:\n    x: int"),
            ["assert Box.__annotations__ == {'x': int}"],
            1.0,
        ),
    ],
)
async def test_python_tests_score_the_share_that_passes(
    verifiers: Verifiers, response: str, tests: Sequence[str], score: float
) -> None:
    assert await verifiers.score("tests", "", response, {"tests": tests}) == score


async def test_a_test_that_hangs_fails_alone(verifiers: Verifiers) -> None:
    code = "def f(x):\n    while x:\n        try:\n            pass\n        except Exception: pass"
    tests = ["f(0)", "f(1)", "f(0)", "f(1)"]
    assert await verifiers.score("tests", "", fenced(code), {"tests": tests}) == 0.5
    hangs = fenced("while True: pass")
    assert await verifiers.score("tests", "", hangs, {"tests": ["pass"]}) == 0.0


async def test_programs_that_do_the_same_have_the_same_digest(sandbox: Sandbox) -> None:
    digest = behave(sandbox)
    inputs = [[3, 1], [0, 0], [2, 5]]
    plus = "def f(a, b): return a + b"
    same = [
        plus,
        "import math\ndef helper(x, y):\n    return sum((x, y))\nf = helper",
        "def f(a, b):\n    print('hi')\n    return float(a + b) * (1 + 1e-13)",
    ]
    digests = {await digest(code, "f", inputs) for code in same}
    assert len(digests) == 1 and None not in digests
    assert await digest("def f(a, b): return a - b", "f", inputs) not in digests
    # The same where both work, but not everywhere.
    assert await digest("def f(a, b): return a + b if b else a // b", "f", inputs) not in digests
    assert await digest(plus, "f", [[1, 2]]) != await digest(plus, "f", [[1, 3]])


async def test_equal_values_look_alike(sandbox: Sandbox) -> None:
    async def shown(value: str) -> list[str]:
        arguments = [f"def f(x):\n    {value}", "f", [[[2, 1]]]]
        outputs: list[str] = await sandbox.call(f"{CHECKS}:behaviour", arguments)
        return outputs

    assert await shown("return {8, 0}") == await shown("return {0, 8}")
    assert await shown("return {'a': 1, 'b': 2}") == await shown("return {'b': 2, 'a': 1}")
    assert await shown("return 0.1 + 0.2") == await shown("return 0.3") == ["0.3"]
    assert await shown("return [1]") != await shown("return (1,)")
    assert await shown("import random; return random.random()") == await shown(
        "import random; return random.random()"
    )
    assert await shown("x.sort()") == ["[[1, 2]]"]
    assert await shown("return 'raises ValueError'") == ["'raises ValueError'"]
    assert await shown("raise ValueError") == ["raises ValueError"]
    assert await shown("raise SystemExit") == ["raises SystemExit"]
    assert (await shown("return 'x' * 10**6"))[0].startswith("sha256 ")
    assert await shown("return 'x' * 10**6") != await shown("return 'x' * (10**6 + 1)")


@pytest.mark.parametrize(
    "code",
    [
        "def f(a): return",
        "def g(a): return a",
        "def f(a) return a",
        "f = 3",
        "def f(a):\n    while True: pass",
        "def f(a): raise ValueError",
        "raise SystemExit",
    ],
)
async def test_broken_code_has_no_digest(sandbox: Sandbox, code: str) -> None:
    assert await behave(sandbox)(code, "f", [[1, 2]]) is None


async def test_without_inputs_nothing_is_known_of_code(sandbox: Sandbox) -> None:
    assert await behave(sandbox)("def f(): return 1", "f", []) is None
