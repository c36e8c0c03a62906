"""A program as a policy sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from dynasor.algorithms import StopHint
from dynasor.certaindex import Certaindex, Vote
from dynasor.policies.beta import Beta, BetaParams
from dynasor.policies.threshold import Threshold, ThresholdParams
from dynasor.policies.value import Value, ValueParams
from dynasor.policies.window import Window, WindowParams
from dynasor.value.episode import Family
from dynasor.value.values import ValueModels

HINT = StopHint(knob=5, thresholds={"entropy": 0.7}, wave=5)
SEARCH = StopHint(knob=3, thresholds={"entropy": 0.85, "reward": 0.5}, wave=None)
NEVER = StopHint(knob=1, thresholds={}, wave=None)
VOTES = StopHint(knob=5, thresholds={"entropy": 0.7}, wave=5, most=16, exchangeable=True)
FAMILY = Family("model", "algorithm")


@dataclass
class Fixed:
    """A market that stays as it is."""

    price: float = 0.0
    room: int = 1
    idle: float = 1.0
    values: ValueModels = field(default_factory=ValueModels)


@dataclass
class View:
    """A program as a policy sees it; all that was started has ended if not said otherwise."""

    started: int = 0
    ended: int | None = None
    signals: dict[str, float] = field(default_factory=dict)
    counts: tuple[int, ...] = ()
    streak: int = 0
    stop_hint: StopHint = HINT
    generated: int = 0
    family: Family = FAMILY
    max_disagreement: float | None = None
    market: Fixed = field(default_factory=Fixed)

    @property
    def measured(self) -> int:
        return self.started if self.ended is None else self.ended

    @property
    def active(self) -> int:
        return self.started - self.measured

    def certaindex(self) -> Certaindex:
        votes = tuple(Vote(str(place), str(place), n) for place, n in enumerate(self.counts))
        return Certaindex(self.signals, self.measured, votes, 0, self.streak)


@st.composite
def views(draw: st.DrawFn) -> View:
    started = draw(st.integers(0, 40))
    ended = draw(st.integers(0, started) | st.none())
    voting = started if ended is None else ended
    splits = sorted(draw(st.lists(st.integers(0, voting), max_size=3)))
    counts = [b - a for a, b in zip([0, *splits], [*splits, voting], strict=True)]
    return View(
        started,
        ended,
        draw(st.dictionaries(st.sampled_from(["entropy", "reward"]), st.floats(0, 1))),
        tuple(count for count in counts if count),
        draw(st.integers(0, voting)),
        draw(st.sampled_from([HINT, SEARCH, NEVER])),
        max_disagreement=draw(st.sampled_from([None, 0.0, 0.01])),
        market=Fixed(draw(st.sampled_from([0.0, 1e-6, 1e-3])), draw(st.integers(0, 64))),
    )


def threshold(**params: object) -> Threshold:
    return Threshold(ThresholdParams.model_validate(params))


def beta(**params: object) -> Beta:
    return Beta(BetaParams.model_validate(params))


def value(**params: object) -> Value:
    return Value(ValueParams.model_validate(params))


def window(**params: object) -> Window:
    return Window(WindowParams.model_validate(params))
