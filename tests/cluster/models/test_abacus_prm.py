"""Abacus-prm: judgements, documents with mistakes, shipped weights, figures of an evaluation."""

from __future__ import annotations

import json
import random
import re
from functools import cache
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from cluster.models import abacus, model_path
from cluster.models.abacus.problems import Problem, Step, make_problem
from cluster.models.abacus.reasoner import (
    CHECK_LINE,
    CLOSING,
    PROBE,
    Pass,
    best_answer,
    chain_lines,
    think,
)
from cluster.models.abacus.report import Chain
from cluster.models.abacus.tokenizer import END, render_prompt
from cluster.models.abacus_prm import weights_path
from cluster.models.abacus_prm.judge import NEWLINE, Piece, judge, true_values
from cluster.models.abacus_prm.mistakes import HIGHEST_LEVEL, make_document
from cluster.models.abacus_prm.report import (
    ScoredChain,
    auc,
    calibration_error,
    choice_row,
    choice_table,
    failures,
    step_row,
    step_table,
)

levels = st.integers(1, HIGHEST_LEVEL)
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


def line_ends(pieces: list[Piece]) -> list[bool | None]:
    return [piece.right for piece in pieces if piece.ends_step]


def test_a_line_is_right_when_its_value_is_the_exact_running_value() -> None:
    response = (
        f"28 * 2 = 66\n66 + 6 = 72\n{CHECK_LINE}\n28 * 2 = 56\n56 + 6 = 62\n{CLOSING}62}}{END}"
    )
    pieces = judge(EXAMPLE, response)
    assert "".join(piece.text for piece in pieces) == response
    assert line_ends(pieces) == [False, False, True, True]
    others = {piece.text: piece.right for piece in pieces if not piece.ends_step}
    assert others[f"{CHECK_LINE}\n"] is False
    assert others["</think>"] is True
    assert (others["62"], others["}"], others[END]) == (True, True, True)


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("28 * 2 = 56", True),
        ("28 + 2 = 56", True),  # the value counts, whatever stands before it
        ("28 * 2 = 5", False),
        ("28 * 2 = 566", False),
        ("28 * 2 = ", False),
        ("56", False),
        ("", False),
    ],
)
def test_what_stands_before_the_value_and_other_forms(line: str, right: bool) -> None:
    assert line_ends(judge(EXAMPLE, f"{line}\n")) == [right]


def test_lines_beyond_the_last_step_of_a_pass_are_wrong() -> None:
    pieces = judge(EXAMPLE, "28 * 2 = 56\n56 + 6 = 62\n56 + 6 = 62\n")
    assert line_ends(pieces) == [True, True, False]


def test_a_boxed_answer_is_judged_by_itself() -> None:
    wrong = judge(EXAMPLE, f"28 * 2 = 56\n56 + 6 = 62\n{CLOSING}63}}{END}")
    assert [piece.right for piece in wrong if piece.text in ("63", "}", END)] == [False] * 3
    assert [piece.right for piece in wrong if piece.text == "</think>"] == [True]
    probed = judge(EXAMPLE, f"28 * 2 = 66\n{PROBE}62}}{END}")
    assert [piece.right for piece in probed if piece.text in ("62", "}", END)] == [True] * 3


@given(levels, seeds, st.booleans())
def test_judgements_of_the_reasoners_chains(level: int, seed: int, hard: bool) -> None:
    rng = random.Random(seed)
    problem = make_problem(level, rng)
    passes = think(problem, hard, rng)
    lines = chain_lines(problem, passes)
    response = "".join(f"{line}\n" for line in lines) + f"{CLOSING}{passes[-1].result}}}{END}"
    pieces = judge(problem, response)
    exact = true_values(problem)
    assert exact[-1] == problem.answer
    expected = [
        value == true for walk in passes for value, true in zip(walk.values, exact, strict=True)
    ]
    assert line_ends(pieces) == expected
    checks = [piece.right for piece in pieces if piece.text.startswith("Wait")]
    assert checks == [walk.result == problem.answer for walk in passes[:-1]]
    assert pieces[-1].right == (passes[-1].result == problem.answer)


@given(levels, seeds, st.booleans())
def test_the_answer_that_stands_is_the_best_answer(level: int, seed: int, hard: bool) -> None:
    rng = random.Random(seed)
    problem = make_problem(level, rng)
    lines = chain_lines(problem, think(problem, hard, rng))
    kept = lines[: rng.randint(0, len(lines))]
    pieces = judge(problem, "".join(f"{line}\n" for line in kept) + "</think>\n")
    assert pieces[-1].right == (best_answer(problem, kept) == problem.answer)


@given(st.text(alphabet=" 0123456789=+*\n\\boxed{}<thinkWa", max_size=60))
def test_any_text_is_cut_into_pieces_that_make_it_up(text: str) -> None:
    for response in (text, f"28 * 2 = 56\n{text}", f"28 * 2 = 56\n</think>{text}"):
        pieces = judge(EXAMPLE, response)
        assert "".join(piece.text for piece in pieces) == response
        assert all(piece.text for piece in pieces)
        assert all((piece.right is None) == (piece.weight == 0) for piece in pieces)


