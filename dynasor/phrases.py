"""The words between which a model reasons: what ends a step or a thought, and what is injected."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Phrase = Annotated[str, Field(min_length=1, max_length=2000)]
OpenBox = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\{$")]
"""Ends with the brace that opens a box: what follows is read up to the one that closes it."""


class Phrases(BaseModel):
    """Phrases of a model; a program may override some. The defaults suit models that think between
    ``<think>`` and ``</think>`` in paragraphs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: Phrase = Field("\n\n", description="ends a step of reasoning")
    think_end: Phrase = Field("</think>", description="ends the thinking")
    probe: OpenBox = Field(
        "... Oh, I suddenly got the answer to the whole problem, **Final Answer**\n\n\\[ \\boxed{",
        description="asks for the present answer in the middle of the thinking; ends with an open "
        "box",
    )
    close: OpenBox = Field(
        "\n</think>\n\n**Final Answer**\n\n\\boxed{",
        description="ends the thinking and asks for the answer; ends with an open box",
    )
    wait: Phrase = Field("Wait", description="makes the thinking go on where it would end")
    thoughts: tuple[Phrase, ...] = Field(
        ("\nWait", "\nAlternatively", "\nHmm", "\nBut", "\nHowever", "\nLet me", "\n\nSo"),
        max_length=64,
        description="begin a new thought",
    )
    hedges: tuple[Phrase, ...] = Field(
        ("wait", "hold", "but", "okay", "no", "hmm"),
        max_length=64,
        description="words that make a probe's answer doubtful",
    )

    def merged(self, over: Phrases) -> Phrases:
        """These, with what is set explicitly in ``over``."""
        return self.model_copy(update={name: getattr(over, name) for name in over.model_fields_set})
