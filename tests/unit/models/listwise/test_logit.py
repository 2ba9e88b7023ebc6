"""Multinomial logit: published values, brute force, separation, what is identified."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from choice_data import design_of, random_design, rows_of, swissmetro, travel
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from cr_audit.arrays import FloatArray
from cr_audit.models.listwise.designs import ChoiceDesign, identified_columns
from cr_audit.models.listwise.logit import LogitStatus, fit_logit, log_likelihoods


def by_hand(design: ChoiceDesign, b: FloatArray) -> float:
    """Σ mass log P of the chosen, list by list."""
    out = 0.0
    for s in range(design.n):
        rows = slice(design.offsets[s], design.offsets[s + 1])
        u = design.columns[rows] @ b + design.offset[rows]
        p = np.exp(u) / np.exp(u).sum()
        out += design.mass[s] * float(design.share[rows] @ np.log(p))
    return out


def test_the_maximum_is_one_and_its_errors_are_the_curvature() -> None:
    rng = np.random.default_rng(1)
    design = random_design(rng, 300, 3)
    fit = fit_logit(design)
    assert fit.status is LogitStatus.CONVERGED
    assert fit.log_likelihood == pytest.approx(by_hand(design, fit.coefficients), abs=1e-9)
    assert fit.null_log_likelihood == pytest.approx(by_hand(design, np.zeros(3)), abs=1e-9)
    found = minimize(lambda b: -by_hand(design, b), np.zeros(3), method="BFGS")
    np.testing.assert_allclose(fit.coefficients, found.x, atol=1e-4)
    h, eye = 1e-3, np.eye(3)
    numeric = np.array(
        [
            [
                sum(
                    a * c * by_hand(design, fit.coefficients + a * h * eye[i] + c * h * eye[j])
                    for a in (1, -1)
                    for c in (1, -1)
                )
                / (4 * h * h)
                for j in range(3)
            ]
            for i in range(3)
        ]
    )
    np.testing.assert_allclose(np.linalg.inv(-numeric), fit.covariance, rtol=1e-4)
    assert log_likelihoods(design, fit.coefficients).sum() == pytest.approx(fit.log_likelihood)


def test_scores_are_the_gradient_of_each_list_and_make_the_sandwich() -> None:
    rng = np.random.default_rng(2)
    design = random_design(rng, 120, 2)
    unit = rng.integers(0, 30, 120)
    design = ChoiceDesign(
        design.offsets, design.columns, design.share, rng.random(120) + 0.5, unit, design.offset
    )
    fit = fit_logit(design)
    b, h = fit.coefficients, 1e-5
    for s in (0, 17, 119):
        alone = design.lists(np.arange(120) == s)
        for j in range(2):
            step = h * np.eye(2)[j]
            slope = (by_hand(alone, b + step) - by_hand(alone, b - step)) / (2 * h)
            assert fit.scores[s, j] == pytest.approx(slope, abs=1e-7)
    summed = np.array([fit.scores[unit == u].sum(axis=0) for u in np.unique(unit)])
    g = summed.shape[0]
    expected = fit.covariance @ (summed.T @ summed * g / (g - 1)) @ fit.covariance
    np.testing.assert_allclose(fit.robust_covariance, expected, rtol=1e-10)


def test_errors_cover_the_truth() -> None:
    """200 data sets with known coefficients: 95 % intervals hold it in 95 % ± 4.5 %."""
    rng = np.random.default_rng(3)
    truth = np.array([0.8, -0.5])
    inside = np.zeros(2)
    for _ in range(200):
        fit = fit_logit(random_design(rng, 150, 2, truth))
        inside += np.abs(fit.coefficients - truth) < 1.96 * fit.standard_errors
    assert np.all(np.abs(inside / 200 - 0.95) < 0.045)


def test_a_separated_fit_says_so_however_small_its_numbers() -> None:
    x = np.array([[1.0], [0.0]] * 20) * 1e-6
    offsets = np.arange(0, 41, 2)
    fit = fit_logit(ChoiceDesign.of(offsets, x, offsets[:-1]))
    assert fit.status is LogitStatus.SEPARATED
    assert np.isnan(fit.covariance).all()
    one_exception = np.concatenate([offsets[:-2], [39]])
    assert fit_logit(ChoiceDesign.of(offsets, x, one_exception)).status is LogitStatus.CONVERGED


def test_quasi_separation_by_a_combination_of_columns() -> None:
    """No single column separates; the sum of two does, with ties."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 2))
    x[1::2] = x[0::2] - np.abs(rng.normal(size=(100, 1))) * [[1.0, 1.0]] + [[0.5, -0.5]]
    total = x.sum(axis=1).reshape(-1, 2)
    offsets = np.arange(0, 201, 2)
    fit = fit_logit(ChoiceDesign.of(offsets, x, total.argmax(axis=1) + offsets[:-1]))
    assert fit.status is LogitStatus.SEPARATED


