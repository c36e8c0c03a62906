"""Fits step costs to measured windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cluster.bench.stats import percentile
from cluster.sim.profile import StepCost
from cluster.sim.profiling.windows import Sample

Matrix = NDArray[np.float64]


def fit_step(samples: Sequence[Sample]) -> StepCost:
    """The step costs that explain the windows best: least squares of relative errors, none of the
    costs below 0.

    Raises:
        ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("nothing was measured, so there is nothing to fit")
    seconds = np.array([one.seconds for one in samples])
    rows = _rows(samples) / seconds[:, None]
    costs = non_negative_least_squares(rows, np.ones(len(samples)))
    return StepCost(**dict(zip(StepCost.model_fields, map(float, costs), strict=True)))


def fit_crowding(step: StepCost, samples: Sequence[Sample]) -> float:
    """How much longer steps take for each other busy engine: the median over the windows in which
    there were others; 0 where there are none, or they take no longer."""
    shares = [
        (one.seconds / predicted(step, one) - 1) / one.others for one in samples if one.others
    ]
    return max(0.0, percentile(shares, 50)) if shares else 0.0


def predicted(step: StepCost, one: Sample, crowding: float = 0.0) -> float:
    """Seconds that a window should take."""
    costs = [getattr(step, name) for name in StepCost.model_fields]
    alone = float(_rows([one])[0] @ np.array(costs))
    return alone * (1 + crowding * one.others)


def errors(step: StepCost, crowding: float, samples: Sequence[Sample]) -> dict[str, float]:
    """Relative errors over the windows: mean, 90th percentile, and the mean with its sign."""
    off = [predicted(step, one, crowding) / one.seconds - 1 for one in samples]
    sizes = [abs(value) for value in off]
    return {
        "mean": round(float(np.mean(sizes)), 4),
        "p90": round(percentile(sizes, 90), 4),
        "bias": round(float(np.mean(off)), 4),
    }


def non_negative_least_squares(a: Matrix, b: Matrix) -> Matrix:
    """The x >= 0 with the least ``|a x - b|``: the active-set method of Lawson and Hanson 1974.

    Args:
        a: shape (m, n). Columns are scaled to length 1 meanwhile: costs differ by many powers of
            ten.
        b: shape (m,).
    """
    scale = np.linalg.norm(a, axis=0)
    scale[scale == 0] = 1.0
    scaled = a / scale
    x = np.zeros(a.shape[1])
    free = np.zeros(a.shape[1], dtype=bool)
    tolerance = 1e-10 * max(1.0, float(np.linalg.norm(b)))
    for _ in range(3 * a.shape[1]):
        gradient = scaled.T @ (b - scaled @ x)
        gradient[free] = -np.inf
        best = int(np.argmax(gradient))
        if gradient[best] <= tolerance:
            break
        free[best] = True
        x = _step_inwards(scaled, b, x, free)
    result: Matrix = x / scale
    return result


def _step_inwards(a: Matrix, b: Matrix, x: Matrix, free: NDArray[np.bool_]) -> Matrix:
    """Least squares over the free columns; those that would become negative are held at 0."""
    while True:
        target = np.zeros_like(x)
        target[free] = np.linalg.lstsq(a[:, free], b, rcond=None)[0]
        negative = free & (target <= 0)
        if not negative.any():
            return target
        share = np.min(x[negative] / (x[negative] - target[negative]))
        x = x + share * (target - x)
        free[free & (x <= 1e-15)] = False
        x[~free] = 0.0


def _rows(samples: Sequence[Sample]) -> Matrix:
    """In the order of the fields of `StepCost`."""
    columns = (
        "steps",
        "decoding",
        "context_tokens",
        "prefill_tokens",
        "attended",
        "started",
    )
    return np.array([[getattr(one, name) for name in columns] for one in samples], dtype=np.float64)
