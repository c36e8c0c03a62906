"""How well the similarity of sketches estimates the cosine of what they are sketches of."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.answers.sketch import similarity

BITS = 1024
SKETCHES = st.binary(min_size=8, max_size=8)


@pytest.mark.parametrize("cosine", [1.0, 0.98, 0.95, 0.85, 0.5, 0.0, -0.5, -1.0])
def test_similarity_is_the_cosine_but_for_the_error_of_so_many_bits(cosine: float) -> None:
    one, other = np.array([1, 0]), np.array([cosine, math.sqrt(1 - cosine**2)])
    random, estimates = np.random.default_rng(0), []
    for _ in range(100):
        planes = random.standard_normal((2, BITS))
        sketches = (np.packbits(embedding @ planes > 0).tobytes() for embedding in (one, other))
        estimates.append(similarity(*sketches))
    share = math.acos(cosine) / math.pi  # A bit differs with this probability.
    error = math.pi * math.sqrt((1 - cosine**2) * share * (1 - share) / BITS)
    assert np.mean(estimates) == pytest.approx(cosine, abs=0.3 * error + 0.002)
    assert np.std(estimates) == pytest.approx(error, rel=0.25)


@given(SKETCHES, SKETCHES)
def test_similarity_is_symmetric_and_that_of_equals_is_greatest(one: bytes, other: bytes) -> None:
    assert -1 <= similarity(one, other) == similarity(other, one) <= 1
    assert similarity(one, one) == 1
    opposite = bytes(255 - byte for byte in one)
    assert similarity(one, opposite) == -1


@pytest.mark.parametrize(("one", "other"), [(b"", b""), (b"a", b""), (b"a", b"ab")])
def test_sketches_that_cannot_be_compared_are_refused(one: bytes, other: bytes) -> None:
    with pytest.raises(ValueError, match="one length"):
        similarity(one, other)
