"""How well the similarity of sketches estimates the cosine of what they are sketches of."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.answers.sketch import similarity

PLANES = np.random.default_rng(0).standard_normal((64, 1024))
SKETCHES = st.binary(min_size=8, max_size=8)


def sketch(embedding: np.ndarray) -> bytes:
    return np.packbits(embedding @ PLANES > 0).tobytes()


@pytest.mark.parametrize("cosine", [1.0, 0.98, 0.95, 0.85, 0.5, 0.0, -0.5, -1.0])
def test_similarity_is_about_the_cosine(cosine: float) -> None:
    first, second = np.eye(64)[:2]
    other = cosine * first + math.sqrt(1 - cosine**2) * second
    # Three standard errors: a bit differs with probability angle / pi.
    share = math.acos(cosine) / math.pi
    error = math.pi * math.sqrt(1 - cosine**2) * math.sqrt(share * (1 - share) / 1024)
    assert similarity(sketch(first), sketch(other)) == pytest.approx(cosine, abs=3 * error + 1e-3)


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
