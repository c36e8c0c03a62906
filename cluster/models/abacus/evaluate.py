"""Evaluation of abacus with vLLM: voting by level, long chains, and probes."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from cluster.models.abacus.problems import TRAINED_LEVELS, Problem, make_problems
from cluster.models.abacus.reasoner import PROBE, THINK_HARD
from cluster.models.abacus.report import (
    Chain,
    LevelRow,
    ProbeRow,
    failures,
    level_row,
    level_table,
    long_row,
    long_table,
    probe_table,
)

LEVELS = range(1, 13)

_SEED = 20_001
_MAX_TOKENS = 1400
_PROBE_TOKENS = 4
_LONG_SAMPLES = 4
_PROBED_CHAINS = 400
_BEGIN = "<!-- evaluation -->"
_END = "<!-- end of evaluation -->"


@dataclass(frozen=True)
class Outcome:
    """What an evaluation found: its tables in Markdown and the requirements missed."""

    tables: str
    missed: list[str]


class Engine:
    """An offline vLLM engine on the model in ``folder``.

    The environment variables that vLLM needs on a CPU are set unless they already are; that has
    an effect only if vllm has not been imported before.
    """

    def __init__(self, folder: Path) -> None:
        for name, value in _environment().items():
            os.environ.setdefault(name, value)
        from vllm import LLM, SamplingParams

        self._params = SamplingParams
        self._llm: Any = LLM(
            model=str(folder),
            enforce_eager=True,
            kv_cache_memory_bytes=256 << 20,
            block_size=32,
            max_num_batched_tokens=2048,
            max_num_seqs=128,
            max_model_len=2048,
            seed=_SEED,
        )
        self._tokenizer: Any = self._llm.get_tokenizer()

    def prompt(self, question: str, system: str | None) -> list[int]:
        """Return the token ids of a question, rendered by the model's chat template."""
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": question})
        text = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return self.encode(text)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of ``text``, with nothing added."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def generate(
        self, prompts: Sequence[list[int]], samples: int, max_tokens: int
    ) -> list[list[tuple[str, int]]]:
        """Return, for each prompt, ``samples`` responses at temperature 1 and their lengths."""
        params = self._params(temperature=1.0, n=samples, max_tokens=max_tokens)
        outputs = self._llm.generate(
            [{"prompt_token_ids": ids} for ids in prompts], params, use_tqdm=False
        )
        return [
            [(completion.text, len(completion.token_ids)) for completion in output.outputs]
            for output in outputs
        ]


def evaluate(folder: Path, problems: int, samples: int) -> Outcome:
    """Measure the model in ``folder`` on ``problems`` problems a level; progress to stdout."""
    started = time.monotonic()
    engine = Engine(folder)
    levels: list[LevelRow] = []
    short_chains: list[Chain] = []
    for level in LEVELS:
        groups = _chains(engine, make_problems(level, problems, _SEED), None, samples)
        levels.append(level_row(groups))
        if level in TRAINED_LEVELS:
            short_chains += [group[0] for group in groups]
        print(levels[-1], f"{time.monotonic() - started:.0f} s", flush=True)
    long_rows = []
    long_chains: list[Chain] = []
    for level in TRAINED_LEVELS:
        drawn = make_problems(level, problems, _SEED + 1)
        groups = _chains(engine, drawn, THINK_HARD, _LONG_SAMPLES)
        chains = [chain for group in groups for chain in group]
        long_rows.append(long_row(chains))
        long_chains += chains
        print(long_rows[-1], f"{time.monotonic() - started:.0f} s", flush=True)
    probes = _probe_rows(engine, short_chains, long_chains)
    tables = "\n\n".join(
        (
            f"{problems} problems a level, {samples} samples each:",
            level_table(levels),
            f'"{THINK_HARD}", {problems} problems a level, {_LONG_SAMPLES} samples each:',
            long_table(long_rows),
            f'Probes at temperature 1 in chains of "{THINK_HARD}", the first row in ordinary ones:',
            probe_table(probes),
        )
    )
    return Outcome(tables, failures(levels))


def greedy_sample(folder: Path, problem: Problem) -> str:
    """Return the greedy response of the model loaded by transformers instead of vLLM."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": problem.text}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    output = model.generate(**inputs, do_sample=False, max_new_tokens=300)
    text: str = tokenizer.decode(output[0, inputs["input_ids"].shape[1] :])
    return text


def write_tables(readme: Path, tables: str) -> None:
    """Replace the tables in ``readme``; raises ValueError if their place is not marked."""
    text = readme.read_text()
    pattern = re.compile(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{readme} has no place for tables between {_BEGIN} and {_END}")
    readme.write_text(pattern.sub(lambda _: f"{_BEGIN}\n{tables}\n{_END}", text))


def _environment() -> dict[str, str]:
    return {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(os.cpu_count() or 1),
    }


def _chains(
    engine: Engine, problems: list[Problem], system: str | None, samples: int
) -> list[list[Chain]]:
    prompts = [engine.prompt(problem.text, system) for problem in problems]
    responses = engine.generate(prompts, samples, _MAX_TOKENS)
    return [
        [Chain(problem, system, text, tokens) for text, tokens in group]
        for problem, group in zip(problems, responses, strict=True)
    ]


def _probe_rows(engine: Engine, short: list[Chain], long: list[Chain]) -> list[ProbeRow]:
    rng = random.Random(_SEED)
    sample = rng.sample(long, min(len(long), _PROBED_CHAINS))

    def anywhere(chains: list[Chain]) -> list[tuple[Chain, int]]:
        return [(chain, rng.randint(0, len(chain.lines))) for chain in chains]

    places = {"any line, ordinary": anywhere(short), "any line": anywhere(sample)}
    for chain in sample:
        for number, cut in enumerate(chain.cuts_after_passes(), start=1):
            place = f"pass {number}" if number < 4 else "pass 4 and later"
            places.setdefault(place, []).append((chain, cut))
    return [_probe_row(engine, place, cuts) for place, cuts in places.items()]


def _probe_row(engine: Engine, place: str, cuts: list[tuple[Chain, int]]) -> ProbeRow:
    probe = engine.encode(PROBE)
    prompts = []
    for chain, cut in cuts:
        thought = "".join(f"{line}\n" for line in chain.lines[:cut])
        prompt = engine.prompt(chain.problem.text, chain.system)
        prompts.append(prompt + engine.encode(thought) + probe)
    responses = engine.generate(prompts, 1, _PROBE_TOKENS)
    answers = [response[0][0] for response in responses]
    pairs = list(zip(answers, cuts, strict=True))
    return ProbeRow(
        place,
        len(cuts),
        expected=fmean(answer == f"{chain.best_at(cut)}}}" for answer, (chain, cut) in pairs),
        final=fmean(answer == f"{chain.answer}}}" for answer, (chain, _) in pairs),
    )
