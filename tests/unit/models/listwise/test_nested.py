"""Nested logit: published values, brute force, the flags of λ."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from choice_data import (
    cooling,
    design_of,
    dichotomy_design,
    random_design,
    rows_of,
    swissmetro,
    travel,
)

from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.models.listwise.designs import ChoiceDesign
from cr_audit.models.listwise.logit import fit_logit, log_likelihoods
from cr_audit.models.listwise.nested import (
    LambdaFlag,
    NestedFit,
    fit_nested,
    nested_log_likelihoods,
)


def by_hand(design: ChoiceDesign, nests: IntArray, b: FloatArray, lam: FloatArray) -> float:
    """The textbook formula, list by list and nest by nest."""
    out = 0.0
    for s in range(design.n):
        rows = np.arange(design.offsets[s], design.offsets[s + 1])
        v = design.columns[rows] @ b
        inside = {g: np.exp(v[nests[rows] == g] / lam[g]).sum() for g in np.unique(nests[rows])}
        total = sum(value ** lam[g] for g, value in inside.items())
        for i, row in enumerate(rows):
            g = nests[row]
            p = np.exp(v[i] / lam[g]) / inside[g] * inside[g] ** lam[g] / total
            out += design.share[row] * np.log(p)
    return out


def fitted(design: ChoiceDesign, nests: IntArray, kinds: IntArray | None = None) -> NestedFit:
    found = fit_nested(design, nests, kinds=kinds)
    assert isinstance(found, NestedFit)
    return found


def test_the_formula_and_the_maximum() -> None:
    rng = np.random.default_rng(1)
    design = random_design(rng, 250, 2)
    nests = rng.integers(0, 2, design.columns.shape[0])
    kinds = np.array([0, 1])
    lam = np.array([0.6, 1.3])
    b = np.array([0.4, -0.2])
    got = nested_log_likelihoods(design, nests, b, lam, kinds=kinds).sum()
    assert got == pytest.approx(by_hand(design, nests, b, lam), abs=1e-9)
    fit = fitted(design, nests, kinds)
    best = by_hand(design, nests, fit.coefficients, fit.lambdas)
    assert fit.log_likelihood == pytest.approx(best, abs=1e-8)
    assert fit.gradient_norm < 1e-8
    for j in range(4):
        for sign in (1, -1):
            step = np.zeros(4)
            step[j] = sign * 1e-3
            moved = by_hand(design, nests, fit.coefficients + step[:2], fit.lambdas + step[2:])
            assert moved < best


def test_lambda_one_is_the_logit() -> None:
    rng = np.random.default_rng(2)
    design = random_design(rng, 100, 2)
    nests = rng.integers(0, 2, design.columns.shape[0])
    b = np.array([0.7, -0.3])
    np.testing.assert_allclose(
        nested_log_likelihoods(design, nests, b, np.ones(1)),
        log_likelihoods(design, b),
        atol=1e-12,
    )


def test_the_ratio_keeps_its_level_under_a_logit() -> None:
    """80 logit data sets: p < 0.05 in 5 % ± 7.3 % (three errors)."""
    rng = np.random.default_rng(3)
    below = 0
    for _ in range(80):
        design = random_design(rng, 150, 1, np.array([0.7]))
        nests = rng.integers(0, 2, design.columns.shape[0])
        below += fitted(design, nests).p_value < 0.05
    assert below / 80 < 0.05 + 0.073


def test_dichotomy_data_push_lambda_to_zero_or_near_it() -> None:
    rng = np.random.default_rng(4)
    design, category = dichotomy_design(rng, 2000, 4, 0.6, 0.6)
    fit = fitted(design, category)
    assert fit.flags[0] is LambdaFlag.AT_ZERO or fit.lambdas[0] < 0.2
    assert fit.p_value < 1e-20


def test_a_lambda_that_no_list_tells_is_not_a_number() -> None:
    design, category = dichotomy_design(np.random.default_rng(5), 200, 2, 0.5, 0.6)
    found = fit_nested(design, category)  # pairs: no nest of two beside another nest
    assert isinstance(found, NotApplicable)
    rng = np.random.default_rng(6)
    wide = random_design(rng, 200, 1)
    nests = np.zeros(wide.columns.shape[0], np.int64)
    nests[wide.offsets[:-1]] = -1
    kinds = np.array([0])
    fit = fitted(wide, nests, kinds)
    assert fit.degrees_of_freedom == 1
    nests[wide.offsets[:-1]] = 1  # kind 1 holds one member everywhere: flat
    flat = fitted(wide, nests, np.array([0, 1]))
    assert flat.flags[1] is LambdaFlag.FLAT
    assert np.isnan(flat.lambdas[1])
    assert flat.degrees_of_freedom == 1
    assert flat.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-7)


def test_published_values_of_swissmetro(open_data: Path) -> None:
    design, names = swissmetro(open_data)
    start = time.process_time()
    fit = fitted(design, (names == "SM").astype(np.int64))
    assert time.process_time() - start < 1.0
    assert fit.log_likelihood == pytest.approx(-3696.780, abs=1e-3)
    assert fit.lambdas[0] == pytest.approx(0.5243, abs=5.1e-5)
    assert fit.flags == (LambdaFlag.INSIDE,)


def test_published_values_of_heating_and_cooling(open_data: Path) -> None:
    """mlogit's vignette e2; its costs are hundred times those of the shared file."""
    design, names = design_of(rows_of(open_data, "heating_cooling_hc"), cooling)
    logit = fit_logit(design)
    assert logit.log_likelihood == pytest.approx(-180.28644, abs=1e-5)
    room = np.isin(names, ["gc", "ec", "er"]).astype(np.int64)
    one = fitted(design, room)
    assert one.log_likelihood == pytest.approx(-178.1247, abs=5e-5)
    published = [-0.5549, -0.8579, -0.2251, -1.0895, -0.378971, 0.249575]
    np.testing.assert_allclose(one.coefficients[:6], published, atol=2e-4)
    assert one.lambdas[0] == pytest.approx(0.585922, abs=5e-6)
    assert one.likelihood_ratio == pytest.approx(4.323, abs=5e-4)
    assert one.p_value == pytest.approx(0.038, abs=5e-4)
    two = fitted(design, room, np.array([0, 1]))
    assert two.log_likelihood == pytest.approx(-177.80978, abs=1e-5)
    np.testing.assert_allclose(two.lambdas, [0.60098, 0.44599], atol=1e-5)
    # mlogit 2.0-0 prints 0.176 here; its own text and the maximum say 0.630.
    ratio = 2 * (two.log_likelihood - one.log_likelihood)
    assert ratio == pytest.approx(0.630, abs=5e-4)
    other = fitted(design, np.isin(names, ["er", "erc"]).astype(np.int64))
    assert other.log_likelihood == pytest.approx(-180.0231, abs=5e-5)
    assert other.lambdas[0] == pytest.approx(1.362, abs=2e-4)
    assert other.flags == (LambdaFlag.ABOVE_ONE,)
    assert other.likelihood_ratio == pytest.approx(0.527, abs=5e-4)
    assert other.p_value == pytest.approx(0.468, abs=5e-4)
    three = np.where(names == "hpc", 2, room)
    assert fitted(design, three).log_likelihood == pytest.approx(-180.2633, abs=5e-5)


