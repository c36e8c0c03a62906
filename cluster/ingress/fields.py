"""Which fields a request may have, beyond those that say what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynasor.errors import InvalidField
from dynasor.query import Sampling

SAMPLING = frozenset(Sampling.model_fields)
"""Fields that go to the engine under the same name."""

IGNORED = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_retention",
        "request_id",
        "safety_identifier",
        "service_tier",
        "session_id",
        "store",
        "user",
    }
)
"""Fields that clients send and that can't change the answer: accepted, without effect."""

_OFF: Mapping[str, tuple[Any, ...]] = {
    "add_generation_prompt": (True,),
    "allowed_token_ids": ([],),
    "audio": (),
    "bad_words": ([],),
    "best_of": (1,),
    "chat_template": (),
    "chat_template_kwargs": ({},),
    "continue_final_message": (False,),
    "documents": ([],),
    "echo": (False,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "include_reasoning": (True,),
    "include_stop_str_in_output": (False,),
    "length_penalty": (1.0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "prediction": (),
    "priority": (0,),
    "prompt_logprobs": (),
    "response_format": ({"type": "text"},),
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": (True,),
    "structured_outputs": (),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "truncate_prompt_tokens": (),
    "use_beam_search": (False,),
    "verbosity": ("medium",),
    "web_search_options": (),
}
"""Fields of OpenAI and vLLM that would change the answer and are not supported: refused, except
with these values (and null), which ask for nothing."""


def relevant(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something: no nulls, nothing ignored, nothing switched off.

    Raises:
        InvalidField: a field asks for what is not supported.
    """
    kept = {}
    for name, value in document.items():
        if value is None or name in IGNORED:
            continue
        if name in _OFF:
            _refuse_unless_off(name, value)
        else:
            kept[name] = value
    return kept


def _refuse_unless_off(name: str, value: Any) -> None:
    allowed = _OFF[name]
    if not any(type(value) is type(item) and value == item for item in allowed):
        values = ", ".join(repr(item) for item in (*allowed, None))
        raise InvalidField(name, f"is not supported; allowed: {values}")
