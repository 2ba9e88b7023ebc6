"""One test per numbered statement of Clone-Robust AI Alignment (arXiv 2501.09254) about rewards.

Named by the arXiv number; the ICML number is given first in the text. Where a statement is a slip
in the paper, the test holds the corrected one (docs/rewards.md).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cr_audit.arrays import FloatArray, Proportions
from cr_audit.models.rewards.objective import (
    certificate,
    hessian,
    lambda_eq1,
    objective,
    pair_terms,
)
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.simulate.table1 import table_1

TABLE_2 = np.array([[100.0, 10, 1], [10, 1, 100], [1, 100, 10]])  # e^reward: alternative x type
SHARES = np.array([0.4, 0.3, 0.3])


def cases(golden: Path, name: str) -> list[dict]:
    return json.loads((golden / f"{name}.json").read_text())["cases"]


def population(exp_rewards: FloatArray, shares: FloatArray) -> FloatArray:
    """P[x, y] = Σ_types share e^r(x) / (e^r(x) + e^r(y))."""
    e = exp_rewards
    return np.einsum("t,xyt->xy", shares, e[:, None] / (e[:, None] + e[None]))


def fit(p: FloatArray, weights: FloatArray, penalty: float) -> FloatArray:
    out = fit_tabular(Proportions.from_matrix(p), weights, penalty=penalty, tolerance=1e-13)
    assert out.converged
    return out.rewards


def uniform(m: int) -> FloatArray:
    return np.full(m, 1 / m)


def random_matrix(rng: np.random.Generator, m: int) -> FloatArray:
    p = rng.random((m, m))
    return np.triu(p, 1) + np.tril(1 - p.T, -1) + 0.5 * np.eye(m)


def average_win_rate(p: FloatArray, weights: FloatArray) -> FloatArray:
    return p @ weights  # the diagonal ½ is in the sum


def test_theorem_2_2_impossibility(golden: Path) -> None:
    """Theorem 2.3 (2.2): two populations with one P(a≻b) and mean rewards any distance apart.

    Everyone at odds 2 for b, or half of them at odds κ and half at the odds that balance: both
    show Pr(a≻b) = 1/3, so every method that sees only comparisons answers the same for both.
    """
    for case in cases(golden, "impossibility"):
        c, kappa = case["inputs"]["C"], case["inputs"]["kappa"]
        expected = case["outputs"]
        q = (1 / 3 - 0.5 * 1 / (1 + kappa)) / 0.5
        assert 0 < q < 1
        pr2 = 0.5 / (1 + kappa) + 0.5 * q
        assert pr2 == pytest.approx(expected["pr_a_over_b_population2"], rel=1e-9)
        gap1 = np.log(2.0)
        gap2 = 0.5 * np.log(kappa) + 0.5 * np.log((1 - q) / q)
        assert gap1 == pytest.approx(expected["mean_reward_gap_population1"], rel=1e-9)
        assert gap2 == pytest.approx(expected["mean_reward_gap_population2"], rel=1e-9)
        worst = (gap2 - gap1) ** 2 / 8
        assert worst == pytest.approx(expected["smallest_worst_case_squared_error"], rel=1e-9)
        assert bool(worst > c) is expected["exceeds_C"]
        same = [fit(np.array([[0.5, p], [1 - p, 0.5]]), uniform(2), 0.1) for p in (1 / 3, pr2)]
        np.testing.assert_allclose(same[0], same[1], atol=1e-10)


def test_table_1_two_populations_that_no_comparisons_tell_apart() -> None:
    """Table 1 and Equations 5 and 6: P(a > b) = 1/3 in both, and by hand at C = (ln 2)²."""
    rows = table_1().rows
    for row in rows:
        assert row.p_one == pytest.approx(1 / 3, abs=1e-12)
        assert row.p_two == pytest.approx(1 / 3, abs=1e-12)
        assert abs(row.mean_one) <= row.most_one
        assert row.mean_two >= row.least_two
        assert row.unavoidable > row.error
    # k = e^(12 ln 2) = 4096: r(b) = ln 4096 and ln(4100/8191).
    assert rows[0].rewards_two == pytest.approx((np.log(4096), np.log(4100 / 8191)))
    assert rows[0].most_one == pytest.approx(3 * np.log(2))
    with pytest.raises(ValueError, match=r"at least \(ln 2\)\^2"):
        table_1((0.4,))


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 2.0])
def test_theorem_2_3_the_mle_orders_by_average_win_rate(penalty: float) -> None:
    """Theorem 2.5 (2.3): AWR(x) = λ r(x) + Σ_y σ(r(x) - r(y))/m; printed λ is λ_Eq1/m."""
    rng = np.random.default_rng(0)
    for m in (2, 3, 8):
        p = random_matrix(rng, m)
        r = fit(p, uniform(m), penalty)
        awr = average_win_rate(p, uniform(m))
        right = penalty * r + (1 / (1 + np.exp(r[None] - r[:, None]))).mean(axis=1)
        np.testing.assert_allclose(right, awr, atol=1e-11)
        assert np.argsort(r).tolist() == np.argsort(awr).tolist()


def test_theorem_2_3_needs_the_conversion_of_lambda() -> None:
    """Eq. 1 as printed at λ is the standard fit at λ/m; a clone would change the penalty."""
    p = population(TABLE_2, SHARES)
    lam, m = 0.1, 3
    assert lambda_eq1(lam / m, m) == pytest.approx(lam)
    rewards = fit(p, uniform(m), lam / m)
    logs = np.log(1 / (1 + np.exp(rewards[None] - rewards[:, None])))
    slope = lam * rewards - ((p - np.exp(logs)) * (1 - np.eye(m))).sum(axis=1)
    np.testing.assert_allclose(slope, 0.0, atol=1e-10)  # ∇ of Eq. 1 as printed


def test_theorem_3_1_the_standard_mle_is_not_clone_robust(golden: Path) -> None:
    """Theorem 3.2 (3.1), Tables 2 and 3: one exact clone of c makes b the winner instead of a."""
    borda = {case["id"]: case["outputs"] for case in cases(golden, "borda_awr")}
    winners = []
    for copies in (1, 2, 3, 4):
        rows = [0, 1] + [2] * copies
        p = population(TABLE_2[rows], SHARES)
        expected = borda[f"table2_c_copies_{copies}"]
        np.testing.assert_allclose(p.sum(axis=1), expected["borda"], atol=1e-12)
        r = fit(p, uniform(len(rows)), 0.01)
        winners.append("abc"[min(int(np.argmax(r)), 2)])
        assert winners[-1] == expected["winner"]
    assert winners == ["a", "b", "b", "b"]
    assert np.round(population(TABLE_2, SHARES).sum(axis=1), 2).tolist() == [1.59, 1.5, 1.41]


def test_theorem_3_1_shift_does_not_vanish_with_the_distance(golden: Path) -> None:
    """Theorem 3.2 (3.1): the standard fit keeps a shift as the clone comes arbitrarily near."""
    for case in cases(golden, "robustness_rate"):
        rows = case["outputs"]["rows"]
        limit = case["outputs"]["standard_limit_change"]
        measured = standard_and_weighted_shift(case["inputs"], rows[-1])[0]
        assert measured == pytest.approx(limit, abs=1e-6)
        assert limit > 0.02


def standard_and_weighted_shift(given: dict, row: dict) -> tuple[float, float, float, float]:
    """Largest reward change from adding the clone (standard, weighted), Σ|Δw|, and K."""
    points, lam = np.array(given["points"]), given["lambda"]
    slopes, shares = np.array(given["linear_reward_by_type"]), np.array(given["type_shares"])
    both = np.vstack([points, row["clone_point"]])

    def matrix(x: FloatArray) -> FloatArray:
        return population(np.exp(x @ slopes.T), shares)

    m, target = len(points), given["cloned_index"]
    after = np.array(row["weights"])
    merged = after[:m].copy()
    merged[target] += after[m]
    before = base_weights(given)
    standard = np.abs(
        fit(matrix(both), uniform(m + 1), lam)[:m] - fit(matrix(points), uniform(m), lam)
    ).max()
    weighted = np.abs(fit(matrix(both), after, lam)[:m] - fit(matrix(points), before, lam)).max()
    lipschitz = float(np.linalg.norm(slopes, axis=1).max())
    return float(standard), float(weighted), float(np.abs(merged - before).sum()), lipschitz


def base_weights(given: dict) -> FloatArray:
    """Voronoi weights of the points in the unit square, by clipping polygons (exact)."""
    points = np.array(given["points"])
    out = []
    for x in range(len(points)):
        cell = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        for y in range(len(points)):
            if y == x:
                continue
            normal = points[y] - points[x]
            side = cell @ normal - (points[y] @ points[y] - points[x] @ points[x]) / 2
            kept = []
            for i in range(len(cell)):
                j = (i + 1) % len(cell)
                if side[i] <= 0:
                    kept.append(cell[i])
                if (side[i] < 0) != (side[j] < 0):
                    t = side[i] / (side[i] - side[j])
                    kept.append(cell[i] + t * (cell[j] - cell[i]))
            cell = np.array(kept)
        a, b = cell, np.roll(cell, -1, axis=0)
        out.append(abs((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / 2)
    return np.array(out)


def test_theorem_4_1_weighted_mle_is_robust_at_a_linear_rate(golden: Path) -> None:
    """Theorem 4.2 (4.1): the shift tends to 0 with ε; measured slope 1 (the paper proves √ε)."""
    for case in cases(golden, "robustness_rate"):
        given, expected = case["inputs"], case["outputs"]
        eps, shifts = [], []
        for row in expected["rows"]:
            standard, weighted, mass, lipschitz = standard_and_weighted_shift(given, row)
            assert standard == pytest.approx(row["standard_max_abs_change"], abs=1e-8)
            assert weighted == pytest.approx(row["weighted_max_abs_change"], abs=1e-8)
            bound = certificate(
                given["lambda"],
                max_p_change=lipschitz * row["eps"] / 4,
                weight_change_l1=mass,
            )
            assert weighted <= bound * (1 + 1e-9)
            eps.append(row["eps"])
            shifts.append(weighted)
        small = np.array(eps) <= 1e-3
        slope = np.polyfit(np.log(np.array(eps)[small]), np.log(np.array(shifts)[small]), 1)[0]
        assert slope == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 2.0])
def test_theorem_4_2_characterisation_of_the_weighted_mle(penalty: float) -> None:
    """Theorem 4.4 (4.2): wAWR(x) = λ r(x) + Σ_y w(y) σ(r(x) - r(y)), also where w(x) = 0."""
    rng = np.random.default_rng(1)
    for w in (rng.dirichlet(np.ones(6)), np.array([0.5, 0.3, 0.2, 0, 0, 0])):
        p = random_matrix(rng, 6)
        r = fit(p, w, penalty)
        right = penalty * r + (1 / (1 + np.exp(r[None] - r[:, None]))) @ w
        np.testing.assert_allclose(right, average_win_rate(p, w), atol=1e-11)


def test_corollary_4_3_the_order_is_that_of_the_weighted_win_rate(golden: Path) -> None:
    """Corollary 4.5 (4.3)."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        m = int(rng.integers(2, 12))
        p, w = random_matrix(rng, m), rng.dirichlet(np.full(m, 0.5))
        order = np.argsort(fit(p, w, 0.05))
        assert order.tolist() == np.argsort(average_win_rate(p, w)).tolist()
    for case in cases(golden, "weighted_awr"):
        given, expected = case["inputs"], case["outputs"]
        if "weights" not in given:
            continue
        p = population(np.array(given["exp_reward_by_alternative_and_type"]), SHARES)
        w = np.array(given["weights"])
        np.testing.assert_allclose(average_win_rate(p, w), expected["wawr"], atol=1e-12)
        winner = "abcc"[int(np.argmax(fit(p, w / w.sum(), 0.1)))]
        assert winner == expected["winner"]


