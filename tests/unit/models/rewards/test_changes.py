"""Ranking changes: ranks by hand, flips that are real, and clean data that flag nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from cr_audit.arrays import Comparisons, FloatArray, Proportions
from cr_audit.models.marks import discordant_pairs
from cr_audit.models.rewards.bootstrap import bootstrap_tabular
from cr_audit.models.rewards.changes import (
    Changes,
    ranking_changes,
    restore_weights,
)
from cr_audit.models.rewards.tabular import fit_tabular

TABLE_2 = np.array([[100.0, 10, 1], [10, 1, 100], [1, 100, 10]])  # exp reward, by type
SHARES = np.array([0.4, 0.3, 0.3])


def table_2(rng: np.random.Generator, copies: int, n: int) -> Comparisons:
    """Comparisons by the population of [CR] Table 2, c with ``copies`` exact clones."""
    rows = TABLE_2[[0, 1] + [2] * (1 + copies)]
    m = rows.shape[0]
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    kind = rng.choice(3, size=n, p=SHARES)
    p = rows[a, kind] / (rows[a, kind] + rows[b, kind])
    return Comparisons.of(m, a, b, (rng.random(n) < p).astype(float))


def audit(rows: Comparisons, weights: FloatArray, rng: np.random.Generator) -> Changes:
    m = rows.n_items
    proportions = rows.proportions()
    fits = [fit_tabular(proportions, w, penalty=0.01) for w in (np.full(m, 1 / m), weights)]
    boot = bootstrap_tabular(rows, fits, n_replicates=200, rng=rng)
    return ranking_changes(fits[0].rewards, fits[1].rewards, fits[0].components, boot.rewards)


@pytest.mark.parametrize("limit", [10_000, 20])
def test_discordant_pairs_against_a_double_loop(limit: int) -> None:
    rng = np.random.default_rng(1)
    a, b, parts = rng.normal(size=40), rng.normal(size=40), rng.integers(-1, 3, 40)
    x, y, count = discordant_pairs(a, b, parts, max_pairs=limit)
    expected = {
        (i, j): min(a[i] - a[j], b[j] - b[i])
        for i in range(40)
        for j in range(40)
        if parts[i] == parts[j] >= 0 and a[i] > a[j] and b[i] < b[j]
    }
    assert count == len(expected)
    kept = sorted(expected, key=lambda pair: -expected[pair])[:limit]
    assert set(zip(x.tolist(), y.tolist(), strict=True)) == set(kept)


def test_planted_clones_are_flagged() -> None:
    """[CR] Theorem 3.2's example with 20,000 comparisons: a leads, until c is cloned."""
    rng = np.random.default_rng(2)
    rows = table_2(rng, 2, 20_000)
    out = audit(rows, np.array([1 / 3, 1 / 3, 1 / 9, 1 / 9, 1 / 9]), rng)
    assert out.rank_standard[:2].tolist() == [2, 1]
    assert out.rank_weighted[:2].tolist() == [1, 2]
    assert out.flagged[:2].tolist() == [True, True]
    assert out.flip_with[:2].tolist() == [1, 0]
    assert out.probability_first_standard[1] > 0.95
    assert out.probability_first_weighted[0] > 0.95
    assert np.all(out.interval_shift[0] > 0)
    assert out.top_overlap == 1.0
    assert out.kendall_tau < 1.0


def test_clean_data_flag_nothing() -> None:
    rng = np.random.default_rng(3)
    flagged = 0
    for _ in range(20):
        rows = table_2(rng, 0, 400)
        w = rng.dirichlet(np.full(3, 60.0))
        flagged += bool(audit(rows, w, rng).flagged.any())
    assert flagged <= 1


def halves(rng: np.random.Generator, m: int, n_units: float | None = None) -> Changes:
    """Two samples of one population whose items are nearly tied, both with uniform weights."""
    reward = np.linspace(0.0, 0.5, m)
    fits, drawn = [], []
    for _ in range(2):
        a = rng.integers(m, size=40 * m)
        b = (a + rng.integers(1, m, size=40 * m)) % m
        won = rng.random(40 * m) < 1 / (1 + np.exp(reward[b] - reward[a]))
        rows = Comparisons.of(m, a, b, won.astype(float))
        fits.append(fit_tabular(rows.proportions(), np.full(m, 1 / m), penalty=0.03))
        drawn.append(bootstrap_tabular(rows, fits[-1:], n_replicates=200, rng=rng).rewards[0])
    one, two = (f.rewards for f in fits)
    return ranking_changes(one, two, fits[0].components, np.stack(drawn), n_units=n_units)


def test_many_near_ties_are_not_changes() -> None:
    """Single pairs look sure in many of the runs; as a list, none is."""
    rng = np.random.default_rng(7)
    runs = [halves(rng, 40) for _ in range(25)]
    assert sum(bool(np.any(c.marks.pair_p_value <= 0.1)) for c in runs) >= 8
    assert sum(bool(c.flagged.any()) for c in runs) <= 1


