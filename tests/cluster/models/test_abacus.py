"""Abacus: problems, the careless reasoner, tokenizer, chat template, shipped weights."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
from collections import Counter
from functools import cache
from math import prod
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from cluster.models.abacus import weights_path
from cluster.models.abacus.problems import (
    MAX_VALUE,
    TRAINED_LEVELS,
    Problem,
    Step,
    make_problem,
    make_problems,
)
from cluster.models.abacus.reasoner import (
    CHECK_LINE,
    CLOSING,
    PROBE,
    THINK_HARD,
    Pass,
    best_answer,
    chain_lines,
    make_document,
    think,
)
from cluster.models.abacus.report import (
    Chain,
    LevelRow,
    failures,
    level_row,
    level_table,
    long_row,
)
from cluster.models.abacus.tokenizer import (
    CHAT_TEMPLATE,
    build_tokenizer,
    render_prompt,
)

levels = st.integers(1, 12)
seeds = st.integers(0, 2**32)

EXAMPLE = Problem(
    text="Start with 28. Multiply by 2. Add 6. What is the result?",
    answer=62,
    level=2,
    start=28,
    steps=(Step("*", 2), Step("+", 6)),
)


@cache
def shipped_tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(weights_path() / "tokenizer.json"))


@given(levels, seeds)
def test_values_stay_in_range_and_give_the_answer(level: int, seed: int) -> None:
    problem = make_problem(level, random.Random(seed))
    value = problem.start
    for step in problem.steps:
        value = step.apply(value)
        assert 0 <= value <= MAX_VALUE
    assert value == problem.answer
    assert len(problem.steps) == problem.level == level


@given(levels, seeds)
def test_text_says_what_the_steps_are(level: int, seed: int) -> None:
    problem = make_problem(level, random.Random(seed))
    numbers = [int(word.rstrip(".")) for word in problem.text.split() if word[0].isdigit()]
    assert numbers == [problem.start, *(step.operand for step in problem.steps)]
    verbs = [word for word in problem.text.split() if word in ("Add", "Subtract", "Multiply")]
    signs = {"Add": "+", "Subtract": "-", "Multiply": "*"}
    assert [signs[verb] for verb in verbs] == [step.operator for step in problem.steps]


def test_problems_depend_on_their_arguments_only() -> None:
    assert make_problems(5, 20, seed=3) == make_problems(5, 20, seed=3)
    assert make_problems(5, 20, seed=3)[:10] == make_problems(5, 10, seed=3)
    assert make_problems(5, 20, seed=3) != make_problems(5, 20, seed=4)


def test_a_problem_needs_a_step() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        make_problems(0, 1, seed=1)


@given(levels, seeds, st.booleans())
def test_chains_stay_in_range_and_keep_their_number_of_passes(
    level: int, seed: int, hard: bool
) -> None:
    rng = random.Random(seed)
    problem = make_problem(level, rng)
    passes = think(problem, hard, rng)
    assert len(passes) in (range(4, 9) if hard else range(1, 4))
    for walk in passes:
        assert len(walk.values) == level
        assert all(0 <= value <= MAX_VALUE for value in walk.values)


@given(levels, seeds, st.booleans())
def test_the_best_answer_is_that_of_the_last_complete_pass(
    level: int, seed: int, hard: bool
) -> None:
    rng = random.Random(seed)
    problem = make_problem(level, rng)
    passes = think(problem, hard, rng)
    lines = chain_lines(problem, passes)
    assert len(lines) == len(passes) * (level + 1) - 1
    for cut in range(len(lines) + 1):
        complete = (cut + 1) // (level + 1)
        running = (problem.start, *passes[0].values)
        expected = passes[complete - 1].result if complete else running[cut]
        assert best_answer(problem, lines[:cut]) == expected


def test_best_answer_of_a_chain_by_hand() -> None:
    lines = ["28 * 2 = 66", "66 + 6 = 72", CHECK_LINE, "28 * 2 = 56", "56 + 6 = 62"]
    assert chain_lines(EXAMPLE, [Pass((66, 72)), Pass((56, 62))]) == lines
    answers = [best_answer(EXAMPLE, lines[:cut]) for cut in range(len(lines) + 1)]
    assert answers == [28, 66, 72, 72, 72, 62]


def test_the_reasoner_is_careless_in_the_way_that_voting_needs() -> None:
    rng = random.Random(1)

    def measure(level: int, hard: bool) -> tuple[float, float]:
        rights, majorities = [], []
        for problem in make_problems(level, 60, seed=1):
            answers = [think(problem, hard, rng)[-1].result for _ in range(16)]
            rights += [answer == problem.answer for answer in answers]
            majorities.append(Counter(answers).most_common(1)[0][0] == problem.answer)
        return fmean(rights), fmean(majorities)

    easy, long = measure(1, hard=False), measure(8, hard=False)
    assert easy[0] > 0.88
    assert 0.45 < long[0] < 0.62
    assert long[1] > long[0] + 0.3
    assert measure(8, hard=True)[0] > long[0] + 0.2


def test_documents_depend_on_the_seed_only() -> None:
    drawn = [[make_document(random.Random(seed)) for seed in range(50)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert any(document.system == THINK_HARD for document in drawn[0])


@given(seeds)
def test_documents_end_in_an_answer_and_learn_no_probe(seed: int) -> None:
    document = make_document(random.Random(seed))
    whole = "".join(text for text, _ in document.segments)
    assert whole.endswith("}")
    assert whole.count("\\boxed{") == 1
    for text, weight in document.segments:
        assert (weight == 0.0) == (text in (PROBE, CLOSING))


def test_the_shipped_tokenizer_is_what_the_recipe_makes() -> None:
    assert build_tokenizer(seed=1).to_str() == shipped_tokenizer().to_str()


@given(st.text())
def test_any_text_survives_tokenizing(text: str) -> None:
    tokenizer = shipped_tokenizer()
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


@given(levels, seeds, st.sampled_from([PROBE, CLOSING, CHECK_LINE + "\n"]))
def test_what_follows_a_newline_can_be_tokenized_apart(
    level: int, seed: int, appended: str
) -> None:
    rng = random.Random(seed)
    problem = make_problem(level, rng)
    lines = chain_lines(problem, think(problem, True, rng))
    kept = lines[: rng.randint(0, len(lines))]
    prefix = render_prompt(problem.text) + "".join(f"{line}\n" for line in kept)
    tokenizer = shipped_tokenizer()
    apart = tokenizer.encode(prefix).ids + tokenizer.encode(appended).ids
    assert tokenizer.encode(prefix + appended).ids == apart


def test_digits_and_marks_are_single_tokens() -> None:
    tokens = shipped_tokenizer().encode("<think>\n28 * 2 = 56\n</think>").tokens
    assert tokens[0] == "<think>" and tokens[-1] == "</think>"
    assert [token for token in tokens if token.isdigit()] == list("28256")
    assert shipped_tokenizer().decode(shipped_tokenizer().encode("</think>").ids) == "</think>"


def render(messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
    jinja2 = pytest.importorskip("jinja2")
    template = (weights_path() / "chat_template.jinja").read_text()
    assert template == CHAT_TEMPLATE
    text: str = jinja2.Template(template).render(
        messages=messages, add_generation_prompt=add_generation_prompt
    )
    return text


def test_chat_template_makes_the_prompts_of_training() -> None:
    user = {"role": "user", "content": EXAMPLE.text}
    assert render([user]) == render_prompt(EXAMPLE.text)
    system = {"role": "system", "content": THINK_HARD}
    assert render([system, user]) == render_prompt(EXAMPLE.text, THINK_HARD)


def test_chat_template_drops_the_thinking_of_earlier_turns_only() -> None:
    turn = {"role": "assistant", "content": "<think>\n1 + 1 = 2\n</think>\n\\boxed{2}"}
    user = {"role": "user", "content": "Again?"}
    assert render([user, turn, user]) == (
        "<|user|>Again?<|end|><|assistant|>\\boxed{2}<|end|>"
        "<|user|>Again?<|end|><|assistant|><think>\n"
    )
    assert "1 + 1 = 2" in render([user, turn], add_generation_prompt=False)


def safetensors_header(path: Path) -> dict[str, dict[str, list[int]]]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, dict[str, list[int]]] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header


def test_shipped_weights_are_small_and_fit_their_config() -> None:
    path = weights_path() / "model.safetensors"
    assert path.stat().st_size <= 12e6
    header = safetensors_header(path)
    assert sum(prod(entry["shape"]) for entry in header.values()) <= 5e6
    config = json.loads((weights_path() / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    vocabulary = shipped_tokenizer().get_vocab_size()
    assert config["vocab_size"] == vocabulary
    assert header["model.embed_tokens.weight"]["shape"] == [vocabulary, config["hidden_size"]]
    assert config["eos_token_id"] == shipped_tokenizer().token_to_id("<|end|>")


def test_problems_need_no_heavy_import() -> None:
    code = (
        "import sys, cluster.models.abacus.problems\n"
        "assert not {'torch', 'vllm', 'ray', 'tokenizers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


REPAIRED = Chain(
    EXAMPLE,
    None,
    f"28 * 2 = 66\n66 + 6 = 72\n{CHECK_LINE}\n28 * 2 = 56\n56 + 6 = 62\n{CLOSING}62}}",
    tokens=60,
)
WRONG = Chain(EXAMPLE, None, f"28 * 2 = 66\n66 + 6 = 72\n{CLOSING}72}}", tokens=30)
GARBLED = Chain(EXAMPLE, None, "28 * 2 = = x\n28", tokens=10)


def test_chains_are_read_back() -> None:
    assert (REPAIRED.answer, WRONG.answer, GARBLED.answer) == (62, 72, None)
    assert REPAIRED.cuts_after_passes() == [2, 5]
    assert [REPAIRED.best_at(cut) for cut in (2, 5)] == [72, 62]
    assert GARBLED.lines == ["28 * 2 = = x"]
    assert GARBLED.best_at(1) is None
    assert REPAIRED.settled_share() == 1.0


def test_rows_count_votes_and_repairs() -> None:
    row = level_row([[REPAIRED, REPAIRED, WRONG, GARBLED]])
    assert row == LevelRow(2, pass_at_1=0.5, majority=1.0, tokens=40, unanswered=0.25)
    assert "| 2 | 0.50 | 1.00 | 40 | 0.250 |" in level_table([row])
    long = long_row([REPAIRED, WRONG])
    assert (long.first_pass, long.pass_at_1, long.repaired) == (0.0, 0.5, 0.5)


def test_every_missed_requirement_is_named() -> None:
    good = [LevelRow(level, 0.95 - 0.05 * level, 0.9, 50, 0.0) for level in TRAINED_LEVELS]
    assert failures(good) == []
    bad = [LevelRow(level, 0.7, 0.7, 50, 0.1) for level in TRAINED_LEVELS]
    missed = " ".join(failures(bad))
    assert len(failures(bad)) == 4
    assert "level 1 is 0.700" in missed and "level 8 is 0.700" in missed
