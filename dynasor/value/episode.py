"""What is learned from: programs that were run to their cap, moment by moment, without labels."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from dynasor.certaindex import Certaindex


class Family(NamedTuple):
    """Programs that are alike and learn from one another.

    Attributes:
        tag: what the caller says its queries are about; "": nothing.
    """

    model: str
    algorithm: str
    tag: str = ""


class Moment(msgspec.Struct, frozen=True, gc=False):
    """What was known of a program after some units of its knob.

    Attributes:
        measured: units that had ended.
        votes: sizes of the answer classes, largest first.
        abstained: chains without an answer.
        streak: how many of the newest answers were the same.
        value: certaindex: its least signal, in [0, 1].
        tokens: spent until then, all branches.
        answer: key of the answer it would have given; None: none yet.
    """

    measured: int
    votes: tuple[int, ...]
    abstained: int
    streak: int
    value: float
    tokens: int
    answer: str | None

    @classmethod
    def of(cls, certaindex: Certaindex, tokens: int, answer: str | None) -> Moment:
        """The moment that shows this certaindex."""
        votes = tuple(sorted((vote.count for vote in certaindex.votes), reverse=True))
        return cls(
            certaindex.measured,
            votes,
            certaindex.abstained,
            certaindex.streak,
            certaindex.value,
            tokens,
            answer,
        )


class Episode(msgspec.Struct, frozen=True, gc=False):
    """One program from its first unit to its cap; its last moment's answer is the full one's.

    Attributes:
        cap: units it could have begun.
        exchangeable: its units are independent draws, so that any order was as likely.
        capped: its cap was known beforehand; if not, it is where the program ended by itself.
    """

    family: Family
    cap: int
    exchangeable: bool
    moments: tuple[Moment, ...]
    capped: bool = True