LENGTHS = np.array([2.0, 1.0])  # of S below; |S| = 2, so that powers of |S| are told apart


def cells(points: FloatArray, n: int = 48) -> FloatArray:
    """1[x ∈ proj(y)] / |proj(y)| for the middles y of an n x n grid over S: (n², m)."""
    axis = (np.arange(n) + 0.5) / n
    y = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2) * LENGTHS
    d = ((y[:, None] - points) ** 2).sum(axis=2)
    nearest = d <= d.min(axis=1, keepdims=True) + 1e-12
    return nearest / nearest.sum(axis=1, keepdims=True)


def integrals(p: FloatArray, r: FloatArray, near: FloatArray) -> tuple[float, float]:
    """∬ of the projected log-likelihood and ∫ of the projected r² over S, summed over its points
    one pair of them after the other: no weight is formed."""
    area = float(LENGTHS.prod()) / near.shape[0]
    log_p = p * np.log(1 / (1 + np.exp(r[None] - r[:, None])))
    double = sum(float((near @ (log_p.T @ row)).sum()) for row in near) * area**2
    return double, float((near @ r**2).sum()) * area


def test_theorem_4_4_the_objective_is_an_integral_over_s() -> None:
    """Theorem 4.6 (4.4): f(r) = -(1/|S|²) ∬ L + (λ/(2|S|)) ∫ r², ties of the projection averaged.

    Two alternatives stand at one place: each of its points counts for both, half each. Eq. 3 prints
    1/|S| before the first and no |S| before the second: with |S| = 2 that is another objective.
    """
    points = np.array([[0.1, 0.2], [1.5, 0.9], [1.0, 0.3], [1.0, 0.3]])
    near, lam, size = cells(points), 0.3, float(LENGTHS.prod())
    w = near.mean(axis=0)
    assert w[2] == pytest.approx(w[3])
    rng = np.random.default_rng(5)
    p, r = random_matrix(rng, 4), rng.normal(size=4)
    double, single = integrals(p, r, near)
    # The terms x = y, which every sum of the paper holds, are a constant that ``objective`` leaves.
    constant = np.log(2) / 2 * float(w @ w)
    ours = objective(pair_terms(Proportions.from_matrix(p), w), w, r, lam) + constant
    assert -double / size**2 + lam / (2 * size) * single == pytest.approx(ours, rel=1e-9)
    assert -double / size + lam / 2 * single != pytest.approx(ours, rel=0.05)


