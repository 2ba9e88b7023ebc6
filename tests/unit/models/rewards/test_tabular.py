"""The tabular fit: golden values, invariants, limits, and starts from which it must not fail."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from cr_audit.arrays import Comparisons, FloatArray, Proportions
from cr_audit.models.graph import components_of
from cr_audit.models.rewards import moments
from cr_audit.models.rewards.moments import FitStatus
from cr_audit.models.rewards.objective import gradient, moment_residual, objective, pair_terms
from cr_audit.models.rewards.tabular import fit_tabular


def cases(golden: Path, name: str) -> list[dict]:
    return json.loads((golden / f"{name}.json").read_text())["cases"]


def complete(rng: np.random.Generator, m: int) -> Proportions:
    matrix = rng.random((m, m))
    return Proportions.from_matrix(np.triu(matrix, 1) + np.tril(1 - matrix.T, -1))


def draw(rng: np.random.Generator, m: int, n: int) -> Comparisons:
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    return Comparisons.of(m, a, b, rng.choice([0.0, 0.5, 1.0], size=n))


def test_golden_rewards(golden: Path) -> None:
    for case in cases(golden, "mle_rewards"):
        given_, expected = case["inputs"], case["outputs"]
        proportions = Proportions.from_matrix(given_["P"])
        # Eq. 1 as printed at λ is the standard fit at λ/m.
        share = proportions.n_items if given_["convention"] == "eq1_as_printed" else 1
        w = np.array(given_["weights"])
        fit = fit_tabular(proportions, w, penalty=given_["lambda"] / share, tolerance=1e-13)
        np.testing.assert_allclose(fit.rewards, expected["r_hat"], atol=case["tol"]["abs"], rtol=0)
        if "objective_without_diagonal" in expected:
            value = objective(pair_terms(proportions, w), w, fit.rewards, given_["lambda"])
            assert value == pytest.approx(expected["objective_without_diagonal"], abs=1e-9)


def test_golden_two_alternatives(golden: Path) -> None:
    for case in cases(golden, "mle_two_alternatives"):
        given_, expected = case["inputs"], case["outputs"]
        p, w = given_["p_a_over_b"], given_["w_a"]
        fit = fit_tabular(
            Proportions.from_matrix([[0.5, p], [1 - p, 0.5]]),
            np.array([w, 1 - w]),
            penalty=given_["lambda"],
            tolerance=1e-13,
        )
        np.testing.assert_allclose(
            fit.rewards, [expected["r_a"], expected["r_b"]], atol=1e-10, rtol=0
        )


def test_golden_sparse_refits(golden: Path) -> None:
    for case in cases(golden, "sparse_refit"):
        given_, expected = case["inputs"], case["outputs"]
        wins = np.array(given_["wins"])
        rows = Comparisons.of(given_["m"], wins[:, 0], wins[:, 1], mass=wins[:, 2])
        fit = fit_tabular(
            rows.proportions(),
            np.array(given_["weights"]),
            penalty=given_["lambda"],
            tolerance=1e-13,
            normaliser=1.0 if given_["convention"] == "observed_only" else None,
        )
        # The golden file gives 0 to an item without comparisons; it has no reward here.
        known = np.isin(np.arange(given_["m"]), wins[:, :2])
        assert fit.has_data.tolist() == known.tolist()
        assert np.all(np.isnan(fit.rewards[~known]))
        np.testing.assert_allclose(
            fit.rewards[known], np.array(expected["r_hat"])[known], atol=1e-9, rtol=0
        )
        _, labels = np.unique(np.array(expected["component"])[known], return_inverse=True)
        assert fit.components[known].tolist() == labels.tolist()
        if given_["convention"] == "coverage_normalised":
            assert fit.kappa == pytest.approx(expected["coverage"], rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.sampled_from([1e-4, 1e-2, 0.1, 1.0]))
@settings(max_examples=60)
def test_invariants_on_complete_data(seed: int, m: int, penalty: float) -> None:
    rng = np.random.default_rng(seed)
    proportions, w = complete(rng, m), rng.dirichlet(np.full(m, 0.7))
    fit = fit_tabular(proportions, w, penalty=penalty, tolerance=1e-13)
    assert fit.converged
    r = fit.rewards
    assert abs((w * r).sum()) < 1e-10
    assert np.all(np.abs(r) <= np.minimum(1 / (2 * penalty), (1 - w) / penalty) + 1e-9)
    wawr = 0.5 * w  # p(x, x) = 1/2 belongs to the sum
    np.add.at(wawr, proportions.first, w[proportions.second] * proportions.p)
    np.add.at(wawr, proportions.second, w[proportions.first] * (1 - proportions.p))
    order = np.argsort(wawr)
    gaps = np.diff(wawr[order]) > 1e-9
    assert np.all(np.diff(r[order])[gaps] > 0)


@given(st.integers(0, 2**32 - 1), st.integers(2, 15), st.integers(1, 40))
@settings(max_examples=60)
def test_invariants_on_any_data(seed: int, m: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    proportions = draw(rng, m, n).proportions()
    w = rng.dirichlet(np.ones(m))
    fit = fit_tabular(proportions, w, penalty=0.05, tolerance=1e-12)
    assert fit.converged
    for c in range(fit.n_components):
        inside = fit.components == c
        assert abs((w[inside] * fit.rewards[inside]).sum()) < 1e-9
    residual = moment_residual(
        pair_terms(proportions, w), w, np.nan_to_num(fit.rewards), penalty=0.05
    )
    assert np.abs(residual).max() < 1e-9
    assert np.array_equal(np.isfinite(fit.rewards), fit.has_data)


@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(1, 4))
@settings(max_examples=40)
def test_exact_clones_that_share_their_weight_change_nothing(
    seed: int, m: int, copies: int
) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.random((m, m))
    p = np.triu(matrix, 1) + np.tril(1 - matrix.T, -1) + 0.5 * np.eye(m)
    w = rng.dirichlet(np.ones(m))
    target = int(rng.integers(m))
    original = np.concatenate([np.arange(m), np.full(copies, target)])
    shares = rng.dirichlet(np.ones(copies + 1))
    split = np.concatenate([w, w[target] * shares[1:]])
    split[target] = w[target] * shares[0]
    before = fit_tabular(Proportions.from_matrix(p), w, penalty=0.02, tolerance=1e-13)
    after = fit_tabular(
        Proportions.from_matrix(p[np.ix_(original, original)]), split, penalty=0.02, tolerance=1e-13
    )
    np.testing.assert_allclose(after.rewards, before.rewards[original], atol=1e-9)


@pytest.mark.parametrize("m", [8, 300])
def test_weight_zero_is_the_limit_of_small_weights(m: int) -> None:
    rng = np.random.default_rng(5)
    proportions = draw(rng, m, 6 * m).proportions()
    w = rng.dirichlet(np.ones(m))
    none = rng.random(m) < 0.4

    def with_small(tiny: float) -> FloatArray:
        v = np.where(none, tiny, w)
        return v / v.sum()

    limit = fit_tabular(proportions, with_small(0.0), penalty=0.02, tolerance=1e-12)
    assert limit.converged
    for tiny in (1e-9, 1e-11, 1e-40, 1e-200):
        near = fit_tabular(proportions, with_small(tiny), penalty=0.02, tolerance=1e-12)
        assert near.converged
        np.testing.assert_allclose(near.rewards, limit.rewards, atol=1e4 * tiny * m + 1e-8)


def test_a_component_of_zero_weight_has_rewards_zero() -> None:
    rows = Comparisons.of(4, [0, 2], [1, 3])
    fit = fit_tabular(rows.proportions(), np.array([0.5, 0.5, 0, 0]), penalty=0.1)
    assert fit.converged
    assert fit.rewards[2:].tolist() == [0.0, 0.0]
    assert fit.rewards[0] > 0


def test_one_sided_data_stay_finite() -> None:
    rows = Comparisons.of(3, [0, 0, 1], [1, 2, 2])
    for penalty in (1.0, 1e-3, 1e-6):
        fit = fit_tabular(rows.proportions(), np.full(3, 1 / 3), penalty=penalty)
        assert fit.converged
        assert np.all(np.diff(fit.rewards) < 0)


def test_the_minimum_is_the_one_a_general_optimiser_finds() -> None:
    rng = np.random.default_rng(2)
    proportions = draw(rng, 10, 30).proportions()
    w, lam = rng.dirichlet(np.ones(10)), 0.03
    fit = fit_tabular(proportions, w, penalty=lam)
    terms = pair_terms(proportions, w)
    found = minimize(
        lambda r: objective(terms, w, r, lam),
        np.zeros(10),
        jac=lambda r: gradient(terms, w, r, lam),
        method="BFGS",
        options={"gtol": 1e-11},
    )
    np.testing.assert_allclose(np.nan_to_num(fit.rewards), found.x, atol=1e-5)


@pytest.mark.parametrize("kind", ["random", "chain", "star", "pairs"])
@pytest.mark.parametrize("penalty", [1.0, 1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("spread", ["uniform", "uneven", "zeros", "thirty decades"])
def test_converges_on_hard_graphs(kind: str, penalty: float, spread: str) -> None:
    rng = np.random.default_rng(1)
    m, n = 300, 1500
    a, b = {
        "random": lambda: (x := rng.integers(m, size=n), (x + rng.integers(1, m, size=n)) % m),
        "chain": lambda: (x := rng.integers(m - 1, size=n), x + 1),
        "star": lambda: (np.zeros(n, int), rng.integers(1, m, size=n)),
        "pairs": lambda: (x := 2 * rng.integers(m // 2, size=n), x + 1),
    }[kind]()
    w = {
        "uniform": np.ones(m),
        "uneven": rng.dirichlet(np.full(m, 0.3)),
        "zeros": rng.random(m) * np.where(np.arange(m) == 0, True, rng.random(m) < 0.5),
        "thirty decades": 10.0 ** rng.uniform(-30, 0, m),
    }[spread]
    rows = Comparisons.of(m, a, b, (rng.random(n) < 0.9).astype(float))
    fit = fit_tabular(rows.proportions(), w / w.sum(), penalty=penalty)
    assert fit.converged, (fit.status, fit.gradient_norm)


@pytest.mark.parametrize("penalty", [0.3, 1e-3])
def test_dense_iterative_and_direct_agree(penalty: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    m = 60
    proportions = draw(rng, m, 400).proportions()
    w = rng.dirichlet(np.ones(m)) * (rng.random(m) < 0.8)
    w /= w.sum()
    by_method = {}
    refuse = lambda *_: None  # noqa: E731
    for method, limit, filled in (("dense", 100, 4), ("iterative", 0, 4), ("direct", 0, 1e9)):
        monkeypatch.setattr(moments, "DENSE_LIMIT", limit)
        monkeypatch.setattr(moments, "FILLED", filled)
        if method == "direct":
            monkeypatch.setattr(moments.MomentSystem, "_conjugate_gradients", refuse)
        fit = fit_tabular(proportions, w, penalty=penalty, tolerance=1e-12)
        assert fit.converged
        assert fit.method == method
        by_method[method] = fit.rewards
    np.testing.assert_allclose(by_method["iterative"], by_method["dense"], atol=1e-8)
    np.testing.assert_allclose(by_method["direct"], by_method["dense"], atol=1e-8)


def test_relabelled_items_get_the_same_rewards() -> None:
    rng = np.random.default_rng(6)
    rows = draw(rng, 20, 100)
    w = rng.dirichlet(np.ones(20))
    new = rng.permutation(20)
    moved, _ = rows.relabel(new, 20)
    v = np.empty(20)
    v[new] = w
    a = fit_tabular(rows.proportions(), w, penalty=0.1, tolerance=1e-13)
    b = fit_tabular(moved.proportions(), v, penalty=0.1, tolerance=1e-13)
    np.testing.assert_allclose(b.rewards[new], a.rewards, atol=1e-10)


def test_a_warm_start_saves_iterations_and_changes_nothing() -> None:
    rng = np.random.default_rng(7)
    proportions = draw(rng, 200, 2000).proportions()
    w = np.full(200, 1 / 200)
    cold = fit_tabular(proportions, w, penalty=0.01)
    warm = fit_tabular(proportions, w, penalty=0.01, warm_start=cold.rewards)
    assert warm.iterations <= 1 < cold.iterations
    np.testing.assert_allclose(warm.rewards, cold.rewards, atol=1e-7)


def test_statuses_carry_advice() -> None:
    rng = np.random.default_rng(8)
    proportions = draw(rng, 30, 100).proportions()
    w = np.full(30, 1 / 30)
    stopped = fit_tabular(proportions, w, penalty=0.01, max_iterations=1)
    assert stopped.status is FitStatus.ITERATION_LIMIT
    assert "max_iterations" in stopped.status
    stalled = fit_tabular(proportions, w, penalty=0.01, tolerance=1e-30)
    assert stalled.status is FitStatus.STALLED
    assert stalled.gradient_norm < 1e-13
    empty = np.zeros(0, np.int64)
    nothing = fit_tabular(
        Proportions(4, empty, empty, np.zeros(0), np.zeros(0)), np.full(4, 0.25), penalty=0.1
    )
    assert nothing.status is FitStatus.NO_DATA
    assert np.all(np.isnan(nothing.rewards))
    assert nothing.n_components == 0


def test_counts_enter_only_when_asked() -> None:
    rows = Comparisons.of(3, [0] * 9 + [1, 2], [1] * 9 + [2, 0])
    once = Comparisons.of(3, [0, 1, 2], [1, 2, 0])
    w = np.full(3, 1 / 3)
    plain = fit_tabular(rows.proportions(), w, penalty=0.1)
    np.testing.assert_allclose(
        plain.rewards, fit_tabular(once.proportions(), w, penalty=0.1).rewards, atol=1e-9
    )
    counted = fit_tabular(rows.proportions(), w, penalty=0.1, count_weighted=True)
    assert counted.rewards[0] > 0.1 > abs(plain.rewards[0])


def test_components_are_numbered_by_their_smallest_item() -> None:
    pairs = Proportions(7, np.array([0, 1, 3]), np.array([6, 3, 4]), np.full(3, 0.5), np.ones(3))
    labels, count = components_of(pairs)
    assert labels.tolist() == [0, 1, -1, 1, 1, -1, 0]
    assert count == 2


@pytest.mark.parametrize("penalty", [0.0, -1.0, np.nan, np.inf])
def test_the_penalty_must_be_positive(penalty: float) -> None:
    with pytest.raises(ValueError, match="penalty"):
        fit_tabular(Proportions.from_matrix(np.full((2, 2), 0.5)), np.full(2, 0.5), penalty=penalty)


def test_every_component_is_centred_by_hand() -> None:
    """Also where the iteration has not: here it makes no step. Means 2.5 and 50/3, by weight."""
    pairs = Comparisons.of(5, [0, 2], [1, 3]).proportions()
    fit = fit_tabular(
        pairs,
        np.array([0.1, 0.3, 0.2, 0.4, 0.0]),
        penalty=0.1,
        warm_start=np.array([1.0, 3.0, 10.0, 20.0, 7.0]),
        max_iterations=0,
    )
    wanted = [-1.5, 0.5, 10 - 50 / 3, 20 - 50 / 3]
    np.testing.assert_allclose(fit.rewards[:4], wanted)
    assert np.isnan(fit.rewards[4])
