"""Influence by finite differences, chains and holders by hand, advice by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.arrays import Comparisons, FloatArray, Proportions
from cr_audit.models.rewards.bootstrap import rows_of_pairs
from cr_audit.models.rewards.objective import pair_terms
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.models.sensitivity.advice import advise, order_errors, posterior, votes_until
from cr_audit.models.sensitivity.certificate import bend_range, curvature_range, top_sums
from cr_audit.models.sensitivity.chains import fragile_chains, holders
from cr_audit.models.sensitivity.influence import FittedInfluence, share_variance
from cr_audit.models.sensitivity.solves import Adjoints, differences


def random_pairs(seed: int, m: int = 7) -> tuple[Proportions, FloatArray]:
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(m, 1)
    keep = rng.random(first.size) < 0.6
    keep[:2] = True
    p = rng.random(int(keep.sum()))
    pairs = Proportions(m, first[keep], second[keep], p, rng.integers(1, 5, p.size).astype(float))
    return pairs, rng.dirichlet(np.ones(m))


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_influence_is_the_derivative_of_the_refit(seed: int, counted: bool) -> None:
    pairs, w = random_pairs(seed)
    lam = 0.03

    def fit(p: FloatArray) -> FloatArray:
        moved = Proportions(pairs.n_items, pairs.first, pairs.second, p, pairs.mass)
        return fit_tabular(moved, w, penalty=lam, count_weighted=counted, tolerance=1e-14).rewards

    rewards = fit(pairs.p)
    terms = pair_terms(pairs, w, count_weighted=counted)
    fitted = FittedInfluence(terms, w, lam, rewards)
    i, j = int(pairs.first[0]), int(pairs.second[1])
    if i == j:
        j = int(pairs.second[0])
    value = fitted.of(np.array([i]), np.array([j]))[0]
    for c in range(0, pairs.p.size, 3):
        h = 1e-6
        moved = pairs.p.copy()
        moved[c] += h if moved[c] < 0.5 else -h
        step = moved[c] - pairs.p[c]
        new, old = fit(moved), rewards
        numeric = (1 / (1 + np.exp(new[j] - new[i])) - 1 / (1 + np.exp(old[j] - old[i]))) / step
        assert value[c] == pytest.approx(numeric, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("weights", ["uniform", "uneven", "some zero"])
def test_the_three_ways_to_solve_agree(weights: str) -> None:
    pairs, w = random_pairs(3, m=12)
    if weights == "uniform":
        w = np.full(12, 1 / 12)
    if weights == "some zero":
        w[[2, 5]] = 0.0
        w /= w.sum()
    slope = np.linspace(0.05, 0.25, pairs.p.size)
    e = differences(12, np.array([0, 2, 3]), np.array([1, 5, 2]))
    found = [
        Adjoints(12, pairs.first, pairs.second, slope, w, 0.01, method=method).of(e)
        for method in ("dense", "direct", "iterative")
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-9)
    np.testing.assert_allclose(found[0], found[2], atol=1e-7)


def test_ranges_of_the_curvature_hold_everywhere() -> None:
    rng = np.random.default_rng(0)
    delta, reach = rng.normal(scale=3, size=200), rng.exponential(2, size=200)
    low, high = curvature_range(delta, reach)
    bend_low, bend_high = bend_range(delta, reach)
    q = 1 / (1 + np.exp(-delta))
    for share in np.linspace(-1, 1, 201):
        t = share * reach
        rho = 1 / (1 + np.exp(-(delta + t))) - q - q * (1 - q) * t
        assert np.all(rho >= low - 1e-14)
        assert np.all(rho <= high + 1e-14)
        assert np.all(rho >= 0.5 * bend_low * t**2 - 1e-14)
        assert np.all(rho <= 0.5 * bend_high * t**2 + 1e-14)


def test_top_sums_takes_the_largest_positive_entries() -> None:
    values = np.array([[3.0, -1.0, 2.0, 5.0], [-1.0, -2.0, -3.0, -4.0]])
    assert top_sums(values, 2).tolist() == [8.0, 0.0]
    assert top_sums(values, 9).tolist() == [10.0, 0.0]


def brute_chains(pairs: Proportions, m: float, thin: float) -> dict[tuple[int, int], float]:
    """The largest M times error over every ordered chain, by three loops."""
    n = pairs.n_items
    p, k = np.full((n, n), np.nan), np.zeros((n, n))
    for a, b, share, mass in zip(pairs.first, pairs.second, pairs.p, pairs.mass, strict=True):
        p[a, b], k[a, b] = (share * mass + 0.5) / (mass + 1), mass
        p[b, a], k[b, a] = 1 - p[a, b], mass
    out: dict[tuple[int, int], float] = {}
    for i in range(n):
        for mid in range(n):
            for j in range(n):
                if len({i, mid, j}) < 3 or np.isnan(p[i, mid] + p[mid, j]) or k[i, j] > thin:
                    continue
                a, b = p[i, mid], p[mid, j]
                value = b * (1 - b) / (a + b - 2 * a * b - 1) ** 2
                if value > m:
                    harm = value * np.sqrt(a * (1 - a) / k[i, mid])
                    key = (min(i, j), max(i, j))
                    out[key] = max(out.get(key, 0.0), harm)
    return out


@pytest.mark.parametrize("seed", range(5))
def test_fragile_chains_are_all_chains_above_the_threshold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = 12
    first, second = np.triu_indices(m, 1)
    keep = rng.random(first.size) < 0.4
    n = int(keep.sum())
    mass = rng.integers(1, 20, n).astype(float)
    won = np.clip(np.round(rng.choice([0.0, 0.05, 0.5, 1.0], n) * mass), 0, mass)
    pairs = Proportions(m, first[keep], second[keep], won / mass, mass)
    expected = brute_chains(pairs, 2.0, 1.0)
    found = fragile_chains(pairs, threshold=2.0, thin=1.0)
    assert found.n_sensitive == len(expected)
    for i, j, harm in zip(found.start, found.end, found.harm, strict=True):
        assert harm == pytest.approx(expected[min(i, j), max(i, j)])
    assert np.all(np.diff(found.harm) <= 1e-12)


def test_an_annotator_who_alone_links_two_groups_is_found() -> None:
    winner, loser = [0, 1, 0, 3, 4, 3, 2], [1, 2, 2, 4, 5, 5, 3]
    who = [0, 1, 0, 0, 1, 1, 7]
    rows = Comparisons.of(6, winner, loser, annotator=who)
    pair = rows_of_pairs(rows)[2]
    found = holders(rows, pair, rows.proportions())
    assert (7, 3, 1) in [(h.annotator, h.n_cut_off, h.n_rows) for h in found]


def test_a_posterior_is_the_curvature_of_the_penalised_likelihood() -> None:
    pairs, _ = random_pairs(1)
    known = posterior(pairs, np.arange(7), deviation=2.0)
    r, h = known.mean, 1e-4

    def minus_log(r: FloatArray) -> float:
        d = r[pairs.first] - r[pairs.second]
        loss = pairs.p * np.logaddexp(0, -d) + (1 - pairs.p) * np.logaddexp(0, d)
        return float((pairs.mass * loss).sum() + (r**2).sum() / (2 * 2.0**2))

    basis = np.eye(7) * h
    hessian = np.array(
        [
            [
                (
                    minus_log(r + a + b)
                    - minus_log(r + a - b)
                    - minus_log(r - a + b)
                    + minus_log(r - a - b)
                )
                / (4 * h * h)
                for b in basis
            ]
            for a in basis
        ]
    )
    np.testing.assert_allclose(np.linalg.inv(hessian), known.covariance, rtol=1e-3, atol=1e-3)
    slope = [(minus_log(r + a) - minus_log(r - a)) / (2 * h) for a in basis]
    np.testing.assert_allclose(slope, 0.0, atol=1e-4)


def test_the_advice_is_about_the_contenders_and_narrows_the_interval() -> None:
    rng = np.random.default_rng(0)
    m, truth = 8, np.array([2.0, 1.9, 0.5, 0, 0, -1, -1, -2])
    a = rng.integers(m, size=300)
    b = (a + rng.integers(1, m, size=300)) % m
    first = rng.random(300) < 1 / (1 + np.exp(truth[b] - truth[a]))
    rows = Comparisons.of(m, np.where(first, a, b), np.where(first, b, a))
    known = posterior(rows.proportions(), np.arange(m))
    leader = int(np.argmax(known.mean))
    below = np.array([x for x in range(m) if x != leader])
    above = np.full(m - 1, leader)
    found = advise(known, above, below, 12, rng=np.random.default_rng(1))
    rival = below[int(np.argmax(order_errors(known.mean, known.covariance, above, below)))]
    assert {leader, int(rival)} == {int(found.first[0]), int(found.second[0])}
    assert np.all(np.diff(found.width) < 0)
    assert np.all(found.fall >= 0)
    assert 0 < found.error_after < found.error < 1
    now = float(found.width[0])
    needed = [
        votes_until(known, leader, int(rival), share * now, level=0.95, limit=500)
        for share in (1.0, 0.9, 0.7, 0.5, 0.01)
    ]
    assert needed[0] == 0
    assert needed == sorted(needed)
    assert 1 < needed[1] < needed[3] < 500
    assert needed[4] == 501


def test_share_variance_is_never_zero() -> None:
    value = share_variance(np.array([0.0, 3.0, 5.0]), np.array([3.0, 3.0, 10.0]))
    assert np.all(value > 0)


def test_the_advice_keeps_to_the_pairs_that_can_be_had() -> None:
    rng = np.random.default_rng(2)
    a = rng.integers(6, size=200)
    b = (a + rng.integers(1, 6, size=200)) % 6
    known = posterior(Comparisons.of(6, a, b).proportions(), np.arange(6))
    among = (np.array([0, 1, 2]), np.array([3, 4, 5]))
    leader = int(np.argmax(known.mean))
    below = np.delete(np.arange(6), leader)
    found = advise(known, np.full(5, leader), below, 9, among=among)
    had = set(zip(*(x.tolist() for x in among), strict=True))
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) <= had
    free = advise(known, np.full(5, leader), below, 9)
    assert found.fall[0] <= free.fall[0] + 1e-15


def test_holders_are_those_whose_rows_hold_a_component_together() -> None:
    """Against the components of the graph without each annotator, one after another."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    from cr_audit.models.rewards.bootstrap import rows_of_pairs
    from cr_audit.models.sensitivity.chains import holders

    for seed in range(40):
        rng = np.random.default_rng(seed)
        m, people = int(rng.integers(4, 30)), int(rng.integers(2, 9))
        n = int(rng.integers(m, 3 * m))
        a = rng.integers(m, size=n)
        b = (a + rng.integers(1, m, size=n)) % m
        who = rng.integers(-1, people, size=n)
        rows = Comparisons.of(m, a, b, annotator=who)

        def pieces(
            keep: np.ndarray, m: int = m, a: np.ndarray = a, b: np.ndarray = b
        ) -> np.ndarray:
            graph = csr_array((np.ones(int(keep.sum())), (a[keep], b[keep])), shape=(m, m))
            return connected_components(graph, directed=False)[1]

        before, seen = pieces(np.ones(n, bool)), np.unique(np.concatenate([a, b]))
        expected = {}
        for person in range(people):
            after = pieces(who != person)
            cut = sum(
                int((before[seen] == c).sum())
                - int(np.bincount(after[seen][before[seen] == c]).max())
                for c in np.unique(before[seen])
            )
            if cut:
                expected[person] = cut
        found = holders(rows, rows_of_pairs(rows)[2], rows.proportions())
        if np.unique(who[who >= 0]).size < 2:
            assert found == ()
        else:
            assert {h.annotator: h.n_cut_off for h in found} == expected


