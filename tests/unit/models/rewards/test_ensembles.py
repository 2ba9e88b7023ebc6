"""Replicates and causes of networks: what they vary, and that they agree with brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from cr_audit.arrays import Comparisons, FloatArray
from cr_audit.models.rewards import mlp
from cr_audit.models.rewards.ensembles import _Resampled, _train, mlp_replicates
from cr_audit.models.rewards.kinds.mlp import Mlp
from cr_audit.models.rewards.model import Means, Problem
from cr_audit.models.rewards.networks import Task, Training
from cr_audit.models.rewards.objective import pair_terms

M, RUNS = 30, 6
FAST = Training(learning_rate=3e-3, batch_size=64, n_steps=150)


MODEL = Mlp(training=FAST)


def problem(n: int = 600) -> Problem:
    rng = np.random.default_rng(0)
    contexts = rng.normal(size=(M, 4)).astype(np.float32)
    truth = contexts[:, 0] * 1.5
    a = rng.integers(M, size=n)
    b = (a + rng.integers(1, M, size=n)) % M
    won = (rng.random(n) < 1 / (1 + np.exp(truth[b] - truth[a]))).astype(float)
    return Problem(
        n_items=M,
        comparisons=Comparisons.of(M, a, b, won),
        weights=rng.dirichlet(np.full(M, 2.0)),
        draw=None,
        contexts=contexts,
        count_weighted=False,
        penalty=0.3,
        workers=1,
        seed=np.random.SeedSequence(1),
    )


def means() -> Means:
    """Of every third item."""
    labels = np.arange(M) % 3
    return Means(csr_array((np.full(M, 3 / M), (labels, np.arange(M)))))


def ensemble(p: Problem, weights: FloatArray, n_runs: int = RUNS) -> mlp.MlpFit:
    return MODEL.fit(p, p.comparisons.proportions(), weights, p.penalty, n_runs=n_runs)


def drawn(p: Problem, n: int, **changes: object) -> FloatArray:
    p = replace(p, **changes)
    assert isinstance(p.weights, np.ndarray)
    weights = (p.uniform, p.weights)
    made = [ensemble(p, w) for w in weights]
    return mlp_replicates(
        p, made, means(), training=FAST, n_subjects=3, clusters=None, n_replicates=n,
        rng=np.random.default_rng(2), tick=lambda done, total: None,
    )  # fmt: skip


def test_drawn_pairs_keep_the_mass_of_the_data_and_their_own_shares() -> None:
    rows = problem().comparisons
    share, p = _Resampled(rows, None).draw(np.random.default_rng(3))
    pairs = rows.proportions()
    assert (share * pairs.mass).sum() == pytest.approx(rows.n)
    assert share.std() > 0.1
    both = pairs.mass == 1
    assert set(np.unique(p[both & (share > 0)])) == {0.0, 1.0}
    np.testing.assert_array_equal(p[both & (share > 0)], pairs.p[both & (share > 0)])
    clusters = np.repeat(np.arange(rows.n // 2), 2)
    counts = _Resampled(rows, clusters)
    assert counts.n_units == rows.n // 2


def test_replicates_spread_as_whole_ensembles_on_new_data_do() -> None:
    p = problem()
    ours = drawn(p, 60)
    rng = np.random.default_rng(4)
    exact = []
    for seed in np.random.SeedSequence(5).spawn(60):
        share, won = _Resampled(p.comparisons, None).draw(rng)
        w = p.uniform
        terms = pair_terms(p.comparisons.proportions(), w)
        terms = replace(terms, p=won, strength=terms.strength * share)
        seeds = mlp.seeds_of(np.random.default_rng(seed), RUNS)
        tasks = [Task(terms, w, p.penalty, s) for s in seeds]
        exact.append(means().of(_train(p, FAST, tasks).mean(axis=0)))
    ratio = ours[0].std(axis=0) / np.std(exact, axis=0)
    # Sixty replicates know a standard deviation to 9 %.
    np.testing.assert_allclose(ratio, 1.0, atol=0.4)
    middle = means().of(ensemble(p, p.uniform).rewards)
    np.testing.assert_allclose(ours[0].mean(axis=0), middle, atol=0.5 * np.std(exact))


def test_replicates_carry_the_error_of_the_weights() -> None:
    rng_weights = np.random.default_rng(6)
    pool = rng_weights.dirichlet(np.full(M, 0.5), size=64)
    p = problem()
    known = drawn(p, 40)
    both = drawn(p, 40, draw=lambda rng: pool[rng.integers(64)])
    assert (both[1].std(axis=0) > 1.3 * known[1].std(axis=0)).all()
    assert both[0].std(axis=0) == pytest.approx(known[0].std(axis=0), rel=0.5)


def test_replicates_do_not_depend_on_the_threads() -> None:
    p = problem()
    assert drawn(p, 25).tobytes() == drawn(p, 25, workers=3).tobytes()


def test_the_same_weights_move_nothing_and_others_move_it_as_a_whole_fit_does() -> None:
    p = problem()
    assert isinstance(p.weights, np.ndarray)
    fitted = ensemble(p, p.weights, 20)
    fit, subjects = MODEL.with_other_weights(p, fitted, means())
    before = means().of(fitted.rewards)
    np.testing.assert_array_equal(subjects(fit(p.weights)), before)
    whole = means().of(ensemble(p, p.uniform, 20).rewards)
    assert np.abs(whole - before).max() > 0.02
    np.testing.assert_allclose(subjects(fit(p.uniform)), whole, atol=0.03)
