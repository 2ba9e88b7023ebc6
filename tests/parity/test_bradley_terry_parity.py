"""The fits against choix, evalica and scikit-learn, after converting the penalty.

The conversion. choix minimises  Σ_rows -log σ(r(winner) - r(loser)) + α ‖r‖².  The count-weighted
standard fit (w = 1/m, n(x,y) comparisons of a pair) minimises
    (1/κ)(1/m²) Σ_rows -log σ + (λ/2)(1/m) ‖r‖²,
which is choix's objective divided by κ m², so that α = κ λ m / 2.
"""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.arrays import Comparisons, FloatArray
from cr_audit.models.rewards.linear import fit_linear
from cr_audit.models.rewards.tabular import fit_tabular


def draw(seed: int, m: int, n: int) -> Comparisons:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=m)
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    first = rng.random(n) < 1 / (1 + np.exp(truth[b] - truth[a]))
    return Comparisons.of(m, np.where(first, a, b), np.where(first, b, a))


def uniform(m: int) -> FloatArray:
    return np.full(m, 1 / m)


@pytest.mark.parametrize("penalty", [1e-3, 0.1])
@pytest.mark.parametrize(("m", "n"), [(5, 80), (30, 400)])
def test_choix_opt_pairwise(m: int, n: int, penalty: float) -> None:
    choix = pytest.importorskip("choix", reason="choix is not installed")
    rows = draw(0, m, n)
    fit = fit_tabular(
        rows.proportions(), uniform(m), penalty=penalty, count_weighted=True, tolerance=1e-12
    )
    alpha = fit.kappa * penalty * m / 2
    data = list(zip(rows.winner.tolist(), rows.loser.tolist(), strict=True))
    other = choix.opt_pairwise(m, data, alpha=alpha, method="Newton-CG", tol=1e-10)
    np.testing.assert_allclose(fit.rewards, other - other.mean(), atol=2e-5)


def test_evalica_bradley_terry() -> None:
    """evalica has no penalty: the limit λ → 0, up to a constant."""
    evalica = pytest.importorskip("evalica", reason="evalica is not installed")
    rows = draw(1, 12, 3000)
    fit = fit_tabular(rows.proportions(), uniform(12), penalty=1e-9, count_weighted=True)
    winners = [evalica.Winner.X] * rows.n
    names = [f"{x:02d}" for x in range(12)]
    result = evalica.bradley_terry(
        [names[x] for x in rows.winner],
        [names[x] for x in rows.loser],
        winners,
        tolerance=1e-12,
        limit=10_000,
    )
    other = np.log(np.array([result.scores[name] for name in names]))
    np.testing.assert_allclose(fit.rewards, other - other.mean(), atol=1e-5)


def test_scikit_learn_on_the_differences() -> None:
    """LogisticRegression without intercept on c(x) - c(y): C = 1/(ridge κ m²) with λ → 0."""
    sklearn = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    rng = np.random.default_rng(2)
    m, d, ridge = 200, 6, 1e-3
    rows = draw(2, m, 3000)
    contexts = rng.normal(size=(m, d))
    fit = fit_linear(
        rows.proportions(),
        contexts,
        uniform(m),
        penalty=1e-12,
        ridge=ridge,
        count_weighted=True,
        tolerance=1e-11,
    )
    difference = contexts[rows.winner] - contexts[rows.loser]
    sign = rng.random(rows.n) < 0.5
    model = sklearn.LogisticRegression(
        C=1 / (ridge * fit.kappa * m**2), fit_intercept=False, tol=1e-10, max_iter=10_000
    )
    model.fit(np.where(sign[:, None], difference, -difference), sign)
    np.testing.assert_allclose(fit.theta, model.coef_[0], atol=1e-5)
