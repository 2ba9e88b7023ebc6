"""Plackett–Luce and Davidson–Luce: published values, other libraries, brute force, refusals."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from pathlib import Path

import choix
import numpy as np
import pytest
from choice_data import sets_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize

from cr_audit.arrays import Comparisons, FloatArray, NotApplicable
from cr_audit.errors import ComputeError
from cr_audit.models.listwise import plackett_luce, ties
from cr_audit.models.listwise.plackett_luce import (
    RankingProblem,
    bootstrap_rankings,
    contrast_errors,
    fit_rankings,
    list_scores,
    log_likelihood,
    quasi_errors,
)
from cr_audit.models.listwise.rankings import (
    Rankings,
    collapsed,
    ranking_components,
    rankings_of,
)
from cr_audit.models.listwise.ties import TiedFit, between_tiers, fit_tied_rankings
from cr_audit.models.rewards.tabular import fit_tabular

A, B, C, D = range(4)
TOY = [[(A, 0), (B, 1)], [(C, 0), (A, 1)], [(B, 0), (A, 1)], [(B, 0), (C, 1)]]
# PlackettLuce's fruits: columns apple, banana, orange; 0 is not ranked.
FRUITS = [(1, 2, 0), (3, 1, 2), (2, 1, 1), (1, 2, 3), (2, 1, 1), (1, 0, 2)]


def random_rankings(
    rng: np.random.Generator, m: int, n: int, *, partial: bool = False
) -> list[list[tuple[int, int]]]:
    out = []
    for _ in range(n):
        k = int(rng.integers(2, m + 1))
        members = rng.permutation(m)[:k]
        told = int(rng.integers(1, k)) if partial else k
        out.append([(int(x), i if i < told else -1) for i, x in enumerate(members)])
    return out


def by_hand(lists: list[list[tuple[int, int]]], r: FloatArray) -> float:
    out = 0.0
    for entries in lists:
        ranked = sorted((rank, item) for item, rank in entries if rank >= 0)
        left = [item for item, _ in entries]
        for _, item in ranked:
            out += r[item] - np.log(np.exp(r[left]).sum())
            left.remove(item)
    return out


def fruits() -> Rankings:
    lists = [[(i, rank - 1) for i, rank in enumerate(row) if rank] for row in FRUITS]
    return rankings_of(sets_of(3, lists))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_value_gradient_and_information(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = random_rankings(rng, 5, 12, partial=True)
    rankings = rankings_of(sets_of(5, lists))
    r, v = rng.normal(size=5), rng.normal(size=5)
    assert log_likelihood(rankings, r) == pytest.approx(by_hand(lists, r), abs=1e-9)
    problem = RankingProblem(rankings, rng.random(5), ranking_components(rankings)[0])
    gradient = problem.gradient(r)[0]
    np.testing.assert_allclose(gradient, approx_fprime(r, problem.value), atol=1e-5)
    information = problem.information(r)
    numeric = -np.array(
        [approx_fprime(r, lambda x, i=i: problem.gradient(x)[0][i]) for i in range(5)]
    )
    np.testing.assert_allclose(information, numeric, atol=1e-5)
    np.testing.assert_allclose(problem.image(r, v), information @ v, atol=1e-9)
    scores = list_scores(rankings, r)
    np.testing.assert_allclose(scores.sum(axis=0), gradient + problem.ridge * r, atol=1e-9)


def test_toy_example_of_the_r_package() -> None:
    fit = fit_rankings(rankings_of(sets_of(3, TOY)))
    np.testing.assert_allclose(fit.rewards - fit.rewards[A], [0, 0.8392, 0.4196], atol=5e-5)
    np.testing.assert_allclose(contrast_errors(fit, A)[1:], [1.3596, 1.5973], atol=5e-5)
    assert fit.deviance == pytest.approx(5.1356, abs=5e-5)
    assert fit.n_stages - 2 == 2  # degrees of freedom
    assert fit.deviance + 4 == pytest.approx(9.1356, abs=5e-5)


def test_an_item_that_only_loses_is_refused_or_held_by_pseudo_rankings() -> None:
    rankings = rankings_of(sets_of(4, [*TOY, [(A, 0), (D, 1)]]))
    with pytest.raises(ComputeError) as caught:
        fit_rankings(rankings)
    assert caught.value.slug == "no-unpenalised-fit"
    assert "3, 1" in str(caught.value.found)
    assert "penalty" in str(caught.value.next_step)
    fit = fit_rankings(rankings, pseudo=0.5)
    expected = [0.0, 0.5184185, 0.1354707, -1.1537565]
    np.testing.assert_allclose(fit.rewards - fit.rewards[A], expected, atol=5.1e-8)
    penalised = fit_rankings(rankings, penalty=0.01)
    assert penalised.converged
    assert penalised.rewards.argmin() == D


def test_fruits_with_ties_as_the_r_package_prints_them() -> None:
    fit = fit_tied_rankings(fruits(), pseudo=0.5)
    assert isinstance(fit, TiedFit)
    expected = [0.0, 0.2867987, -0.4636687]
    np.testing.assert_allclose(fit.rewards - fit.rewards[0], expected, atol=1e-7)
    assert fit.tie_sizes == (2,)
    assert fit.log_delta[0] == pytest.approx(-1.0701129, abs=1e-7)
    v = fit.covariance
    assert isinstance(v, np.ndarray)
    errors = [np.sqrt(v[i, i] + v[0, 0] - 2 * v[0, i]) for i in (1, 2)]
    np.testing.assert_allclose([*errors, np.sqrt(v[3, 3])], [1.0129, 1.0280, 0.9043], atol=6e-5)
    assert fit.deviance == pytest.approx(21.61, abs=5e-3)
    assert fit.deviance + 6 == pytest.approx(27.61, abs=5e-3)


def davidson_luce_by_hand(r: FloatArray, log_delta: float) -> float:
    """Every subset of one or two, written out."""
    out = 0.0
    for row in FRUITS:
        rank = {i: v for i, v in enumerate(row) if v}
        left = set(rank)
        for place in sorted(set(rank.values())):
            tier = {i for i in rank if rank[i] == place}
            if len(left) > 1:
                total = sum(np.exp(r[i]) for i in left)
                total += sum(
                    np.exp(log_delta + (r[i] + r[j]) / 2)
                    for i, j in itertools.combinations(left, 2)
                )
                picked = sum(r[i] for i in tier) / len(tier)
                out += picked + (log_delta if len(tier) == 2 else 0.0) - np.log(total)
            left -= tier
    return out


def test_davidson_luce_against_all_subsets() -> None:
    fit = fit_tied_rankings(fruits())
    assert isinstance(fit, TiedFit)
    best = davidson_luce_by_hand(fit.rewards, fit.log_delta[0])
    assert fit.log_likelihood == pytest.approx(best, abs=1e-9)
    found = minimize(lambda t: -davidson_luce_by_hand(np.array([0, t[0], t[1]]), t[2]), np.zeros(3))
    assert best >= -found.fun - 1e-9


def test_ties_of_three_by_finite_differences() -> None:
    rng = np.random.default_rng(1)
    lists = []
    for _ in range(30):
        members = rng.permutation(6)[: int(rng.integers(3, 7))]
        rank = np.sort(rng.integers(0, 3, members.size))
        lists.append([(int(x), int(v)) for x, v in zip(members, rank, strict=True)])
    rankings = rankings_of(sets_of(6, lists))
    if max(int(ties._tie_sizes(b).max()) for b in rankings.blocks) > ties.LARGEST_TIE:
        lists = [e for e in lists if max(np.bincount([v for _, v in e])) <= ties.LARGEST_TIE]
        rankings = rankings_of(sets_of(6, lists))
    problem = ties._Problem(rankings, 0.3, 6)
    assert len(problem.sizes) >= 3
    theta = rng.normal(size=6 + len(problem.sizes) - 1)
    numeric = approx_fprime(theta, lambda t: problem.value(t)[0])
    np.testing.assert_allclose(problem.value(theta)[1], numeric, atol=1e-4)


def test_without_ties_davidson_luce_is_plackett_luce() -> None:
    lists = random_rankings(np.random.default_rng(2), 5, 60)
    rankings = rankings_of(sets_of(5, lists))
    plain, tied = fit_rankings(rankings), fit_tied_rankings(rankings)
    assert isinstance(tied, TiedFit)
    assert tied.tie_sizes == ()
    np.testing.assert_allclose(tied.rewards, plain.rewards, atol=1e-7)
    np.testing.assert_allclose(tied.covariance, plain.covariance, atol=1e-5)
    penalised = fit_tied_rankings(rankings, penalty=0.05)
    assert isinstance(penalised, TiedFit)
    np.testing.assert_allclose(
        penalised.rewards, fit_rankings(rankings, penalty=0.05).rewards, atol=1e-7
    )


def test_large_ties_are_taken_apart_not_modelled() -> None:
    entries = [(i, 0) for i in range(6)] + [(i, 1) for i in range(6, 8)]
    rankings = rankings_of(sets_of(8, [entries]))
    assert isinstance(fit_tied_rankings(rankings, penalty=0.1), NotApplicable)
    apart = between_tiers(rankings)
    assert apart.largest_tie == 1
    assert apart.n == 6  # each of the six against the two below
    assert apart.mass.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(
        np.sort(apart.blocks[0].items[:, 1:], axis=1), np.tile([6, 7], (6, 1))
    )
    assert sorted(apart.blocks[0].items[:, 0].tolist()) == list(range(6))
    untied = rankings_of(sets_of(4, TOY))
    assert between_tiers(untied).n == untied.n


@pytest.mark.parametrize("seed", [3, 4])
def test_against_choix(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = random_rankings(rng, 6, 80)
    data = [[item for item, _ in entries] for entries in lists]
    ours = fit_rankings(rankings_of(sets_of(6, lists)))
    theirs = choix.ilsr_rankings(6, data, tol=1e-12)
    np.testing.assert_allclose(ours.rewards, theirs - theirs.mean(), atol=1e-6)
    top = random_rankings(rng, 6, 120, partial=True)
    tops = [(next(i for i, r in e if r == 0), [i for i, r in e if r != 0]) for e in top]
    ours = fit_rankings(
        rankings_of(sets_of(6, [[(i, 0 if r == 0 else -1) for i, r in e] for e in top]))
    )
    theirs = choix.ilsr_top1(6, tops, tol=1e-12)
    np.testing.assert_allclose(ours.rewards, theirs - theirs.mean(), atol=1e-6)


def test_lists_of_two_are_the_pairs_of_the_tabular_fit() -> None:
    """One penalty means one thing: PL on pairs = the count-weighted tabular fit."""
    rng = np.random.default_rng(5)
    pairs = [(int(a), int(b)) for a, b in rng.integers(0, 7, (200, 2)) if a != b]
    winner, loser = map(np.array, zip(*pairs, strict=True))
    weights = rng.dirichlet(np.full(7, 20.0))
    p = Comparisons.of(7, winner, loser).proportions()
    uniform = np.full(7, 1 / 7)
    expected = fit_tabular(p, uniform, penalty=0.04, count_weighted=True).rewards
    rankings = rankings_of(sets_of(7, [[(a, 0), (b, 1)] for a, b in pairs]))
    np.testing.assert_allclose(fit_rankings(rankings, penalty=0.04).rewards, expected, atol=1e-7)
    own = fit_rankings(rankings, penalty=0.04, weights=weights).rewards
    assert float(weights @ own) == pytest.approx(0.0, abs=1e-12)


def test_clones_that_share_a_weight_count_as_one() -> None:
    """Dichotomy lists: with log weights the reward gap is ln(p/(1 − p)) whatever the copies."""
    lists = []
    for copies in (1, 2, 4):
        members = [0, *range(1, copies + 1)]
        for t in range(10 * copies):
            chosen = 0 if t < 6 * copies else 1 + (t % copies)
            lists.append([(i, 0 if i == chosen else -1) for i in members])
    sets = sets_of(5, lists)
    size = np.repeat(np.diff(sets.offsets) - 1, np.diff(sets.offsets))
    share = np.log(np.where(sets.members == 0, 1.0, 1.0 / size))
    merged = np.minimum(sets.members, 1)
    rankings = rankings_of(sets, offset=share)
    # All copies carry one reward: relabel them as one item.
    blocks = tuple(
        type(b)(np.minimum(b.items, 1), b.tier, b.ranked, b.offset, b.rows) for b in rankings.blocks
    )
    assert merged.max() == 1
    one = Rankings(2, blocks, rankings.mass, rankings.unit)
    fit = fit_rankings(one)
    assert fit.rewards[0] - fit.rewards[1] == pytest.approx(np.log(0.6 / 0.4), abs=1e-8)


def test_components_are_fitted_apart() -> None:
    rng = np.random.default_rng(6)
    one = random_rankings(rng, 4, 40)
    two = [[(i + 4, r) for i, r in e] for e in random_rankings(rng, 4, 40)]
    fit = fit_rankings(rankings_of(sets_of(9, one + two)))
    alone = fit_rankings(rankings_of(sets_of(4, one)))
    assert fit.n_components == 2
    assert fit.components.tolist() == [0] * 4 + [1] * 4 + [-1]
    np.testing.assert_allclose(fit.rewards[:4], alone.rewards, atol=1e-8)
    assert np.isnan(fit.rewards[8])
    assert np.isnan(contrast_errors(fit, 0)[4:]).all()
    np.testing.assert_allclose(contrast_errors(fit, 0)[:4], contrast_errors(alone, 0), atol=1e-7)


def test_equal_lists_collapse_to_one_with_their_mass() -> None:
    rankings = rankings_of(sets_of(3, TOY * 5))
    few = collapsed(rankings)
    assert few.n == 4
    assert few.mass.tolist() == [5.0] * 4


def test_the_iterative_solver_agrees_with_the_dense_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = random_rankings(np.random.default_rng(7), 30, 300)
    rankings = rankings_of(sets_of(30, lists))
    dense = fit_rankings(rankings, penalty=0.01)
    monkeypatch.setattr(plackett_luce, "DENSE_LIMIT", 5)
    iterative = fit_rankings(rankings, penalty=0.01)
    assert isinstance(iterative.covariance, NotApplicable)
    np.testing.assert_allclose(iterative.rewards, dense.rewards, atol=1e-6)


def test_bootstrap_in_one_step_and_by_refits() -> None:
    rng = np.random.default_rng(8)
    utility = rng.gumbel(size=(800, 5)) + np.linspace(0, 1, 5)
    lists = [[(int(x), i) for i, x in enumerate(np.argsort(-u))] for u in utility]
    rankings = rankings_of(sets_of(5, lists))
    fit = fit_rankings(rankings)
    draws = []
    for refit in (False, True):
        got = bootstrap_rankings(
            rankings, fit, n_replicates=60, refit=refit, rng=np.random.default_rng(9)
        )
        assert isinstance(got, np.ndarray)
        draws.append(got)
    # The same resamples: one step is within a tenth of an error of the refit.
    errors = np.sqrt(np.diagonal(fit.covariance))
    assert np.abs((draws[0] - draws[1]) / errors).max() < 0.15
    np.testing.assert_allclose(draws[0].std(axis=0), errors, rtol=0.35)


def test_quasi_errors_reproduce_every_contrast() -> None:
    lists = random_rankings(np.random.default_rng(10), 6, 200)
    fit = fit_rankings(rankings_of(sets_of(6, lists)))
    quasi = quasi_errors(fit)
    assert isinstance(quasi, np.ndarray)
    for x, y in itertools.combinations(range(6), 2):
        exact = contrast_errors(fit, x)[y]
        assert np.hypot(quasi[x], quasi[y]) == pytest.approx(exact, rel=0.03)
    pair = fit_rankings(rankings_of(sets_of(2, [[(0, 0), (1, 1)], [(1, 0), (0, 1)]])))
    assert isinstance(quasi_errors(pair), NotApplicable)


def test_the_order_of_members_leaves_no_trace() -> None:
    rng = np.random.default_rng(11)
    lists = random_rankings(rng, 6, 50, partial=True)
    turned = [[e[i] for i in rng.permutation(len(e))] for e in lists]
    one = fit_rankings(rankings_of(sets_of(6, lists)), penalty=0.01)
    two = fit_rankings(rankings_of(sets_of(6, turned)), penalty=0.01)
    assert one.rewards.tobytes() == two.rewards.tobytes()


def test_42871_ballots_in_time(shared_data: Path) -> None:
    path = shared_data / "elections_rcv" / "portland_2024_d1.shared.jsonl.gz"
    with gzip.open(path) as lines:
        ballots = [json.loads(line)["ranking"] for line in lines]
    assert len(ballots) == 42_871
    names = sorted({name for ballot in ballots for name in ballot})
    index = {name: i for i, name in enumerate(names)}
    lists = [[(index[n], i) for i, n in enumerate(dict.fromkeys(b))] for b in ballots]
    sets = sets_of(len(names), [e for e in lists if len(e) > 1])
    start = time.process_time()
    fit = fit_rankings(rankings_of(sets))
    took = time.process_time() - start
    assert fit.converged
    assert took < 3.0  # 0.5 s on an idle core; benchmarks/README.md