def test_few_units_widen_intervals_and_withhold_flags() -> None:
    rng = np.random.default_rng(8)
    rows = table_2(rng, 2, 20_000)
    many = audit(rows, np.array([1 / 3, 1 / 3, 1 / 9, 1 / 9, 1 / 9]), rng)
    replicates = np.stack([many.reward_standard, many.reward_weighted])[:, None, :]
    replicates = replicates + 0.02 * rng.normal(size=(2, 400, 5))
    few, one = (
        ranking_changes(
            many.reward_standard,
            many.reward_weighted,
            np.zeros(5, np.int64),
            replicates,
            n_units=n,
        )
        for n in (4.0, 1.0)
    )
    none = ranking_changes(
        many.reward_standard, many.reward_weighted, np.zeros(5, np.int64), replicates
    )
    assert none.flagged[:2].all()
    assert not few.flagged.any()
    assert not one.flagged.any()
    assert np.all(np.diff(few.interval_shift) > np.diff(none.interval_shift))


def test_equal_fits_change_nothing() -> None:
    rng = np.random.default_rng(4)
    out = audit(table_2(rng, 3, 500), np.full(6, 1 / 6), rng)
    assert out.n_discordant == 0
    assert not out.flagged.any()
    assert out.sure.max() == 0
    assert out.kendall_tau == pytest.approx(1.0)
    np.testing.assert_allclose(out.interval_shift, 0.0, atol=1e-12)


def test_items_without_data_and_other_components_stay_apart() -> None:
    rows = Comparisons.of(5, [0] * 30 + [2] * 30, [1] * 30 + [3] * 30)
    out = audit(rows, np.array([0.1, 0.4, 0.1, 0.3, 0.1]), np.random.default_rng(5))
    assert out.rank_standard.tolist() == [1, 2, 1, 2, -1]
    assert np.isnan(out.shift[4])
    assert np.isnan(out.interval_standard[4]).all()
    assert not out.flagged.any()


def test_restoring_the_clones_restores_the_standard_ranking() -> None:
    p = np.array(TABLE_2)[[0, 1, 2, 2, 2]]
    matrix = np.einsum("t,xyt->xy", SHARES, p[:, None] / (p[:, None] + p[None]))
    robust = np.array([1 / 3, 1 / 3, 1 / 9, 1 / 9, 1 / 9])
    restored = restore_weights(robust, np.array([2, 3, 4]))
    np.testing.assert_allclose(restored, 0.2)
    leaders = [
        int(np.argmax(fit_tabular(Proportions.from_matrix(matrix), w, penalty=0.01).rewards))
        for w in (robust, restored)
    ]
    assert leaders == [0, 1]
    np.testing.assert_allclose(
        restore_weights(np.array([0.6, 0.2, 0.2, 0.0]), np.array([0])), [0.25, 0.375, 0.375, 0.0]
    )
    np.testing.assert_allclose(restore_weights(np.array([1.0, 0.0]), np.array([0])), 0.5)


def test_shifts_are_centred_by_hand() -> None:
    """Three items and two: the mean shift of a component is a change of its zero, not of rewards.

    Shifts 0.3, 0.1, 0.2 have the mean 0.2; -1 and 3 the mean 1. A replicate's are centred alike.
    """
    one = np.array([1.0, 0.0, -1.0, 0.0, 0.0, np.nan])
    two = np.array([1.3, 0.1, -0.8, -1.0, 3.0, np.nan])
    part = np.array([0, 0, 0, 1, 1, -1])
    drawn = np.stack([np.stack([one, one]), np.stack([two + 5.0, two + 5.0])])
    out = ranking_changes(one, two, part, drawn)
    np.testing.assert_allclose(out.shift, [0.1, -0.1, 0.0, -2.0, 2.0, np.nan], atol=1e-12)
    np.testing.assert_allclose(out.centre, [0.2, 0.2, 0.2, 1.0, 1.0, np.nan])
    np.testing.assert_allclose(out.interval_shift[:, 0], out.shift, atol=1e-12)


def test_a_tied_lead_counts_in_equal_parts_by_hand() -> None:
    """Of two replicates, a and b tie in the first, and a leads alone in the second: 3/4, 1/4."""
    r = np.array([0.0, 0.0, -1.0])
    drawn = np.array([[0.5, 0.5, 0.0], [0.7, 0.5, 0.0]])
    out = ranking_changes(r, r, np.zeros(3, np.int64), np.stack([drawn, drawn]))
    assert out.probability_first_standard.tolist() == [0.75, 0.25, 0.0]


def test_a_change_of_sides_by_hand() -> None:
    """Gaps of 1 and 0.8 with standard deviations of 0.5 and 0.4: z = 2 for both, p = 2 P(T > 2)
    with 9 degrees of freedom and errors √(10/9) larger; one pair, so q = p."""
    scatter = np.array([-1.0, 1.0]) / np.sqrt(2.0)
    one, two = np.array([1.0, 0.0]), np.array([0.0, 0.8])
    drawn = np.zeros((2, 2, 2))
    drawn[0, :, 0], drawn[1, :, 1] = 1.0 + 0.5 * scatter, 0.8 + 0.4 * scatter
    out = ranking_changes(one, two, np.zeros(2, np.int64), drawn, n_units=10.0)
    q = 2.0 * t.sf(2.0 / np.sqrt(10.0 / 9.0), 9.0)
    np.testing.assert_allclose(out.sure, 1.0 - q)
    assert out.flagged.tolist() == [bool(q <= 0.1)] * 2
    assert out.flip_with.tolist() == [1, 0]