def test_values_of_travel_mode_choice(open_data: Path) -> None:
    design, names = design_of(rows_of(open_data, "travel_modechoice"), travel)
    fit = fitted(design, (names == "air").astype(np.int64))
    assert fit.log_likelihood == pytest.approx(-194.94394, abs=1e-5)
    expected = [2.67181, 2.62167, 2.14308, -0.01506, -0.05979, 0.01467]
    np.testing.assert_allclose(fit.coefficients, expected, atol=3e-5)
    assert fit.lambdas[0] == pytest.approx(0.51708, abs=5.1e-6)

    def columns(row: dict, item: dict) -> list[float]:
        alt = item["alt"]
        constants = [float(alt == a) for a in ("train", "bus", "car")]
        own = row["hinc"] / 10 * (alt in ("air", "car"))
        return [*constants, item["gc"], item["ttme"], own]

    design, names = design_of(rows_of(open_data, "travel_modechoice"), columns)
    fit = fitted(design, np.isin(names, ["air", "car"]).astype(np.int64), np.array([0, 1]))
    assert fit.log_likelihood == pytest.approx(-188.43257, abs=1e-5)
    np.testing.assert_allclose(fit.lambdas, [0.96950, 1.72442], atol=1e-5)
    assert fit.flags == (LambdaFlag.INSIDE, LambdaFlag.ABOVE_ONE)
