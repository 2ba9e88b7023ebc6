"""Mixtures of Bradley-Terry populations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.simulate.populations import preference_matrix


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_mean_over_types_of_the_logistic_function(k: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    u, share = 5 * rng.standard_normal((k, m)), rng.dirichlet(np.ones(k))
    p = preference_matrix(u, share)
    for x in range(m):
        for y in range(m):
            expected = sum(s / (1 + np.exp(r[y] - r[x])) for s, r in zip(share, u, strict=True))
            assert p[x, y] == pytest.approx(expected, abs=1e-12)
    assert np.all(p + p.T == 1.0)


def test_what_is_not_a_population_is_refused() -> None:
    wrong = [([[1.0]], [0.5]), ([[1.0]], [1.0, 0.0]), ([1.0], [1.0]), ([[1.0]] * 2, [2, -1])]
    for utilities, shares in wrong:
        with pytest.raises(ValueError, match=r"shares|disagree"):
            preference_matrix(utilities, shares)
