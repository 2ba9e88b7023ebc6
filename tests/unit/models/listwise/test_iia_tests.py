"""Hausman–McFadden, the slope, positions, mixtures, held-out choices and the family-wise level."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from choice_data import design_of, dichotomy_design, random_design, rows_of
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.arrays import FloatArray, NotApplicable
from cr_audit.models.listwise.designs import ChoiceDesign
from cr_audit.models.listwise.family_wise import holm
from cr_audit.models.listwise.hausman import Hausman, Quadratic, hausman_mcfadden, quadratic
from cr_audit.models.listwise.held_out import HeldOut, compare_held_out, deal_folds
from cr_audit.models.listwise.logit import fit_logit, log_likelihoods
from cr_audit.models.listwise.mixture import (
    MixtureFit,
    fit_mixture,
    mixture_log_likelihood,
    mixture_log_likelihoods,
)
from cr_audit.models.listwise.positions import Positions, position_test
from cr_audit.models.listwise.slope import Slope, choice_slope, equal_reward_score


def dropped(design: ChoiceDesign, drop: np.ndarray) -> Hausman:
    found = hausman_mcfadden(design, drop)
    assert isinstance(found, Hausman)
    return found


def test_hausman_of_travel_mode_choice(open_data: Path) -> None:
    def columns(row: dict, item: dict) -> list[float]:
        constants = [float(item["alt"] == a) for a in ("air", "train", "bus")]
        return [*constants, item["gc"], item["ttme"]]

    design, names = design_of(rows_of(open_data, "travel_modechoice"), columns)
    assert fit_logit(design).log_likelihood == pytest.approx(-199.98, abs=5e-3)
    air = dropped(design, names == "air")
    assert isinstance(air.classical, Quadratic)
    assert air.n_kept == 152
    assert air.classical.statistic == pytest.approx(33.30, abs=6e-3)
    assert air.classical.degrees_of_freedom == 4
    assert air.classical.p_value == pytest.approx(1e-6, abs=5e-8)
    assert not air.classical.pseudo_inverse
    train = dropped(design, names == "train")
    assert isinstance(train.classical, Quadratic)
    assert (train.n_kept, train.classical.degrees_of_freedom) == (147, 4)
    assert train.classical.statistic == pytest.approx(26.68, abs=6e-3)
    bus = dropped(design, names == "bus")
    assert bus.n_kept == 180
    assert isinstance(bus.classical, NotApplicable)  # a statistic of 139.2 would mean nothing
    assert bus.smallest < 0 < bus.largest
    assert isinstance(bus.joint, Quadratic)
    assert bus.joint.p_value < 1e-3


def test_hausman_of_mode_canada_with_its_negative_control(open_data: Path) -> None:
    rows = [r for r in rows_of(open_data, "mode_canada") if r["noalt"] == 4]

    def columns(row: dict, item: dict) -> list[float]:
        constants = [float(item["alt"] == a) for a in ("air", "train", "bus")]
        return [
            item["cost"] / 100, item["ivt"] / 100, item["ovt"] / 100, item["freq"] / 10, *constants
        ]  # fmt: skip

    design, names = design_of(rows, columns)
    fit = fit_logit(design)
    assert design.n == 1972
    assert fit.log_likelihood == pytest.approx(-1435.70, abs=5e-3)
    published = [-4.342, -0.964, -4.114, 0.921, 3.404, 1.619, -4.065]
    np.testing.assert_allclose(fit.coefficients, published, atol=6e-4)
    air = dropped(design, names == "air")
    assert isinstance(air.classical, Quadratic)
    # The file's 466.6 came from a BFGS curvature; exact curvature gives 466.45.
    assert air.classical.statistic == pytest.approx(466.6, abs=0.2)
    assert isinstance(dropped(design, names == "train").classical, NotApplicable)
    bus = dropped(design, names == "bus")
    assert isinstance(bus.classical, Quadratic)
    assert isinstance(bus.joint, Quadratic)
    assert bus.classical.statistic == pytest.approx(3.35, abs=6e-3)
    assert bus.classical.p_value == pytest.approx(0.76, abs=5e-3)
    assert bus.joint.p_value > 0.5


def test_hausman_of_swissmetro(open_data: Path) -> None:
    rows = [
        r for r in rows_of(open_data, "swissmetro") if r["choice"] and len(r["alternatives"]) == 3
    ]

    def columns(row: dict, item: dict) -> list[float]:
        alt = item["alt"]
        cost = 0.0 if alt in ("TRAIN", "SM") and row["GA"] == 1 else item["CO"]
        return [item["TT"] / 100, cost / 100, alt == "SM", alt == "CAR"]

    design, names = design_of(rows, columns)
    fit = fit_logit(design)
    assert design.n == 6408
    assert fit.log_likelihood == pytest.approx(-5208.15, abs=5e-3)
    np.testing.assert_allclose(fit.coefficients, [-1.333, -0.748, 0.945, 0.918], atol=6e-4)
    for name, kept, statistic in (("SM", 2723, 74.3), ("CAR", 4253, 178.0)):
        found = dropped(design, names == name)
        assert isinstance(found.classical, Quadratic)
        assert (found.n_kept, found.classical.degrees_of_freedom) == (kept, 3)
        assert found.classical.statistic == pytest.approx(statistic, abs=0.06)


def test_hausman_keeps_its_level_and_the_joint_form_always_exists() -> None:
    rng = np.random.default_rng(1)
    joint, classical, applicable = 0, 0, 0
    for _ in range(150):
        design = random_design(rng, 300, 2, np.array([0.5, -0.7]))
        drop = rng.random(design.columns.shape[0]) < 0.2
        found = dropped(design, drop)
        assert isinstance(found.joint, Quadratic)
        joint += found.joint.p_value < 0.05
        if isinstance(found.classical, Quadratic):
            applicable += 1
            classical += found.classical.p_value < 0.05
    assert joint / 150 < 0.05 + 0.054  # three errors
    assert applicable > 100
    assert classical / applicable < 0.05 + 0.06


def test_hausman_needs_something_that_both_fits_tell() -> None:
    design, category = dichotomy_design(np.random.default_rng(2), 100, 4, 0.5, 0.6)
    assert isinstance(hausman_mcfadden(design, category == 1), NotApplicable)


def test_quadratic_names_rank_and_pseudo_inverse() -> None:
    plain = quadratic(np.array([1.0, 2.0]), np.diag([1.0, 4.0]))
    assert plain.statistic == pytest.approx(2.0)
    assert (plain.degrees_of_freedom, plain.pseudo_inverse) == (2, False)
    flat = quadratic(np.array([1.0, 1.0]), np.ones((2, 2)))
    assert flat.statistic == pytest.approx(1.0)
    assert (flat.degrees_of_freedom, flat.pseudo_inverse) == (1, True)


def test_slope_and_score_against_golden_values(golden: Path) -> None:
    for case in json.loads((golden / "iia_nested_logit.json").read_text())["cases"]:
        rows, o = case["inputs"]["rows_k1_k2_chosenM1_n"], case["outputs"]
        first = np.repeat([r[0] for r in rows], [r[3] for r in rows])
        second = np.repeat([r[1] for r in rows], [r[3] for r in rows])
        chosen = np.concatenate([np.arange(r[3]) < r[2] for r in rows]).astype(float)
        slope = choice_slope(first, second, chosen)
        assert isinstance(slope, Slope)
        assert slope.intercept == pytest.approx(o["intercept"], abs=1e-9)
        assert slope.tau == pytest.approx(o["tau"], abs=1e-9)
        assert slope.tau_error == pytest.approx(o["se_tau"], abs=1e-9)
        score = equal_reward_score(first, second, chosen)
        assert score == pytest.approx(o["score_z_of_equal_rewards"], abs=1e-9)
        favours = {1: "M1", -1: "M2", 0: "tie"}[int(np.sign(round(score, 9)))]
        assert favours == o["logit_reward_favours"]
        assert slope.low < slope.tau < slope.high


def test_slope_says_why_there_is_none() -> None:
    ones, twos = np.ones(10, np.int64), np.full(10, 2)
    reason = choice_slope(ones, twos, np.arange(10) % 2 * 1.0)
    assert isinstance(reason, NotApplicable)
    assert "same proportion" in reason.reason
    k = np.array([1, 2] * 10)
    always = choice_slope(k, np.ones(20, np.int64), (k == 2).astype(float))
    assert isinstance(always, NotApplicable)
    with pytest.raises(ValueError, match="both categories"):
        choice_slope(np.zeros(3, np.int64), np.ones(3, np.int64), np.ones(3))


def test_slope_does_not_mind_members_of_mixed_quality() -> None:
    """Rewards that differ within categories are one more noise: τ stays near 1 (IIA holds)."""
    rng = np.random.default_rng(3)
    n, k = 20_000, 4
    second = rng.random((n, k)) < 0.5
    utility = 0.8 * second + rng.normal(0, 1, (n, k)) + rng.gumbel(size=(n, k))
    picked = np.take_along_axis(second, utility.argmax(axis=1)[:, None], 1)[:, 0]
    k2 = second.sum(axis=1)
    mixed = (k2 > 0) & (k2 < k)
    slope = choice_slope(k - k2[mixed], k2[mixed], 1.0 - picked[mixed])
    assert isinstance(slope, Slope)
    assert slope.tau == pytest.approx(1.0, abs=0.1)


def places(rng: np.random.Generator, n: int, p: FloatArray) -> tuple[np.ndarray, FloatArray]:
    k = p.size
    share = np.zeros((n, k))
    share[np.arange(n), rng.choice(k, n, p=p)] = 1.0
    return np.arange(0, n * k + 1, k), share.ravel()


def test_positions_by_hand_and_their_level() -> None:
    share = np.zeros(40)
    share[[0, 4, 8, 12, 16, 20, 24, 29, 34, 39]] = 1.0  # 7 first, one each of the others
    share = np.tile(share, 3)
    found = position_test(np.arange(0, 121, 4), share)
    assert isinstance(found, Positions)
    assert found.statistic == pytest.approx(((21 - 7.5) ** 2 + 3 * (3 - 7.5) ** 2) / 7.5)
    assert found.sizes[0].largest_excess == (0, pytest.approx(0.45))
    rng = np.random.default_rng(4)
    below = 0
    for _ in range(300):
        got = position_test(*places(rng, 200, np.full(4, 0.25)))
        assert isinstance(got, Positions)
        below += got.p_value < 0.05
    assert abs(below / 300 - 0.05) < 0.038
    biased = position_test(*places(rng, 2000, np.array([0.35, 0.65 / 3, 0.65 / 3, 0.65 / 3])))
    assert isinstance(biased, Positions)
    assert biased.p_value < 1e-6


def test_a_mixture_finds_two_tastes_and_a_logit_cannot() -> None:
    rng = np.random.default_rng(5)
    n = 600
    design = random_design(rng, n, 1, np.zeros(1))
    taste = np.where(rng.random(n) < 0.7, 2.5, -2.5)
    utility = design.columns[:, 0] * np.repeat(taste, design.sizes)
    utility = utility + rng.gumbel(size=utility.size)
    bounds = list(zip(design.offsets, design.offsets[1:], strict=False))
    chosen = np.array([lo + int(utility[lo:hi].argmax()) for lo, hi in bounds])
    design = ChoiceDesign.of(design.offsets, design.columns, chosen)
    fit = fit_mixture(design, rng=np.random.default_rng(6))
    assert isinstance(fit, MixtureFit)
    assert fit.converged
    assert fit.shares[0] == pytest.approx(0.7, abs=0.08)
    np.testing.assert_allclose(fit.coefficients[:, 0], [2.5, -2.5], atol=0.6)
    assert fit.log_likelihood > fit_logit(design).log_likelihood + 20
    assert mixture_log_likelihood(design, fit) == pytest.approx(fit.log_likelihood)
    assert mixture_log_likelihoods(design, fit).sum() == pytest.approx(fit.log_likelihood)
    again = fit_mixture(design, rng=np.random.default_rng(6))
    assert isinstance(again, MixtureFit)
    assert again.coefficients.tobytes() == fit.coefficients.tobytes()


def test_held_out_gains_by_hand() -> None:
    rng = np.random.default_rng(7)
    design = random_design(rng, 200, 1, np.array([1.0]))
    fold = deal_folds(design.unit, 5, rng)
    assert np.bincount(fold).tolist() == [40] * 5

    def logit(train: np.ndarray, held: np.ndarray) -> FloatArray:
        return log_likelihoods(design.lists(held), fit_logit(design.lists(train)).coefficients)

    def blind(train: np.ndarray, held: np.ndarray) -> FloatArray:
        return -np.log(design.sizes[held])

    def broken(train: np.ndarray, held: np.ndarray) -> NotApplicable:
        return NotApplicable("no")

    scorers = {"blind": blind, "logit": logit, "broken": broken}
    found = compare_held_out(scorers, fold, design.unit, design.mass)
    assert isinstance(found, HeldOut)
    assert found.missing == {"broken": "no"}
    assert found.mean["blind"] == pytest.approx(-np.log(design.sizes).mean())
    scores = np.empty(200)
    for f in range(5):
        scores[fold == f] = logit(fold != f, fold == f)
    gain = scores + np.log(design.sizes)
    assert found.gain["logit"] == pytest.approx(gain.mean())
    assert found.error["logit"] == pytest.approx(gain.std(ddof=1) / np.sqrt(200), rel=1e-9)
    assert found.gain["blind"] == found.error["blind"] == 0.0


def test_folds_keep_units_together() -> None:
    unit = np.repeat(np.arange(12), 5)
    fold = deal_folds(unit, 4, np.random.default_rng(8))
    assert all(np.unique(fold[unit == u]).size == 1 for u in range(12))
    assert np.unique(fold).size == 4


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_against_the_definition(p_values: list[float]) -> None:
    adjusted = holm(np.array(p_values))
    order = np.argsort(p_values, kind="stable")
    highest = 0.0
    for i, at in enumerate(order):
        highest = max(highest, min(p_values[at] * (len(p_values) - i), 1.0))
        assert adjusted[at] == highest


def test_holm_leaves_out_what_did_not_apply() -> None:
    got = holm(np.array([0.01, np.nan, 0.04]))
    assert got[0] == 0.02
    assert np.isnan(got[1])
    assert got[2] == 0.04
