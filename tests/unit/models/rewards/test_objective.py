"""The objective against its definition, its derivatives and its golden values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cr_audit.arrays import FloatArray, Proportions
from cr_audit.errors import ComputeError
from cr_audit.models.rewards.objective import (
    PairTerms,
    certificate,
    diagonal_constant,
    gradient,
    hessian,
    kappa,
    lambda_eq1,
    moment_jacobian,
    moment_residual,
    objective,
    pair_terms,
    residual_certificate,
    shift_certificate,
)
from cr_audit.models.rewards.tabular import fit_tabular


def sparse_problem(rng: np.random.Generator, m: int) -> tuple[Proportions, np.ndarray]:
    i, j = np.triu_indices(m, 1)
    keep = rng.random(i.size) < 0.5
    keep[0] = True
    mass = rng.integers(1, 6, keep.sum()).astype(float)
    proportions = Proportions(m, i[keep], j[keep], rng.random(keep.sum()), mass)
    return proportions, rng.dirichlet(np.ones(m))


def test_golden_values(golden: Path) -> None:
    for case in json.loads((golden / "objective_gradient.json").read_text())["cases"]:
        given, expected = case["inputs"], case["outputs"]
        w, r, lam = np.array(given["weights"]), np.array(given["r"]), given["lambda"]
        terms = pair_terms(Proportions.from_matrix(given["P"]), w)
        value = objective(terms, w, r, lam)
        assert value == pytest.approx(expected["objective_without_diagonal"], rel=1e-10)
        assert diagonal_constant(w) == pytest.approx(expected["diagonal_constant"], rel=1e-12)
        assert value + diagonal_constant(w) == pytest.approx(expected["objective"], rel=1e-10)
        np.testing.assert_allclose(
            gradient(terms, w, r, lam), expected["gradient"], rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("count_weighted", [False, True])
def test_equals_the_double_sum_over_ordered_pairs(count_weighted: bool) -> None:
    rng = np.random.default_rng(3)
    proportions, w = sparse_problem(rng, 7)
    r, lam = rng.normal(size=7), 0.3
    total = observed = 0.0
    for x, y, p, n in zip(
        proportions.first, proportions.second, proportions.p, proportions.mass, strict=True
    ):
        c = n if count_weighted else 1.0
        for a, b, q in ((x, y, p), (y, x, 1 - p)):
            total -= c * w[a] * w[b] * q * np.log(1 / (1 + np.exp(-(r[a] - r[b]))))
            observed += c * w[a] * w[b]
    k = observed / (1 - (w**2).sum())
    terms = pair_terms(proportions, w, count_weighted=count_weighted)
    assert terms.kappa == pytest.approx(k, rel=1e-12)
    expected = total / k + 0.5 * lam * (w * r**2).sum()
    assert objective(terms, w, r, lam) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [0.0, 1e-3, 0.1, 1.0, 5.0, 30.0])
@pytest.mark.parametrize("m", [2, 5, 12])
def test_derivatives_by_finite_differences(scale: float, m: int) -> None:
    rng = np.random.default_rng(m)
    proportions, w = sparse_problem(rng, m)
    terms, lam, h = pair_terms(proportions, w), 0.05, 1e-5
    r = scale * rng.normal(size=m)
    slope, curvature = gradient(terms, w, r, lam), hessian(terms, w, r, lam).toarray()
    jacobian = moment_jacobian(terms, w, r, lam).toarray()
    np.testing.assert_allclose(slope, w * moment_residual(terms, w, r, lam))
    np.testing.assert_allclose(jacobian.sum(axis=1), lam, rtol=1e-9)
    np.testing.assert_allclose(curvature, curvature.T, atol=1e-15)
    for x in range(m):
        e = np.zeros(m)
        e[x] = h
        up, down = objective(terms, w, r + e, lam), objective(terms, w, r - e, lam)
        assert (up - down) / (2 * h) == pytest.approx(slope[x], abs=1e-9 + 1e-8 * scale)
        column = (gradient(terms, w, r + e, lam) - gradient(terms, w, r - e, lam)) / (2 * h)
        np.testing.assert_allclose(column, curvature[:, x], atol=1e-9)


def test_kappa_is_one_on_complete_data_whatever_the_weights() -> None:
    rng = np.random.default_rng(0)
    complete = Proportions.from_matrix(np.full((5, 5), 0.5))
    for w in (np.full(5, 0.2), rng.dirichlet(np.ones(5)), np.array([1.0, 0, 0, 0, 0])):
        assert kappa(complete, w) == 1.0


def test_no_weight_on_any_compared_pair_is_refused() -> None:
    pairs = Proportions(3, np.array([0]), np.array([1]), np.array([0.7]), np.ones(1))
    with pytest.raises(ComputeError) as caught:
        pair_terms(pairs, np.array([1.0, 0.0, 0.0]))
    assert caught.value.slug == "fit-no-weight"


def test_repeated_and_unsorted_pairs_are_merged_by_mass() -> None:
    w = np.array([0.2, 0.3, 0.5])
    messy = Proportions(
        3,
        np.array([1, 0, 1]),
        np.array([2, 1, 2]),
        np.array([1.0, 0.4, 0.25]),
        np.array([1.0, 2.0, 3.0]),
    )
    terms = pair_terms(messy, w)
    assert terms.first.tolist() == [0, 1]
    assert terms.second.tolist() == [1, 2]
    np.testing.assert_allclose(terms.p, [0.4, (1.0 + 0.75) / 4])


@pytest.mark.parametrize(
    ("first", "second", "p"), [([1], [0], [0.5]), ([0], [3], [0.5]), ([0], [1], [1.5])]
)
def test_broken_pairs_are_refused(first: list[int], second: list[int], p: list[float]) -> None:
    pairs = Proportions(3, np.array(first), np.array(second), np.array(p), np.ones(1))
    with pytest.raises(ValueError, match="must"):
        pair_terms(pairs, np.full(3, 1 / 3))


@pytest.mark.parametrize("weights", [[0.5, 0.6], [0.5, 0.5, 0.0], [1.5, -0.5], [np.nan, 1.0]])
def test_broken_weights_are_refused(weights: list[float]) -> None:
    pairs = Proportions(2, np.array([0]), np.array([1]), np.array([0.5]), np.ones(1))
    with pytest.raises(ValueError, match="weights"):
        pair_terms(pairs, np.array(weights))


def test_conversion_to_equation_1() -> None:
    assert lambda_eq1(0.01, 50) == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(5))
def test_certificates_bound_the_measured_shift(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m, lam = 9, 0.2
    matrix = rng.random((m, m))
    complete = Proportions.from_matrix(np.triu(matrix, 1) + np.tril(1 - matrix.T, -1))
    sparse, _ = sparse_problem(rng, m)
    for proportions in (complete, sparse):
        w = np.full(m, 1 / m)
        v = rng.dirichlet(np.full(m, 0.5))
        before = fit_tabular(proportions, w, penalty=lam)
        after = fit_tabular(proportions, v, penalty=lam)
        shift = np.nanmax(np.abs(before.rewards - after.rewards))
        a, b = pair_terms(proportions, w), pair_terms(proportions, v)
        by_rows = shift_certificate(a, w, b, v, lam)
        by_residual = residual_certificate(b, v, before.rewards, lam)
        assert shift <= by_residual * (1 + 1e-9) <= by_rows * (1 + 1e-8)
        if proportions is complete:
            assert by_rows <= certificate(lam, weight_change_l1=float(np.abs(w - v).sum()))


def test_certificate_for_changed_preferences() -> None:
    rng = np.random.default_rng(8)
    m, lam = 6, 0.1
    a = Proportions.from_matrix(np.full((m, m), 0.5))
    b = Proportions(m, a.first, a.second, rng.random(a.p.size), a.mass)
    w = rng.dirichlet(np.ones(m))
    shift = np.abs(
        fit_tabular(a, w, penalty=lam).rewards - fit_tabular(b, w, penalty=lam).rewards
    ).max()
    assert shift <= certificate(lam, max_p_change=float(np.abs(a.p - b.p).max()))
    assert shift <= shift_certificate(pair_terms(a, w), w, pair_terms(b, w), w, lam)


def test_certificate_refuses_other_pairs() -> None:
    w = np.full(3, 1 / 3)
    one = Proportions(3, np.array([0]), np.array([1]), np.array([0.5]), np.ones(1))
    two = Proportions(3, np.array([0]), np.array([2]), np.array([0.5]), np.ones(1))
    with pytest.raises(ValueError, match="same pairs"):
        shift_certificate(pair_terms(one, w), w, pair_terms(two, w), w, 0.1)


def test_the_shift_certificate_by_hand() -> None:
    """Two items, w = (1/4, 3/4) and then (1/2, 1/2), p = 0.8 and then 0.5; λ = 0.1.

    Row of the first item: |3/4 - 1/2| + min(3/4, 1/2) 0.3 = 0.40; of the second:
    |1/4 - 1/2| + min(1/4, 1/2) 0.3 = 0.325. The larger one over λ is 4.
    """

    def terms(p: float, w: FloatArray) -> PairTerms:
        one = np.array([1.0])
        pairs = Proportions(2, np.array([0]), np.array([1]), p * one, one)
        return pair_terms(pairs, w)

    w, v = np.array([0.25, 0.75]), np.array([0.5, 0.5])
    assert shift_certificate(terms(0.8, w), w, terms(0.5, v), v, 0.1) == pytest.approx(4.0)
    assert shift_certificate(terms(0.5, v), v, terms(0.8, w), w, 0.1) == pytest.approx(4.0)
    # Strengths count like weights: half of the pair's strength is half of its weight.
    before = terms(0.8, w)
    after = replace(before, strength=0.5 * before.strength)
    assert shift_certificate(before, w, after, w, 0.1) == pytest.approx(3.75)


def test_the_other_certificates_by_hand() -> None:
    """(max|Δp| + ‖Δw‖₁)/λ, and max|F|/λ with F(x) = λ r(x) - w(y) (p - σ(Δ))."""
    assert certificate(0.1, max_p_change=0.3, weight_change_l1=0.5) == pytest.approx(8.0)
    one = np.array([1.0])
    pairs = Proportions(2, np.array([0]), np.array([1]), 0.8 * one, one)
    w, r = np.array([0.25, 0.75]), np.array([np.log(3.0), 0.0])
    f = np.array([0.1 * np.log(3.0) - 0.75 * 0.05, 0.25 * 0.05])  # σ(ln 3) = 3/4
    found = residual_certificate(pair_terms(pairs, w), w, r, 0.1)
    assert found == pytest.approx(np.abs(f).max() / 0.1)
