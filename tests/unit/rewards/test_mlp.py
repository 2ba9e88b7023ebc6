"""The network ensemble: determinism, what it learns, and its invariants."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from cr_audit.arrays import Comparisons
from cr_audit.rewards.mlp import fit_mlp
from cr_audit.rewards.objective import objective, pair_terms


def problem() -> tuple[Comparisons, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    contexts = rng.normal(size=(80, 6))
    truth = np.abs(contexts[:, 0]) * 2 - contexts[:, 1]
    a = rng.integers(80, size=4000)
    b = (a + rng.integers(1, 80, size=4000)) % 80
    won = (rng.random(4000) < 1 / (1 + np.exp(truth[b] - truth[a]))).astype(float)
    return Comparisons.of(80, a, b, won), contexts, truth


def test_learns_what_a_line_cannot_and_repeats_itself() -> None:
    rows, contexts, truth = problem()
    w = np.full(80, 1 / 80)
    fits = [
        fit_mlp(
            rows.proportions(),
            contexts,
            w,
            penalty=1e-3,
            n_runs=2,
            learning_rate=3e-3,
            rng=np.random.default_rng(1),
        )
        for _ in range(2)
    ]
    assert fits[0].rewards.tobytes() == fits[1].rewards.tobytes()
    assert np.corrcoef(fits[0].rewards, truth)[0, 1] > 0.9
    np.testing.assert_allclose(fits[0].by_run @ w, 0.0, atol=1e-9)
    np.testing.assert_allclose(fits[0].by_run.mean(axis=0), fits[0].rewards)
    assert fits[0].n_runs == 2


def test_the_papers_settings_lower_the_objective() -> None:
    rows, contexts, _ = problem()
    w = np.random.default_rng(2).dirichlet(np.ones(80))
    fit = fit_mlp(
        rows.proportions(), contexts, w, penalty=0.01, n_runs=3, rng=np.random.default_rng(3)
    )
    assert (fit.hidden, fit.batch_size, fit.n_steps, fit.learning_rate) == (32, 512, 500, 1e-4)
    assert inspect.signature(fit_mlp).parameters["n_runs"].default == 20
    terms = pair_terms(rows.proportions(), w)
    assert fit.objective < objective(terms, w, np.zeros(80), 0.01)
    assert fit.objective == pytest.approx(objective(terms, w, fit.rewards, 0.01))


def test_every_run_has_its_own_start() -> None:
    rows, contexts, _ = problem()
    w = np.full(80, 1 / 80)
    kwargs = {"penalty": 0.01, "n_steps": 0}
    start = fit_mlp(
        rows.proportions(), contexts, w, n_runs=3, rng=np.random.default_rng(4), **kwargs
    )
    assert np.unique(np.round(start.by_run[:, 0], 12)).size == 3


def test_broken_settings_are_refused() -> None:
    rows, contexts, _ = problem()
    w, rng = np.full(80, 1 / 80), np.random.default_rng(0)
    with pytest.raises(ValueError, match="contexts"):
        fit_mlp(rows.proportions(), contexts[:5], w, penalty=0.1, rng=rng)
    with pytest.raises(ValueError, match="positive"):
        fit_mlp(rows.proportions(), contexts, w, penalty=0.1, n_runs=0, rng=rng)
