"""Between text and token ids: chat templates, tokenizing, decoding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from jinja2 import TemplateError
from transformers import AutoTokenizer, GenerationConfig

from cluster.ingress.errors import ContextLengthExceeded
from cluster.ingress.reasoning import Marks
from cluster.models import model_path
from cluster.settings import ModelSettings
from dynasor.errors import InvalidField
from dynasor.phrases import Phrases
from dynasor.query import Query, Sampling
from dynasor.work import INJECTIONS

THREAD_CHARS = 16_384
"""Texts above this go to a thread: tokenizing them would hold up the event loop for over 10 ms."""

INJECTIONS_KEPT = 1024
"""Injected phrases whose tokens are remembered: they are few, unless callers bring their own."""

CONTEXT_TOKENS = 4
"""Prompt tokens decoded along with a chain: how its first token begins may depend on them."""

_DEFAULTS = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "presence_penalty",
        "frequency_penalty",
        "repetition_penalty",
    }
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as the engines take it.

    Attributes:
        field: where the caller wrote it.
        thinking: it ends inside the model's thinking.
    """

    tokens: tuple[int, ...]
    field: str
    thinking: bool


class Prompts:
    """The served model's tokenizer and chat template."""

    def __init__(self, model: ModelSettings) -> None:
        """Load them; takes seconds. Raises OSError if there are none for that model."""
        source = model_path(model.id)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(
            source, trust_remote_code=model.trust_remote_code
        )
        self.max_model_len = model.max_model_len
        self.marks = None if model.reasoning_end is None else Marks.from_end(model.reasoning_end)
        self.sampling_defaults = _sampling_defaults(source)
        vocabulary = self._tokenizer.get_vocab()
        self._vocabulary_size = len(self._tokenizer)
        self._max_chars = model.max_model_len * max(map(len, vocabulary))
        self._end_id: int | None = vocabulary.get(self.marks.end) if self.marks else None
        self._injection = lru_cache(INJECTIONS_KEPT)(lambda text: self._encode(text, special=False))
        # The first call takes locks and drops truncation settings; later ones only read.
        self._encode("warm up", special=True)

    async def render(self, query: Query) -> Prompt:
        """Token ids of a query's prompt.

        Raises:
            InvalidField: there is no text, or the chat template refuses it.
            ContextLengthExceeded: it leaves no room for an answer.
        """
        if query.messages is None:
            assert query.prompt is not None, "a query has one of the two"
            text = query.prompt
            self._check_chars(len(text), "prompt")
            return await off_loop(len(text), lambda: self._raw(text))
        messages = [{"role": m.role, "content": m.content} for m in query.messages]
        size = sum(len(message["content"]) for message in messages)
        self._check_chars(size, "messages")
        return await off_loop(size, lambda: self._chat(messages))

    def text_of(self, tokens: tuple[int, ...]) -> str:
        """Text of a prompt that came as token ids.

        Raises:
            InvalidField: an id is not in the vocabulary.
        """
        self._check_ids(tokens, "prompt")
        return self.decode(tokens)

    def given(self, tokens: tuple[int, ...], text: str) -> Prompt:
        """A prompt that came as token ids, with its text."""
        return Prompt(tokens, "prompt", self.marks is not None and self.marks.opened_by_text(text))

    def injections(self, phrases: Phrases) -> dict[str, tuple[int, ...]]:
        """Token ids of the phrases that an algorithm may put into a chain, by name."""
        return {name: self._injection(getattr(phrases, name)) for name in INJECTIONS}

    def fit(self, prompt: Prompt, sampling: Sampling, default_max_tokens: int | None) -> Sampling:
        """Complete the sampling parameters: the model's own defaults where the caller gave none.

        Raises:
            ContextLengthExceeded: prompt and completion don't fit into the context.
            InvalidField: a parameter contradicts another one or the vocabulary.
        """
        self._check_ids(sampling.stop_token_ids, "stop_token_ids")
        context = f"the context holds {self.max_model_len} tokens, the prompt"
        room = self.max_model_len - len(prompt.tokens)
        if room < 1:
            raise ContextLengthExceeded(prompt.field, f"{context} has {len(prompt.tokens)}")
        limit = sampling.max_tokens
        if limit is not None and limit > room:
            reason = f"{context} takes {len(prompt.tokens)}: at most {room} are left, got {limit}"
            raise ContextLengthExceeded("max_tokens", reason)
        changes: dict[str, Any] = {
            name: value
            for name, value in self.sampling_defaults.items()
            if name not in sampling.model_fields_set
        }
        if limit is None and default_max_tokens is not None:
            limit = changes["max_tokens"] = min(default_max_tokens, room)
        if sampling.min_tokens > (limit or room):
            reason = f"must be at most {limit or room}, the most tokens that may be generated"
            raise InvalidField("min_tokens", f"{reason}; got {sampling.min_tokens}")
        return sampling.model_copy(update=changes) if changes else sampling

    def decode(self, tokens: Sequence[int], *, skip_special: bool = False) -> str:
        """Text of token ids."""
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=skip_special, clean_up_tokenization_spaces=False
        )
        return text

    def continuation(self, prompt: Sequence[int], tokens: Sequence[int]) -> str:
        """Text that ``tokens`` add to a prompt, without special tokens."""
        context = prompt[-CONTEXT_TOKENS:]
        head = self.decode(context, skip_special=True)
        text = self.decode((*context, *tokens), skip_special=True)
        if text.startswith(head):
            return text[len(head) :]
        return self.decode(tokens, skip_special=True)

    def is_end(self, token: int) -> bool:
        """Whether the token is the model's end-of-sequence token."""
        return bool(token == self._tokenizer.eos_token_id)

    def content_tokens(self, tokens: Sequence[int]) -> int | None:
        """Number of tokens after the thinking; None: unknown, its end is not one token."""
        if self._end_id is None:
            return None
        if self._end_id not in tokens:
            return 0
        return len(tokens) - tokens.index(self._end_id) - 1

    def _chat(self, messages: list[dict[str, str]]) -> Prompt:
        if self._tokenizer.chat_template is None:
            raise InvalidField("messages", "this model has no chat template; use /v1/completions")
        try:
            text: str = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        except TemplateError as error:
            raise InvalidField("messages", f"the chat template refuses them: {error}") from None
        tokens = self._checked_encode(text, "messages", special=False)
        thinking = self.marks is not None and self.marks.opened_by_template(text)
        return Prompt(tokens, "messages", thinking)

    def _raw(self, text: str) -> Prompt:
        tokens = self._checked_encode(text, "prompt", special=True)
        thinking = self.marks is not None and self.marks.opened_by_text(text)
        return Prompt(tokens, "prompt", thinking)

    def _checked_encode(self, text: str, field: str, *, special: bool) -> tuple[int, ...]:
        tokens = self._encode(text, special=special)
        if not tokens:
            raise InvalidField(field, "must not be empty")
        return tokens

    def _encode(self, text: str, *, special: bool) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=special))

    def _check_chars(self, size: int, field: str) -> None:
        # No token stands for more characters than the longest one has, so this refuses only what
        # can't fit, and does it before any work is spent.
        if size > self._max_chars:
            reason = f"the context holds {self.max_model_len} tokens; {size} characters don't fit"
            raise ContextLengthExceeded(field, reason)

    def _check_ids(self, tokens: Sequence[int], field: str) -> None:
        if any(not 0 <= token < self._vocabulary_size for token in tokens):
            reason = f"token ids must be at least 0 and below {self._vocabulary_size}"
            raise InvalidField(field, reason)


def _sampling_defaults(source: str) -> dict[str, Any]:
    """What the model's ``generation_config.json`` recommends, as vLLM's server applies it."""
    try:
        config = GenerationConfig.from_pretrained(source).to_diff_dict()
    except OSError:
        return {}
    given = {name: config[name] for name in _DEFAULTS & config.keys() if config[name] is not None}
    return Sampling.model_validate(given).model_dump(include=set(given))


async def off_loop(size: int, work: Callable[[], T]) -> T:
    """Do the work here, or in a thread if it is on more than `THREAD_CHARS` characters."""
    return await asyncio.to_thread(work) if size > THREAD_CHARS else work()