def test_lemma_g_3_clones_that_share_their_weight_change_nothing() -> None:
    """Lemma G.3: with weights that exact clones share, the fit is that without them."""
    base = fit(population(TABLE_2, SHARES), uniform(3), 0.1)
    for copies in (1, 2, 5):
        rows = [0, 1] + [2] * (1 + copies)
        w = np.array([1 / 3, 1 / 3] + [1 / 3 / (1 + copies)] * (1 + copies))
        r = fit(population(TABLE_2[rows], SHARES), w, 0.1)
        np.testing.assert_allclose(r, base[[0, 1] + [2] * (1 + copies)], atol=1e-10)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_lemma_e_1_the_objective_is_strongly_convex(scale: float) -> None:
    """Lemma E.1: f is strongly convex, by λ min w at least (its proof calls log σ convex)."""
    rng = np.random.default_rng(3)
    m, lam = 7, 0.05
    terms, w = pair_terms(Proportions.from_matrix(random_matrix(rng, m)), uniform(m)), uniform(m)
    for _ in range(5):
        a, b = scale * rng.normal(size=(2, m))
        curvature = np.linalg.eigvalsh(hessian(terms, w, a, lam).toarray())
        assert curvature[0] >= lam / m * (1 - 1e-9)
        middle = objective(terms, w, (a + b) / 2, lam)
        ends = (objective(terms, w, a, lam) + objective(terms, w, b, lam)) / 2
        assert middle <= ends - lam / m * ((a - b) ** 2).sum() / 8 * (1 - 1e-9)