def test_rough_errors_rank_pairs_as_exact_ones_do() -> None:
    """Probes estimate √Σ (M se)²: 4,096 of them to 1 %, and the ranking of fragile pairs by them
    is that of the exact numbers."""
    pairs, _ = random_pairs(3)
    m = pairs.n_items
    w = np.full(m, 1 / m)
    fit = fit_tabular(pairs, w, penalty=0.01)
    fitted = FittedInfluence(pair_terms(pairs, w), w, 0.01, fit.rewards)
    variance = share_variance(pairs.p * pairs.mass, pairs.mass)
    i, j = np.triu_indices(m, 1)
    exact = fitted.errors(i, j, variance)
    rough = fitted.rough_errors(variance, np.random.default_rng(0), n_probes=4096)(i, j)
    np.testing.assert_allclose(rough, exact, rtol=0.06)


def test_fragile_pairs_are_listed_by_the_error_that_is_handed_in() -> None:
    rng = np.random.default_rng(4)
    m = 14
    first, second = np.triu_indices(m, 1)
    keep = rng.random(first.size) < 0.4
    mass = rng.integers(2, 9, int(keep.sum())).astype(float)
    won = np.where(rng.random(mass.size) < 0.5, mass, 0.0)
    pairs = Proportions(m, first[keep], second[keep], won / mass, mass)
    everyone = fragile_chains(pairs, threshold=1.5)

    def errors(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.minimum(i, j) * 100.0 + np.maximum(i, j)

    some = fragile_chains(pairs, threshold=1.5, limit=5, errors=errors)
    of_all = np.sort(errors(everyone.start, everyone.end))[::-1]
    assert everyone.n > 5
    assert some.n_sensitive == everyone.n_sensitive
    np.testing.assert_array_equal(np.sort(errors(some.start, some.end))[::-1], of_all[:5])


def test_advice_on_many_votes_is_about_the_two_that_are_close() -> None:
    """20,000 votes a pair: one more tells next to nothing, and yet it is asked of the right pair;
    what is expected afterwards is no more than what is known now."""
    truth = np.array([1.0, 0.98, 0.2, -0.5, -1.0])
    first, second = np.triu_indices(5, 1)
    mass = np.full(first.size, 20_000.0)
    p = 1 / (1 + np.exp(truth[second] - truth[first]))
    known = posterior(Proportions(5, first, second, p, mass), np.arange(5))
    above, below = np.zeros(4, np.int64), np.arange(1, 5)
    found = advise(known, above, below, 5, rng=np.random.default_rng(0))
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == {(0, 1)}
    assert np.all(found.fall > 0)
    assert 0 < found.error_after <= found.error + 1e-3