def test_columns_that_cannot_matter_are_left_out() -> None:
    rng = np.random.default_rng(5)
    design = random_design(rng, 200, 2)
    constant = np.repeat(rng.normal(size=200), design.sizes)  # the same for all of a list
    double = design.columns[:, :1] * 2 + constant[:, None]
    wide = design.with_columns(np.column_stack([constant, design.columns, double]))
    assert identified_columns(wide).tolist() == [False, True, True, False]
    fit = fit_logit(wide)
    np.testing.assert_allclose(fit.coefficients[1:3], fit_logit(design).coefficients, rtol=1e-8)
    assert np.isnan(fit.coefficients[[0, 3]]).all()


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-4, 1.0, 1e5]))
@settings(max_examples=25)
def test_units_order_and_duplicates_change_nothing(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    design = random_design(rng, 60, 2)
    fit = fit_logit(design)
    if fit.status is not LogitStatus.CONVERGED:
        return
    scaled = fit_logit(design.with_columns(design.columns * [scale, 1.0]))
    np.testing.assert_allclose(scaled.coefficients * [scale, 1.0], fit.coefficients, rtol=1e-6)
    twice = ChoiceDesign(
        design.offsets,
        design.columns,
        design.share,
        design.mass * 2,
        design.unit,
        design.offset,
    )
    np.testing.assert_allclose(
        fit_logit(twice).standard_errors, fit.standard_errors / np.sqrt(2), rtol=1e-6
    )


def test_an_offset_is_a_known_part_of_the_utility() -> None:
    """log weights: k copies that share one weight are chosen as one member would be."""
    offsets = np.array([0, 4, 8, 12, 16])
    category = np.array([[1.0], [0.0], [0.0], [0.0]] * 4)
    share = np.array([0, 1 / 3, 1 / 3, 1 / 3] * 3 + [1, 0, 0, 0.0])
    weight = np.log(np.where(category[:, 0] == 1, 1.0, 1 / 3))
    design = ChoiceDesign(offsets, category, share, np.ones(4), np.arange(4), weight)
    assert fit_logit(design).coefficients[0] == pytest.approx(np.log(1 / 3), abs=1e-8)


def test_published_values_of_swissmetro(open_data: Path) -> None:
    design, _ = swissmetro(open_data)
    start = time.process_time()
    fit = fit_logit(design)
    assert time.process_time() - start < 1.0
    assert design.n == 4851
    assert fit.log_likelihood == pytest.approx(-3752.568, abs=1e-3)


def test_published_values_of_fishing(open_data: Path) -> None:
    """pylogit's benchmark notebook against R mlogit."""

    def columns(row: dict, item: dict) -> list[float]:
        alt = item["alt"]
        others = ("pier", "boat", "charter")
        income = [row["income"] / 1000 * (alt == a) for a in others]
        catch = [item["catch"] * (alt == a) for a in ("beach", *others)]
        return [*[float(alt == a) for a in others], item["price"], *income, *catch]

    design, _ = design_of(rows_of(open_data, "fishing"), columns)
    fit = fit_logit(design)
    assert fit.log_likelihood == pytest.approx(-1199.1434, abs=1e-4)
    assert fit.null_log_likelihood == pytest.approx(-1638.5999, abs=1e-4)
    published = [1.0430, 0.8418, 2.1549, -0.0253, -0.1355, 0.0554, -0.0723]
    published += [3.1177, 2.8512, 2.5425, 0.7595]
    np.testing.assert_allclose(fit.coefficients, published, atol=5.1e-5)
    assert fit.standard_errors[3] == pytest.approx(0.002, abs=5e-4)


def test_published_values_of_travel_mode_choice(open_data: Path) -> None:
    """Greene (2003), table 21.11, as R mlogit's tests print it; its last digit is mlogit's."""
    design, _ = design_of(rows_of(open_data, "travel_modechoice"), travel)
    fit = fit_logit(design)
    assert fit.log_likelihood == pytest.approx(-199.12837, abs=1e-5)
    published = [5.207433, 3.869036, 3.163190, -0.015501, -0.096125, 0.013287]
    np.testing.assert_allclose(fit.coefficients, published, atol=1.1e-5)
    errors = [0.779055, 0.443127, 0.450266, 0.004408, 0.010440, 0.010262]
    np.testing.assert_allclose(fit.standard_errors, errors, atol=5.1e-7)
    constants = fit_logit(design.with_columns(design.columns[:, :3]))
    ratio = 2 * (fit.log_likelihood - constants.log_likelihood)
    assert ratio == pytest.approx(169.26, abs=5e-3)
    r_squared = 1 - fit.log_likelihood / constants.log_likelihood
    assert r_squared == pytest.approx(0.29825, abs=5e-6)


def test_values_of_mode_canada_on_the_shared_rows(open_data: Path) -> None:
    """mlogit's c3.rum specification; the shared rows alone, fitted with another program."""
    rows = []
    for row in rows_of(open_data, "mode_canada"):
        if row["noalt"] == 4 and row["choice"] != "bus":
            kept = [a for a in row["alternatives"] if a["alt"] != "bus"]
            rows.append({**row, "alternatives": kept})

    def columns(row: dict, item: dict) -> list[float]:
        alt = item["alt"]
        others, everyone = ("train", "air"), ("car", "train", "air")
        time_ = item["ivt"] + item["ovt"]
        return [
            *[float(alt == a) for a in others],
            item["cost"],
            item["freq"],
            *[row["income"] * (alt == a) for a in others],
            *[time_ * (alt == a) for a in everyone],
        ]

    design, _ = design_of(rows, columns)
    fit = fit_logit(design)
    assert design.n == 1964
    assert fit.log_likelihood == pytest.approx(-1403.1628, abs=1e-3)
    assert fit.coefficients[2] == pytest.approx(-0.023177, abs=5.1e-7)
    assert fit.coefficients[3] == pytest.approx(0.071070, abs=5.1e-7)