def one_sided(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Preferences of 0 and 1, and weights of 2 to 8 alternatives."""
    m = int(rng.integers(2, 9))
    p = np.round(random_matrix(rng, m))
    return np.triu(p, 1) + np.tril(1 - p.T, -1) + 0.5 * np.eye(m), rng.dirichlet(np.full(m, 0.4))


@pytest.mark.parametrize("lam", [1e-3, 0.05, 1.0, 50.0])
def test_lemma_g_1_as_printed(lam: float) -> None:
    """Lemma G.1: 0 < f(r̂) <= 1 + λ/2 and |r̂(x)| <= √((2 + λ)/(λ w(x))), f with its terms x = y."""
    rng = np.random.default_rng(6)
    for _ in range(10):
        p, w = one_sided(rng)
        r = fit(p, w, lam)
        terms = pair_terms(Proportions.from_matrix(p), w)
        value = objective(terms, w, r, lam) + np.log(2) / 2 * float(w @ w)
        assert 0 < value <= 1 + lam / 2
        assert np.all(np.abs(r) <= np.sqrt((2 + lam) / (lam * w)))


def merged_and_shared(given: dict, row: dict) -> dict:
    """The fits that the proof of Theorem 4.2 (4.1) goes through, at one distance of the clone.

    before : r̂ of the old points; merged : r1, whose x has the weight of x and its clone; equal :
    r2, the clone's preferences being those of x; after : r̂ with the clone.
    """
    points, lam = np.array(given["points"]), given["lambda"]
    slopes, shares = np.array(given["linear_reward_by_type"]), np.array(given["type_shares"])
    x, m = given["cloned_index"], len(points)
    p = population(np.exp(np.vstack([points, row["clone_point"]]) @ slopes.T), shares)
    p2, w = p.copy(), np.array(row["weights"])
    p2[m], p2[:, m], p2[m, m] = p[x], p[:, x], 0.5
    p2[m, x] = p2[x, m] = 0.5
    w1 = w[:m].copy()
    w1[x] += w[m]
    w0 = base_weights(given)
    return {
        "before": fit(p[:m, :m], w0, lam),
        "merged": fit(p[:m, :m], w1, lam),
        "equal": fit(p2, w, lam),
        "after": fit(p, w, lam),
        "moved": float(np.abs(w1 - w0).sum()),
        "changed": float((np.abs(p - p2) @ w).max()),
        "lipschitz": float(np.linalg.norm(slopes, axis=1).max()),
        "least": float(w.min() / w0.min()),
    }


def slope(distances: list[float], shifts: list[float]) -> float:
    return float(np.polyfit(np.log(distances), np.log(shifts), 1)[0])


def test_lemma_g_2_a_clone_that_gives_its_weight_back(golden: Path) -> None:
    """Lemma G.2: |r̂ - r1| = O(√ε). It is at most ‖w1 - w‖₁/λ, and falls with ε, not with √ε."""
    for case in cases(golden, "robustness_rate"):
        given, eps, shifts = case["inputs"], [], []
        for row in case["outputs"]["rows"]:
            f = merged_and_shared(given, row)
            shift = float(np.abs(f["before"] - f["merged"]).max())
            assert shift <= f["moved"] / given["lambda"] * (1 + 1e-9)
            if row["eps"] <= 1e-3:
                eps.append(row["eps"])
                shifts.append(shift)
        assert slope(eps, shifts) == pytest.approx(1.0, abs=0.05)


def test_lemma_g_4_with_its_minimum_over_the_right_set(golden: Path) -> None:
    """Lemma G.4: |r̂' - r2| = O(√ε).

    Its proof divides by the least weight before the clone, where f2 is as convex as the least
    weight with it: that one tends to 0 in one of three examples, and √(ε/w) need not fall. From
    the moment system the shift is at most max Σ w |Δp|/λ <= Kε/(4λ), whatever the weights.
    """
    vanish = 0
    for case in cases(golden, "robustness_rate"):
        given, eps, shifts = case["inputs"], [], []
        for row in case["outputs"]["rows"]:
            f = merged_and_shared(given, row)
            shift = float(np.abs(f["after"] - f["equal"]).max())
            assert shift <= f["changed"] / given["lambda"] * (1 + 1e-9)
            assert f["changed"] <= f["lipschitz"] * row["eps"] / 4 * (1 + 1e-9)
            if row["eps"] <= 1e-3:
                eps.append(row["eps"])
                shifts.append(shift)
        assert slope(eps, shifts) == pytest.approx(1.0, abs=0.05)
        vanish += f["least"] < 1e-3
    assert vanish == 1


def test_lemma_g_1_sharper_rewards_are_bounded() -> None:
    """Lemma G.1, sharper: |r(x)| <= min(1/(2λ), (1 - w(x))/λ), also for one-sided preferences."""
    rng = np.random.default_rng(4)
    for lam in (1e-3, 0.05, 1.0):
        for _ in range(10):
            p, w = one_sided(rng)
            r = fit(p, w, lam)
            assert np.all(np.abs(r) <= np.minimum(1 / (2 * lam), (1 - w) / lam) * (1 + 1e-9))
    heavy = fit(np.array([[0.5, 1.0], [0.0, 0.5]]), np.array([0.999, 0.001]), 100.0)
    assert abs(heavy[1]) == pytest.approx(0.5 / 100, rel=0.01)  # nearly attained as λ grows
