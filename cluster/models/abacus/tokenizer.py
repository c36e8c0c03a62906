"""Abacus's tokenizer: byte-level BPE with single digits and single newlines.

No token spans a newline, so a text that ends in one can be tokenized apart from what follows.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from cluster.models.abacus.reasoner import (
    PROBE,
    THINK_END,
    make_document,
)

MAX_VOCAB_SIZE = 384
MAX_POSITIONS = 2048
PAD = "<|pad|>"
END = "<|end|>"
ROLES = ("system", "user", "assistant")
THINK = "<think>"

CHAT_TEMPLATE = """\
{%- for message in messages %}
{%- set content = message.content %}
{%- if message.role == 'assistant' and not loop.last and '</think>' in content %}
{%- set content = content.split('</think>')[-1].lstrip('\\n') %}
{%- endif %}
{{- '<|' + message.role + '|>' + content + '<|end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|assistant|><think>\\n' }}
{%- endif %}"""

_SPLIT = r"\d|\n| ?\p{L}+(?: (?=\d))?| ?[^\s\p{L}\d]+ ?|\s"
_SAMPLE_DOCUMENTS = 4000


def build_tokenizer(seed: int) -> Tokenizer:
    """Train the tokenizer on documents drawn with ``seed``; any text survives a round trip."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [PAD, END, *(f"<|{role}|>" for role in ROLES)]
    trainer = trainers.BpeTrainer(
        vocab_size=MAX_VOCAB_SIZE - 2,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sample_texts(seed), trainer)
    # Not "special": servers drop special tokens from their output, and clients look for these.
    marks = [AddedToken(mark, normalized=False) for mark in (THINK, THINK_END)]
    tokenizer.add_tokens(marks)
    return tokenizer


def render_prompt(question: str, system: str | None = None) -> str:
    """Return what the chat template makes of a question, up to where thinking starts."""
    head = f"<|system|>{system}{END}" if system else ""
    return f"{head}<|user|>{question}{END}<|assistant|>{THINK}\n"


def mark_id(tokenizer: Tokenizer, mark: str) -> int:
    """Return the token id of a special token; raises KeyError if ``tokenizer`` has none."""
    found: int | None = tokenizer.token_to_id(mark)
    if found is None:
        raise KeyError(mark)
    return found


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "model_max_length": MAX_POSITIONS,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)


def _sample_texts(seed: int) -> list[str]:
    rng = random.Random(f"tokenizer:{seed}")
    texts = [PROBE]
    for _ in range(_SAMPLE_DOCUMENTS):
        document = make_document(rng)
        texts += [document.system or "", document.question]
        texts += [text.replace(THINK_END, "") for text, _ in document.segments]
    return texts
