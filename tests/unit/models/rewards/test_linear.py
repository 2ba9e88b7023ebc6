"""The linear fit against the tabular one, scikit-learn's definition, and full refits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from cr_audit.arrays import Comparisons
from cr_audit.models.rewards.linear import (
    Differences,
    Rows,
    SharedContexts,
    factor,
    fit_linear,
    linear_hessian,
)
from cr_audit.models.rewards.moments import FitStatus
from cr_audit.models.rewards.objective import hessian, objective, pair_terms
from cr_audit.models.rewards.tabular import fit_tabular


def problem(
    seed: int, m: int, d: int, n: int
) -> tuple[Comparisons, np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    contexts = rng.normal(size=(m, d)) / np.sqrt(d)
    truth = contexts @ rng.normal(size=d) * 2
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    won = (rng.random(n) < 1 / (1 + np.exp(truth[b] - truth[a]))).astype(float)
    return Comparisons.of(m, a, b, won), contexts, rng.dirichlet(np.full(m, 2.0)), rng


def test_with_free_contexts_it_is_the_tabular_fit() -> None:
    rows, _, w, _ = problem(0, 9, 1, 200)
    linear = fit_linear(rows.proportions(), np.eye(9), w, penalty=0.05, tolerance=1e-12)
    tabular = fit_tabular(rows.proportions(), w, penalty=0.05, tolerance=1e-12)
    assert linear.converged
    np.testing.assert_allclose(linear.rewards, tabular.rewards, atol=1e-8)


@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 6))
@settings(max_examples=25)
def test_the_minimum_is_the_one_a_general_optimiser_finds(seed: int, m: int, d: int) -> None:
    rows, contexts, w, _ = problem(seed, m, d, 3 * m)
    proportions = rows.proportions()
    fit = fit_linear(proportions, contexts, w, penalty=0.1, ridge=1e-3, tolerance=1e-10)
    assert fit.converged
    assert abs((w * fit.rewards).sum()) < 1e-9
    terms, centred = pair_terms(proportions, w), contexts - w @ contexts
    found = minimize(
        lambda t: objective(terms, w, centred @ t, 0.1) + 0.5e-3 * t @ t,
        np.zeros(d),
        method="BFGS",
        options={"gtol": 1e-7},
    )
    np.testing.assert_allclose(fit.theta, found.x, atol=2e-3)
    assert objective(terms, w, fit.rewards, 0.1) + 0.5e-3 * fit.theta @ fit.theta <= (
        found.fun + 1e-12
    )
    np.testing.assert_allclose(fit.predict(contexts), fit.rewards, atol=1e-12)


def test_fewer_alternatives_than_dimensions_give_the_smallest_theta() -> None:
    rows, contexts, w, _ = problem(1, 12, 40, 60)
    fit = fit_linear(rows.proportions(), contexts, w, penalty=0.05, tolerance=1e-11)
    assert fit.converged
    tabular = fit_tabular(rows.proportions(), w, penalty=0.05, tolerance=1e-12)
    np.testing.assert_allclose(fit.rewards, tabular.rewards, atol=1e-6)
    centred = contexts - w @ contexts
    shortest = np.linalg.lstsq(centred, fit.rewards, rcond=None)[0]
    np.testing.assert_allclose(fit.theta, shortest, atol=1e-5)


def test_alternatives_compared_once_and_never() -> None:
    rng = np.random.default_rng(2)
    contexts = rng.normal(size=(401, 3))
    truth = contexts @ np.array([1.0, -1.0, 0.5])
    a, b = np.arange(0, 400, 2), np.arange(1, 400, 2)
    won = (rng.random(200) < 1 / (1 + np.exp(truth[b] - truth[a]))).astype(float)
    rows = Comparisons.of(401, a, b, won)
    fit = fit_linear(rows.proportions(), contexts, np.full(401, 1 / 401), penalty=1e-3)
    assert fit.converged
    assert np.isfinite(fit.rewards).all()
    assert np.corrcoef(fit.rewards, truth)[0, 1] > 0.9


def test_exact_clones_that_share_their_weight_change_nothing() -> None:
    rows, contexts, w, _ = problem(3, 10, 4, 4000)
    proportions = rows.proportions()
    matrix = np.full((10, 10), 0.5)
    matrix[proportions.first, proportions.second] = proportions.p
    matrix[proportions.second, proportions.first] = 1 - proportions.p
    from cr_audit.arrays import Proportions

    original = np.array([*range(10), 4, 4])
    split = np.concatenate([w, [w[4] / 4, w[4] / 4]])
    split[4] /= 2
    before = fit_linear(Proportions.from_matrix(matrix), contexts, w, penalty=0.1, tolerance=1e-11)
    after = fit_linear(
        Proportions.from_matrix(matrix[np.ix_(original, original)]),
        contexts[original],
        split,
        penalty=0.1,
        tolerance=1e-11,
    )
    np.testing.assert_allclose(after.rewards, before.rewards[original], atol=1e-7)


def test_same_bytes_whatever_the_threads() -> None:
    rows, contexts, w, _ = problem(4, 9000, 5, 12_000)
    one, two = (fit_linear(rows.proportions(), contexts, w, penalty=0.1, workers=t) for t in (1, 3))
    assert one.theta.tobytes() == two.theta.tobytes()


def test_statuses() -> None:
    rows, contexts, w, _ = problem(6, 30, 5, 100)
    stopped = fit_linear(rows.proportions(), contexts, w, penalty=1e-4, max_iterations=1)
    assert stopped.status is FitStatus.ITERATION_LIMIT
    empty = Comparisons.of(30, [], [])
    assert fit_linear(empty.proportions(), contexts, w, penalty=0.1).status is FitStatus.NO_DATA


@pytest.mark.parametrize("bad", [np.ones((3, 2)), np.ones(30), np.full((30, 2), np.nan)])
def test_broken_contexts_are_refused(bad: np.ndarray) -> None:
    rows, _, w, _ = problem(7, 30, 2, 50)
    with pytest.raises(ValueError, match="contexts"):
        fit_linear(rows.proportions(), bad, w, penalty=0.1)


@pytest.mark.parametrize("n", [40, 900])  # fewer pairs than items, and more
def test_the_curvature_is_that_of_the_objective_in_the_rewards(n: int) -> None:
    """C'HC with the objective's own Hessian, from differences of pairs and from a Laplacian."""
    rows, contexts, w, _ = problem(4, 60, 6, n)
    contexts[:, :2] = contexts[0, :2]  # coordinates in which no two differ
    pairs = rows.proportions()
    fit = fit_linear(pairs, contexts, w, penalty=0.1)
    centred = contexts - fit.centre
    inner = hessian(pair_terms(pairs, w), w, fit.rewards, 0.1)
    expected = centred.T @ (inner @ centred)
    found = linear_hessian(SharedContexts(contexts), pairs, fit)
    assert found == pytest.approx(expected, abs=1e-12)


def test_fits_that_share_contexts_are_those_that_do_not() -> None:
    rows, contexts, w, rng = problem(5, 70, 5, 300)
    shared = SharedContexts(contexts)
    for weights in (w, np.full(70, 1 / 70), *rng.dirichlet(np.ones(70), 5), w):
        for penalty in (0.03, 1.0):
            one = fit_linear(rows.proportions(), shared, weights, penalty=penalty)
            two = fit_linear(rows.proportions(), contexts, weights, penalty=penalty)
            assert one.theta.tobytes() == two.theta.tobytes()
            assert one.rewards.tobytes() == two.rewards.tobytes()
            assert float(weights @ one.rewards) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("flat", [0, 3])
@pytest.mark.parametrize("dead", [0, 2])
def test_a_factor_solves_where_the_matrix_is_not_flat(flat: int, dead: int) -> None:
    """By Cholesky where it can be, by eigenvalues where some direction is flat; coordinates that
    nothing stands in are left out of either."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(40, 12))
    if flat:
        x[:, :flat] = x[:, flat : 2 * flat] + x[:, -flat:]
    x[:, 7 : 7 + dead] = 1e-18 * rng.normal(size=(40, dead))
    matrix, at = x.T @ x, x.T @ rng.normal(size=(40, 2))  # in the range
    found = factor(matrix)(at)
    assert matrix @ found == pytest.approx(at, abs=1e-10)
    assert found == pytest.approx(np.linalg.pinv(matrix, rcond=1e-12) @ at, abs=1e-8)
    assert factor(matrix)(at[:, 0]) == pytest.approx(found[:, 0], abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_differences_leave_out_what_pairs_have_in_common(dtype: type) -> None:
    rng = np.random.default_rng(12)
    contexts = rng.normal(size=(900, 7)).astype(dtype)
    first, second = np.arange(0, 900, 2), np.arange(1, 900, 2)
    contexts[second, :3] = contexts[first, :3]
    apart = Differences(contexts, first, second, 1)
    dense = contexts[first].astype(np.float64) - contexts[second]
    v, u, h = rng.normal(size=(7, 2)), rng.normal(size=450), rng.random(450)
    assert apart.used.tolist() == [3, 4, 5, 6]
    assert apart.times(v) == pytest.approx(dense @ v)
    assert apart.transposed(u) == pytest.approx(dense.T @ u)
    assert apart.gram(h) == pytest.approx((dense.T * h) @ dense)
    assert Rows(contexts).gram_of_pairs(first, second, h) == pytest.approx((dense.T * h) @ dense)


def test_a_fit_by_pairs_is_the_fit_by_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, contexts, w, _ = problem(13, 300, 6, 200)
    pairs = rows.proportions()
    one = fit_linear(pairs, contexts, w, penalty=0.1, ridge=0.01, tolerance=1e-12)
    monkeypatch.setattr(SharedContexts, "differences", lambda *_: None)
    two = fit_linear(pairs, contexts, w, penalty=0.1, ridge=0.01, tolerance=1e-12)
    assert one.converged
    assert two.converged
    assert one.rewards == pytest.approx(two.rewards, abs=1e-10)
