"""Evaluation of abacus-prm with vLLM, on chains that abacus itself writes at temperature 1."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from cluster.models import abacus
from cluster.models.abacus.evaluate import Engine
from cluster.models.abacus.problems import TRAINED_LEVELS, make_problems
from cluster.models.abacus.reasoner import THINK_HARD
from cluster.models.abacus.report import Chain
from cluster.models.abacus.tokenizer import END, MAX_POSITIONS, render_prompt
from cluster.models.abacus_prm.judge import Piece, judge
from cluster.models.abacus_prm.report import (
    ScoredChain,
    calibration_error,
    choice_row,
    choice_table,
    failures,
    step_row,
    step_table,
)

_SEED = 30_001
_MAX_TOKENS = 1400
_HARD_SAMPLES = 4
_FEW = 4
_KV_BYTES = 128 << 20


@dataclass(frozen=True)
class Outcome:
    """What an evaluation found: its tables in Markdown and the requirements missed."""

    tables: str
    missed: list[str]


class Scorer:
    """An offline vLLM pooling engine on the model in ``folder``: a score for every token."""

    def __init__(self, folder: Path) -> None:
        from vllm import LLM, PoolingParams
        from vllm.config import PoolerConfig

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._params = PoolingParams()
        self._llm: Any = LLM(
            model=str(folder),
            runner="pooling",
            convert="classify",
            pooler_config=PoolerConfig(task="token_classify"),
            enforce_eager=True,
            kv_cache_memory_bytes=_KV_BYTES,
            block_size=32,
            max_num_batched_tokens=2048,
            max_num_seqs=128,
            max_model_len=MAX_POSITIONS,
        )

    def score(self, chains: Sequence[Chain]) -> list[ScoredChain]:
        """Return ``chains`` with their scores, in order."""
        pieces = [_pieces(chain) for chain in chains]
        ends = [self._piece_ends(each) for each in pieces]
        prompts = [{"prompt_token_ids": ids} for ids, _ in ends]
        outputs = self._llm.encode(
            prompts, self._params, pooling_task="token_classify", use_tqdm=False
        )
        return [
            scored(chain, each, [output.outputs.data.flatten().tolist()[place] for place in places])
            for chain, each, (_, places), output in zip(chains, pieces, ends, outputs, strict=True)
        ]

    def _piece_ends(self, pieces: Sequence[Piece]) -> tuple[list[int], list[int]]:
        """Return the ids of all pieces, and where each piece has its last one."""
        ids: list[int] = []
        places = []
        for piece in pieces:
            ids += self._tokenizer.encode(piece.text, add_special_tokens=False).ids
            places.append(len(ids) - 1)
        return ids, places


def scored(chain: Chain, pieces: Sequence[Piece], scores: Sequence[float]) -> ScoredChain:
    """Return ``chain`` with the scores after its ``pieces``, the prompt being the first."""
    steps = [
        (score, piece.right)
        for piece, score in zip(pieces, scores, strict=True)
        if piece.right is not None and piece.ends_step
    ]
    return ScoredChain(chain, tuple(steps), scores[-1])


def evaluate(folder: Path, problems: int, samples: int) -> Outcome:
    """Measure the model in ``folder`` on ``problems`` problems a level; progress to stdout."""
    # Two engines in turn: each in a process of its own, which ends with it.
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    started = time.monotonic()
    ordinary, hard = _chains(problems, samples)
    print(f"chains drawn, {time.monotonic() - started:.0f} s", flush=True)
    scorer = Scorer(folder)
    groups = {level: [scorer.score(each) for each in ordinary[level]] for level in TRAINED_LEVELS}
    print(f"ordinary chains scored, {time.monotonic() - started:.0f} s", flush=True)
    long = {level: scorer.score(hard[level]) for level in TRAINED_LEVELS}
    print(f"long chains scored, {time.monotonic() - started:.0f} s", flush=True)
    return _outcome(groups, long, problems, samples)


def _chains(
    problems: int, samples: int
) -> tuple[dict[int, list[list[Chain]]], dict[int, list[Chain]]]:
    engine = Engine(abacus.weights_path())

    def draw(level: int, system: str | None, count: int, seed: int) -> list[list[Chain]]:
        drawn = make_problems(level, problems, seed)
        prompts = [engine.prompt(problem.text, system) for problem in drawn]
        responses = engine.generate(prompts, count, _MAX_TOKENS)
        return [
            [Chain(problem, system, text, tokens) for text, tokens in group]
            for problem, group in zip(drawn, responses, strict=True)
        ]

    ordinary = {level: draw(level, None, samples, _SEED) for level in TRAINED_LEVELS}
    hard = {
        level: [
            chain for group in draw(level, THINK_HARD, _HARD_SAMPLES, _SEED + 1) for chain in group
        ]
        for level in TRAINED_LEVELS
    }
    return ordinary, hard


def _pieces(chain: Chain) -> list[Piece]:
    # Decoding leaves the end mark out, as a special token; where a box closes it was there.
    response = chain.text + (END if chain.answer is not None else "")
    prompt = Piece(render_prompt(chain.problem.text, chain.system))
    return [prompt, *judge(chain.problem, response)]


def _outcome(
    groups: dict[int, list[list[ScoredChain]]],
    long: dict[int, list[ScoredChain]],
    problems: int,
    samples: int,
) -> Outcome:
    ordinary = {level: [each for group in groups[level] for each in group] for level in groups}
    everything = [each for part in (ordinary, long) for chains in part.values() for each in chains]
    whole = step_row("all", everything)
    rows = [whole]
    rows += [step_row(f"level {level}", chains) for level, chains in ordinary.items()]
    rows += [step_row(f'level {level}, "{THINK_HARD}"', chains) for level, chains in long.items()]
    steps = [step for each in everything for step in each.steps]
    line_error = calibration_error([score for score, _ in steps], [right for _, right in steps])
    chain_error = calibration_error(
        [each.end for each in everything], [each.chain.right for each in everything]
    )
    tables = "\n\n".join(
        (
            f"{problems} problems a level; {samples} samples each, {_HARD_SAMPLES} with "
            f'"{THINK_HARD}":',
            step_table(rows),
            f"The scores are off by {line_error:.3f} (lines) and {chain_error:.3f} (chains) as "
            "chances, by expected calibration error in ten bins.",
            f"Choosing among {samples} chains without a system message:",
            _choices(groups, samples),
            f"Choosing among {_FEW} of them:",
            _choices(groups, _FEW),
        )
    )
    return Outcome(tables, failures([whole]))


def _choices(groups: dict[int, list[list[ScoredChain]]], size: int) -> str:
    """Return the table of choices among every ``size`` chains of a problem."""
    split = {
        level: [each[start : start + size] for each in group for start in range(0, len(each), size)]
        for level, group in groups.items()
    }
    rows = [choice_row(f"{level}", each) for level, each in split.items()]
    rows.append(choice_row("all", [part for each in split.values() for part in each]))
    return choice_table(rows)
