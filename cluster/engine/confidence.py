"""How sure a model was while it wrote: the confidences of DeepConf (arXiv 2508.15260).

A token's confidence C is minus the mean log-probability of the candidates for its place: the
higher, the more of the probability lies on few of them. In nats, at least 0.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Sequence

_FLOOR = -100.0
_LOWEST_SHARE = 0.1


def token_confidence(logprobs: Sequence[float]) -> float:
    """Minus the mean of the log-probabilities of the most probable candidates.

    A candidate that sampling ruled out (minus infinity) counts as -100. Raises ValueError if there
    is no candidate.
    """
    if not logprobs:
        raise ValueError("a token without candidates has no confidence")
    return -math.fsum(max(value, _FLOOR) for value in logprobs) / len(logprobs)


class Confidence:
    """Confidences of one chain, token by token.

    A group is ``group`` tokens in a row; a chain of n tokens has n - group + 1 of them, each with
    the mean of its tokens' confidences. All but `bottom` cost the same however long
    the chain is.
    """

    def __init__(self, group: int) -> None:
        if group < 1:
            raise ValueError(f"a group has at least 1 token, got {group}")
        self._group = group
        self._recent: deque[float] = deque(maxlen=group)
        self._sum = 0.0
        self._total = 0.0
        self._count = 0
        self._means = array("d")
        self._lowest: float | None = None

    def add(self, token_confidence: float) -> None:
        """Take the next token's confidence. Raises ValueError if it is not finite."""
        if not math.isfinite(token_confidence):
            raise ValueError(f"a confidence is finite, got {token_confidence}")
        if len(self._recent) == self._group:
            self._sum -= self._recent[0]
        self._recent.append(token_confidence)
        self._sum += token_confidence
        self._total += token_confidence
        self._count += 1
        if self._count % self._group == 0:
            # What adding and subtracting lost does not add up over the chain.
            self._sum = math.fsum(self._recent)
        if self._count >= self._group:
            mean = self._sum / self._group
            self._means.append(mean)
            self._lowest = mean if self._lowest is None else min(self._lowest, mean)

    @property
    def lowest(self) -> float | None:
        """Mean of the group with the lowest one; None until there is a group."""
        return self._lowest

    @property
    def bottom(self) -> float | None:
        """Mean of the lowest tenth of the groups, at least one.

        None until there is a group. Sorts the groups at each call.
        """
        if not self._means:
            return None
        lowest = sorted(self._means)[: max(1, int(len(self._means) * _LOWEST_SHARE))]
        return math.fsum(lowest) / len(lowest)

    @property
    def tail(self) -> float | None:
        """Mean of the last ``group`` tokens, or of all if there are fewer.

        None before the first token.
        """
        return self._sum / len(self._recent) if self._recent else None

    @property
    def mean(self) -> float | None:
        """Mean of all tokens; None before the first one."""
        return self._total / self._count if self._count else None
