"""Bradley-Terry with ties: links, fits, resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.arrays import Comparisons, FloatArray, NotApplicable
from cr_audit.errors import ComputeError
from cr_audit.models.style import position_covariates, scaled
from cr_audit.models.ties import bootstrap
from cr_audit.models.ties.battles import Battles, battles
from cr_audit.models.ties.bootstrap import bootstrap_ties
from cr_audit.models.ties.fit import (
    Problem,
    TieFitStatus,
    fit_best_link,
    fit_ties,
    has_maximum,
    penalty_of,
    sandwich,
    uncertainty,
)
from cr_audit.models.ties.links import LINKS, LOSS, TIE, WIN

NAMES = sorted(LINKS)


def draw(
    theta: FloatArray,
    link: str,
    eta: float,
    n: int,
    rng: np.random.Generator,
    shift: FloatArray | None = None,
) -> Comparisons:
    """n battles of random pairs; ``shift`` is added to δ seen from the item drawn first."""
    m = theta.shape[0]
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    delta = theta[a] - theta[b] + (0.0 if shift is None else shift)
    p = LINKS[link].probabilities(delta, np.asarray(eta))
    u = rng.random(n)
    lost = u >= p[WIN] + p[TIE]
    tie = (u >= p[WIN]) & ~lost
    first = np.where(lost, 0, 1)
    return Comparisons.of(
        m,
        np.where(lost, b, a),
        np.where(lost, a, b),
        np.where(tie, 0.5, 1.0),
        winner_first=first,
    )


def test_probabilities_by_hand() -> None:
    # Strengths 3 and 1, ν = 1/2: 3 : √3/2 : 1 (Davidson 1970, Eq. 2.5).
    d = math.log(3.0)
    total = 3.0 + math.sqrt(3.0) / 2.0 + 1.0
    p = LINKS["davidson"].probabilities(np.array(d), np.array(math.log(0.5)))
    assert p == pytest.approx([3.0 / total, math.sqrt(3.0) / 2.0 / total, 1.0 / total])
    # Strengths 3 and 1, threshold 2: 3/(3 + 2), 1/(1 + 6), (4 - 1) 3/((3 + 2)(6 + 1)).
    p = LINKS["rao-kupper"].probabilities(np.array(d), np.array(math.log(2.0)))
    assert p == pytest.approx([0.6, 9.0 / 35.0, 1.0 / 7.0])


@pytest.mark.parametrize("name", NAMES)
@given(st.floats(-8, 8), st.floats(0.05, 3), st.tuples(*[st.floats(0, 20)] * 3))
def test_derivatives_are_those_of_the_likelihood(
    name: str, delta: float, eta: float, counts: tuple[float, float, float]
) -> None:
    link, h = LINKS[name], 1e-5
    c = np.array(counts)

    def f(d: float, e: float) -> float:
        return float(link.log_likelihood(c, np.array(d), np.array(e)))

    by_delta, by_eta = link.gradient(c, np.array(delta), np.array(eta))
    close = {"rel": 1e-5, "abs": 1e-5}
    assert by_delta == pytest.approx((f(delta + h, eta) - f(delta - h, eta)) / (2 * h), **close)
    if link.has_eta:
        assert by_eta == pytest.approx((f(delta, eta + h) - f(delta, eta - h)) / (2 * h), **close)
    up = link.gradient(c, np.array(delta + h), np.array(eta))
    down = link.gradient(c, np.array(delta - h), np.array(eta))
    dd, de, _ = link.curvature(c, np.array(delta), np.array(eta))
    assert dd == pytest.approx((down[0] - up[0]) / (2 * h), **close)
    if link.has_eta:
        more = link.gradient(c, np.array(delta), np.array(eta + h))
        less = link.gradient(c, np.array(delta), np.array(eta - h))
        *_, ee = link.curvature(c, np.array(delta), np.array(eta))
        assert ee == pytest.approx((less[1] - more[1]) / (2 * h), rel=1e-4, abs=1e-4)
        assert de == pytest.approx((down[1] - up[1]) / (2 * h), **close)
    s, t = link.scores(np.array(delta), np.array(eta))
    assert (c * s).sum() == pytest.approx(by_delta, abs=1e-9)
    assert (c * t).sum() == pytest.approx(by_eta, abs=1e-9)
    p = link.probabilities(np.array(delta), np.array(eta))
    assert p.sum() == pytest.approx(1.0)
    # A score has mean 0 under its own model.
    assert (p * s).sum() == pytest.approx(0.0, abs=1e-12)
    assert (p * t).sum() == pytest.approx(0.0, abs=1e-12)


def test_two_items_by_hand() -> None:
    rows = battles(Comparisons.of(2, [0] * 6 + [1] * 2 + [0] * 2, [1] * 6 + [0] * 2 + [1] * 2,
                                  [1.0] * 8 + [0.5] * 2))  # fmt: skip
    assert rows.counts.ravel().tolist() == [6.0, 2.0, 2.0]
    fit = fit_ties(rows, "davidson", prior_precision=0.0)
    # Three outcomes, two parameters: the fit is exact. δ = ln(6/2), ν = 2/√(6 · 2).
    assert fit.rewards == pytest.approx([0.5 * math.log(3.0), -0.5 * math.log(3.0)])
    assert math.exp(fit.eta) == pytest.approx(2.0 / math.sqrt(12.0))
    rk = fit_ties(rows, "rao-kupper", prior_precision=0.0)
    assert rk.probabilities(np.array([0]), np.array([1]))[:, 0] == pytest.approx([0.6, 0.2, 0.2])
    # The sandwich of a log-odds of 6 to 2: variance 1/6 + 1/2.
    cov = sandwich(rows, fit)
    assert cov[0, 0] + cov[1, 1] - 2 * cov[0, 1] == pytest.approx(1 / 6 + 1 / 2)


def test_penalty_of_is_the_prior_per_battle_of_an_item() -> None:
    assert penalty_of(1.0, 4, 100.0) == pytest.approx(1.0 / 50.0)


@pytest.mark.parametrize("name", ["davidson", "rao-kupper"])
def test_the_right_link_is_chosen_and_its_parameters_found(name: str) -> None:
    rng = np.random.default_rng(5)
    theta = rng.normal(scale=1.5, size=6)
    theta -= theta.mean()
    eta = -0.3 if name == "davidson" else 0.5
    rows = battles(draw(theta, name, eta, 60_000, rng))
    fit, choice = fit_best_link(rows, prior_precision=0.0)
    assert not isinstance(choice, NotApplicable)
    assert fit.link == choice.link == name
    assert fit.converged
    assert (choice.ratio > 0) == (name == "davidson")
    assert fit.rewards == pytest.approx(theta, abs=0.06)
    assert fit.eta == pytest.approx(eta, abs=0.03)
    assert fit.log_likelihood == pytest.approx(max(choice.davidson, choice.rao_kupper))


def test_order_of_rows_and_of_sides_does_not_matter() -> None:
    rng = np.random.default_rng(6)
    c = draw(rng.normal(size=5), "davidson", 0.0, 400, rng)
    z = rng.normal(size=(400, 1))
    tie = c.outcome == 0.5
    order = rng.permutation(400)
    w, l = np.where(tie, c.loser, c.winner), np.where(tie, c.winner, c.loser)
    turned = Comparisons.of(5, w[order], l[order], c.outcome[order])
    one = fit_ties(battles(c, z), "davidson", prior_precision=0.1)
    two = fit_ties(
        battles(turned, np.where(tie[:, None], -z, z)[order]), "davidson", prior_precision=0.1
    )
    assert one.rewards == pytest.approx(two.rewards, abs=1e-9)
    assert one.effects == pytest.approx(two.effects, abs=1e-9)


def test_a_prior_pulls_to_the_middle_and_vanishes_with_the_data() -> None:
    rng = np.random.default_rng(7)
    theta = np.array([2.0, 0.0, -2.0])
    gaps = []
    for n in (200, 20_000):
        rows = battles(draw(theta, "bradley-terry", 0.0, n, rng))
        free = fit_ties(rows, "bradley-terry", prior_precision=0.0).rewards
        held = fit_ties(rows, "bradley-terry", prior_precision=1.0).rewards
        assert np.abs(held).max() < np.abs(free).max()
        gaps.append(np.abs(held - free).max())
    assert gaps[1] < gaps[0] / 50


def test_an_item_that_only_won_has_no_maximum_without_a_prior() -> None:
    rows = battles(Comparisons.of(3, [0, 0, 1, 2], [1, 2, 2, 1]))
    assert has_maximum(rows).tolist() == [False]
    fit = fit_ties(rows, "bradley-terry", prior_precision=0.0)
    assert fit.status is TieFitStatus.NO_MAXIMUM
    assert fit_ties(rows, "bradley-terry", prior_precision=0.5).converged
    tied = battles(Comparisons.of(2, [0, 0], [1, 1], [1.0, 0.5]))
    assert has_maximum(tied).tolist() == [True]


def test_components_stand_apart_and_the_absent_have_nothing() -> None:
    rows = battles(Comparisons.of(6, [0, 1, 0, 3, 4], [1, 0, 1, 4, 3]))
    fit = fit_ties(rows, "bradley-terry", prior_precision=0.0)
    assert fit.component.tolist() == [0, 0, -1, 1, 1, -1]
    assert np.isnan(fit.rewards[[2, 5]]).all()
    assert fit.rewards[[0, 1]].sum() == pytest.approx(0.0, abs=1e-12)
    assert fit.rewards[0] - fit.rewards[1] == pytest.approx(math.log(2.0))
    assert np.isnan(fit.probabilities(np.array([0]), np.array([3]))).all()


def test_the_advantage_of_standing_first_is_a_covariate() -> None:
    rng = np.random.default_rng(8)
    theta = rng.normal(size=5)
    c = draw(theta, "davidson", -0.5, 30_000, rng, shift=np.full(30_000, 0.4))
    position = position_covariates(c)
    fit = fit_ties(battles(c, position.values), "davidson", prior_precision=0.01)
    assert position.names == ("first",)
    assert fit.effects[0] == pytest.approx(0.4, abs=0.05)
    assert fit.rewards == pytest.approx(theta - theta.mean(), abs=0.08)


def test_covariates_that_cannot_be_told_apart_are_refused() -> None:
    rng = np.random.default_rng(9)
    c = draw(np.zeros(4), "bradley-terry", 0.0, 100, rng)
    z = rng.normal(size=100)
    with pytest.raises(ComputeError, match="told apart"):
        fit_ties(battles(c, np.stack([z, z], axis=1)), "bradley-terry", prior_precision=0.0)
    assert scaled({"a": z, "b": np.zeros(100)}).names == ("a",)
    assert scaled({"a": z}).values.std() == pytest.approx(1.0, abs=0.02)


def test_no_battle_is_an_error_with_a_next_step() -> None:
    with pytest.raises(ComputeError) as error:
        fit_ties(battles(Comparisons.of(3, [], [])), "davidson", prior_precision=1.0)
    assert error.value.slug == "nothing-compared"


@pytest.mark.parametrize("name", NAMES)
def test_bootstrap_and_sandwich_agree_and_threads_change_no_byte(name: str) -> None:
    rng = np.random.default_rng(10)
    c = draw(rng.normal(size=6), name, 0.3 if name == "rao-kupper" else -0.3, 3_000, rng)
    rows = battles(c)
    fit = fit_ties(rows, name, prior_precision=0.1)
    one, two = (
        bootstrap_ties(rows, fit, n_replicates=400, workers=k, rng=np.random.default_rng(3))
        for k in (1, 2)
    )
    assert one.rewards.tobytes() == two.rewards.tobytes()
    assert one.n_not_converged == 0
    error = np.sqrt(np.diag(sandwich(rows, fit))[:6])
    assert one.rewards.std(axis=0) == pytest.approx(error, rel=0.15)
    # A replicate is the fit to its own draw: the same as fitting those battles.
    assert np.abs(one.rewards.sum(axis=1)).max() < 1e-9


def test_a_replicate_is_the_fit_to_its_own_counts() -> None:
    """With two items and no prior, a replicate is the log-odds of its own two counts."""
    rows = battles(Comparisons.of(2, [0] * 30 + [1] * 10, [1] * 30 + [0] * 10))
    fit = fit_ties(rows, "bradley-terry", prior_precision=0.0)
    drawn = bootstrap_ties(rows, fit, n_replicates=50, rng=np.random.default_rng(4)).rewards
    wins = 40.0 / (1.0 + np.exp(-(drawn[:, 0] - drawn[:, 1])))
    assert wins == pytest.approx(np.round(wins), abs=1e-4)
    assert np.unique(np.round(wins)).size > 5


def sparse_board(name: str, rng: np.random.Generator) -> Battles:
    """Two groups that never met, some four battles an item, one item without any, a covariate."""
    theta = rng.normal(size=41)
    eta = 0.4 if name == "rao-kupper" else -0.4
    parts = [draw(theta[:25], name, eta, 60, rng), draw(theta[25:40], name, eta, 30, rng)]
    winner, loser = (
        np.concatenate([getattr(parts[0], side), getattr(parts[1], side) + 25])
        for side in ("winner", "loser")
    )
    outcome = np.concatenate([p.outcome for p in parts])
    z = rng.normal(size=(winner.size, 1))
    return battles(Comparisons.of(41, winner, loser, outcome), z)


@pytest.mark.parametrize("name", NAMES)
def test_steps_by_conjugate_gradients_end_where_dense_steps_end(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sparse_board(name, np.random.default_rng(17))
    fit = fit_ties(rows, name, prior_precision=0.1)
    found = []
    for most in (10**9, 0):
        monkeypatch.setattr(bootstrap, "MANY_ITEMS", most)
        drawn = bootstrap_ties(rows, fit, n_replicates=60, rng=np.random.default_rng(18))
        assert drawn.n_newton > 30
        assert drawn.n_not_converged == 0
        found.append(np.hstack([drawn.rewards[:, :40], drawn.effects, drawn.eta[:, None]]))
        assert np.isnan(drawn.rewards[:, 40]).all()
    assert np.abs(found[0] - found[1]).max() < 1e-5
    assert np.abs(found[0]).max() > 1.0

    def none(*given: object, **how: object) -> object:
        raise AssertionError("dense steps are for what is left")

    monkeypatch.setattr(Problem, "newton", none)
    again = bootstrap_ties(rows, fit, n_replicates=60, rng=np.random.default_rng(18))
    assert again.rewards[:, :40].tobytes() == drawn.rewards[:, :40].tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_products_with_the_curvature_are_those_of_the_matrix(name: str) -> None:
    rng = np.random.default_rng(19)
    rows = sparse_board(name, rng)
    problem = Problem(rows, LINKS[name], 0.1)
    x = rng.normal(size=(problem.n_parameters, 3))
    x[-1] = np.abs(x[-1]) + 0.1
    counts = rows.counts[:, :, None] * rng.integers(0, 4, size=(1, rows.n_cells, 3))
    v = rng.normal(size=x.shape)
    made = problem.products(counts, x)(v)
    values = problem.values(counts, x)
    for r in range(3):
        one = np.ascontiguousarray(counts[:, :, r])
        assert made[:, r] == pytest.approx(problem.hessian(one, x[:, r]) @ v[:, r], abs=1e-9)
        assert values[r] == pytest.approx(problem.value(one, x[:, r]), rel=1e-12)


def test_whole_clusters_are_drawn() -> None:
    """Twenty copies of each of 200 votes know no more than 200 votes."""
    rng = np.random.default_rng(11)
    base = draw(np.array([0.3, 0.0, -0.3]), "bradley-terry", 0.0, 200, rng)
    at = np.repeat(np.arange(200), 20)
    c = Comparisons.of(3, base.winner[at], base.loser[at])
    rows = battles(c)
    fit = fit_ties(rows, "bradley-terry", prior_precision=0.1)
    alone = sandwich(rows, fit)[0, 0]
    grouped = sandwich(rows, fit, clusters=at)[0, 0]
    assert grouped == pytest.approx(20 * alone, rel=0.05)
    drawn = bootstrap_ties(rows, fit, n_replicates=400, clusters=at, rng=rng)
    assert drawn.n_units == 200
    assert drawn.rewards[:, 0].std() == pytest.approx(math.sqrt(grouped), rel=0.15)


def test_masses_count_as_repetitions() -> None:
    c = Comparisons.of(2, [0, 1], [1, 0], mass=[3.0, 1.0])
    fit = fit_ties(battles(c), "bradley-terry", prior_precision=0.0)
    assert fit.rewards[0] - fit.rewards[1] == pytest.approx(math.log(3.0))


def test_maximum_of_the_likelihood_beats_every_neighbour() -> None:
    rng = np.random.default_rng(12)
    rows = battles(draw(rng.normal(size=4), "rao-kupper", 0.4, 300, rng))
    fit = fit_ties(rows, "rao-kupper", prior_precision=0.2)
    link = LINKS["rao-kupper"]
    design = rows.design()

    def value(theta: FloatArray, eta: float) -> float:
        log_l = link.log_likelihood(rows.counts, design @ theta, np.asarray(eta)).sum()
        # A fifth of a battle between equals, a third of it won, tied and lost.
        equal = link.log_likelihood(np.full((3, 1), 0.2 / 3), np.zeros(1), np.full(1, eta)).sum()
        return float(log_l + equal - 0.1 * (theta**2).sum())

    best = value(fit.rewards, fit.eta)
    for _ in range(50):
        move = rng.normal(scale=0.05, size=5)
        assert value(fit.rewards + move[:4], fit.eta + move[4]) < best
    assert rows.counts[LOSS].sum() > 0


def test_a_loss_of_the_first_named_is_a_win_of_the_other() -> None:
    one = battles(Comparisons.of(3, [0, 1, 2, 2], [1, 2, 0, 1], [0.0, 1.0, 0.0, 0.5]))
    two = battles(Comparisons.of(3, [1, 1, 0, 1], [0, 2, 2, 2], [1.0, 1.0, 1.0, 0.5]))
    assert (one.counts == two.counts).all()


@pytest.mark.parametrize("name", ["davidson", "rao-kupper"])
def test_a_resample_without_a_tie_or_without_a_feature_still_has_a_fit(name: str) -> None:
    """One tie and one battle with the feature among sixty: a third of the resamples lack it."""
    rng = np.random.default_rng(13)
    c = draw(np.array([0.5, 0.0, -0.5]), "bradley-terry", 0.0, 60, rng)
    outcome = np.ones(60)
    outcome[7] = 0.5
    z = np.zeros((60, 1))
    z[11] = 1.0
    c = Comparisons.of(3, c.winner, c.loser, outcome)
    rows = battles(c, z)
    fit = fit_ties(rows, name, prior_precision=1 / 9)
    drawn = bootstrap_ties(rows, fit, n_replicates=100, rng=rng)
    assert drawn.n_not_converged == 0
    assert np.isfinite(drawn.rewards).all()
    assert np.isfinite(drawn.eta).all()


def test_few_clusters_by_hand() -> None:
    """Three people cast 5, 3 and 2 of ten votes between two items and won 5, 1 and 0 of them.

    p = 0.6, so the curvature of δ is 10 · 0.24 = 2.4 and the residuals are 5 - 3, 1 - 1.8 and
    0 - 1.2; divided by 1 - p_c they are 4, -8/7 and -3/2, whose sum is 19/14.
    """
    won = [1.0] * 5 + [1.0, 0.0, 0.0] + [0.0, 0.0]
    people = np.repeat([0, 1, 2], [5, 3, 2])
    rows = battles(Comparisons.of(2, [0] * 10, [1] * 10, won))
    fit = fit_ties(rows, "bradley-terry", prior_precision=0.0)
    spread = 4.0**2 + (8 / 7) ** 2 + 1.5**2 - (19 / 14) ** 2 / 3
    found = sandwich(rows, fit, clusters=people)
    gap = np.array([1.0, -1.0])
    assert gap @ found @ gap == pytest.approx(spread / 2.4**2, rel=1e-9)
    # Alone, every vote is a cluster: Σ u² = 6 · 0.4² + 4 · 0.6² = 2.4, their sum 0.
    assert gap @ sandwich(rows, fit) @ gap == pytest.approx(2.4 / 2.4**2, rel=1e-9)
    half = 2.0**2 / 0.5 + 0.8**2 / 0.7 + 1.2**2 / 0.8
    sum_half = 2.0 / math.sqrt(0.5) - 0.8 / math.sqrt(0.7) - 1.2 / math.sqrt(0.8)
    again = sandwich(rows, fit, clusters=people, correction=0.5)
    assert gap @ again @ gap == pytest.approx((half - sum_half**2 / 3) / 2.4**2, rel=1e-9)
    # H⁻¹ is 1/2.4 too. In one direction nothing is pooled: the excess is what people share, and
    # 1/(.25 + .09 + .04) people know it.
    out = uncertainty(rows, fit, clusters=people)
    excess = spread / 2.4**2 - 1 / 2.4
    assert out.pooling == 0.0
    assert gap @ out.covariance @ gap == pytest.approx(1 / 2.4 + excess, rel=1e-9)
    known = (1 / 0.38 - 1) * ((1 / 2.4 + excess) / excess) ** 2
    assert out.pooled == pytest.approx(known, rel=1e-9)
    assert out.freedom == pytest.approx([known, known], rel=1e-9)
    assert np.isinf(uncertainty(rows, fit).freedom).all()


def test_fewer_people_than_items_are_pooled() -> None:
    """Tastes of variance 0.49 on 30 items by eight people: the sandwich has seven directions, the
    pooled variance all 29, and its mean over data sets is that of the rewards."""
    wide, alphas, found = [], [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        tastes = 0.7 * rng.normal(size=(8, 30))
        judge = np.repeat(np.arange(8), 1000)
        a = rng.integers(30, size=8000)
        b = (a + rng.integers(1, 30, size=8000)) % 30
        won = rng.random(8000) < 1 / (1 + np.exp(tastes[judge, b] - tastes[judge, a]))
        rows = battles(Comparisons.of(30, np.where(won, a, b), np.where(won, b, a)))
        fit = fit_ties(rows, "bradley-terry", prior_precision=1 / 9)
        out = uncertainty(rows, fit, clusters=judge)
        wide.append(np.trace(out.covariance) / 29)
        alphas.append(out.pooling)
        found.append(fit.rewards @ fit.rewards / 29)
        assert np.linalg.eigvalsh(out.shared)[1] > 0.2 * np.trace(out.shared) / 29
    # True rewards are all 0, so the spread of the fitted ones is their error.
    assert np.mean(wide) == pytest.approx(np.mean(found), rel=0.1)
    assert min(alphas) > 0.7