@given(seeds)
def test_pieces_can_be_tokenized_apart(seed: int) -> None:
    document = make_document(random.Random(seed))
    prompt = render_prompt(document.problem.text, document.system)
    texts = [prompt, *(piece.text for piece in judge(document.problem, document.response))]
    tokenizer = shipped_tokenizer()
    apart = [id_ for text in texts for id_ in tokenizer.encode(text).ids]
    assert tokenizer.encode(prompt + document.response).ids == apart


@given(seeds)
def test_an_exact_form_is_what_abacus_should_have_written(seed: int) -> None:
    document = make_document(random.Random(seed))
    for piece in judge(document.problem, document.response):
        if piece.exact not in (None, NEWLINE):
            assert piece.exact is not None
            before, operator, operand, after = re.findall(r"-?\d+|[-+*](?= )", piece.exact)
            assert Step(operator, int(operand)).apply(int(before)) == int(after)


def test_documents_depend_on_the_seed_only_and_are_balanced() -> None:
    drawn = [[make_document(random.Random(seed)) for seed in range(400)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    ends = [
        right
        for document in drawn[0]
        for right in line_ends(judge(document.problem, document.response))
    ]
    assert 0.4 < sum(map(bool, ends)) / len(ends) < 0.7
    assert {document.problem.level for document in drawn[0]} == set(range(1, HIGHEST_LEVEL + 1))


def test_the_model_is_known_by_name() -> None:
    assert model_path("abacus-prm") == str(weights_path())


def test_the_tokenizer_is_that_of_abacus() -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (weights_path() / name).read_text() == (abacus.weights_path() / name).read_text()


def test_the_configuration_is_that_of_a_classifier_with_one_label() -> None:
    config = json.loads((weights_path() / "config.json").read_text())
    assert config["architectures"] == ["LlamaForSequenceClassification"]
    assert config["num_labels"] == 1
    assert len(config["id2label"]) == 1
    assert config["vocab_size"] == shipped_tokenizer().get_vocab_size()


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=12))
def test_auc_is_the_chance_that_a_right_one_scores_higher(pairs: list[tuple[int, bool]]) -> None:
    rights = [score for score, right in pairs if right]
    wrongs = [score for score, right in pairs if not right]
    area = auc([score for score, _ in pairs], [right for _, right in pairs])
    if rights and wrongs:
        wins = [(a > b) + (a == b) / 2 for a, b in product(rights, wrongs)]
        assert area == pytest.approx(sum(wins) / len(wins))
    else:
        assert area != area


def test_calibration_error_by_hand() -> None:
    assert calibration_error([0.95, 0.95, 0.05, 1.0], [True, True, False, True]) == pytest.approx(
        (0.05 + 0.05 + 0.05 + 0.0) / 4
    )
    assert calibration_error([0.5, 0.5], [True, False]) == 0.0


def scored(answer: int | None, end: float, *steps: tuple[float, bool]) -> ScoredChain:
    text = f"28 * 2 = 56\n{CLOSING}{answer}}}" if answer is not None else "28 * 2"
    return ScoredChain(Chain(EXAMPLE, None, text, tokens=20), steps, end)


def test_figures_of_chains_and_of_choices() -> None:
    right, wrong = scored(62, 0.9, (0.8, True)), scored(72, 0.3, (0.6, True), (0.2, False))
    silent = scored(None, 0.1, (0.1, False))
    row = step_row("some", [right, wrong, silent])
    assert (row.lines, row.right, row.step_auc, row.end_auc) == (4, 0.5, 1.0, 1.0)
    assert "| some | 4 | 0.50 | 1.0000 | 0.33 | 1.0000 |" in step_table([row])
    assert failures([row]) == []
    choice = choice_row("2", [[wrong, wrong, right, silent]])
    assert (choice.pass_at_1, choice.majority) == (0.25, 0.0)
    assert (choice.weighted, choice.best, choice.any_right) == (1.0, 1.0, 1.0)
    assert "| 2 | 0.25 | 0.00 | 1.00 | 1.00 | 1.00 |" in choice_table([choice])


def test_every_area_below_par_is_named() -> None:
    upside_down = [scored(62, 0.1, (0.1, True)), scored(72, 0.9, (0.9, False))]
    missed = failures([step_row("all", upside_down)])
    assert len(missed) == 2
    assert "lines is 0.000 in all" in missed[0] and "chains is 0.000 in all" in missed[1]


def test_a_pass_without_slips_is_right_throughout() -> None:
    lines = chain_lines(EXAMPLE, [Pass((56, 62))])
    assert line_ends(judge(EXAMPLE, "".join(f"{line}\n" for line in lines))) == [True, True]
