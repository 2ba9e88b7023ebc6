"""The reward models behind one protocol: what each answers, checked against its own numerics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from cr_audit.arrays import Comparisons, NotApplicable
from cr_audit.errors import UsageError
from cr_audit.models.rewards.kinds import REWARD_MODELS
from cr_audit.models.rewards.kinds.linear import LINEAR
from cr_audit.models.rewards.kinds.mlp import MLP
from cr_audit.models.rewards.kinds.tabular import TABULAR
from cr_audit.models.rewards.model import (
    Means,
    Problem,
    RewardModel,
    affordable,
)

MODELS: tuple[RewardModel, ...] = (TABULAR, LINEAR, MLP)
M = 8


def problem(contexts: bool, n: int = 60) -> Problem:
    rng = np.random.default_rng(5)
    a = rng.integers(M, size=n)
    return Problem(
        n_items=M,
        comparisons=Comparisons.of(
            M, a, (a + rng.integers(1, M, size=n)) % M, mass=rng.random(n) + 0.5
        ),
        weights=rng.dirichlet(np.ones(M)),
        draw=None,
        contexts=rng.standard_normal((M, 3)) if contexts else None,
        count_weighted=False,
        penalty=0.1,
        workers=1,
        seed=3,
        tolerance=1e-12,
    )


def test_the_registry_holds_what_the_files_hold() -> None:
    assert REWARD_MODELS.names == ("tabular", "linear", "mlp")
    assert REWARD_MODELS.all() == MODELS
    assert [m.name for m in MODELS] == list(REWARD_MODELS.names)
    with pytest.raises(UsageError, match="reward model called 'cubic'"):
        REWARD_MODELS.get("cubic")


@pytest.mark.parametrize("model", [TABULAR, LINEAR])
def test_gradient_rows_sum_to_the_pull_of_the_penalty(model: RewardModel) -> None:
    """At the fit the data's part of the system balances the penalty's.

    Tabular: Σ_c = λ r. Linear: Σ_c = λ Σ w r (c - c̄), the gradient of (λ/2) Σ w r² in θ.
    """
    p = problem(model.from_contexts)
    assert isinstance(p.weights, np.ndarray)
    fit = model.fit(p, p.comparisons.proportions(), p.weights, p.penalty)
    rows = model.gradient_rows(p, fit)
    assert not isinstance(rows, NotApplicable)
    assert rows.shape[0] == p.comparisons.n
    total = np.asarray(rows.sum(axis=0))
    wanted = p.penalty * fit.rewards
    if p.contexts is not None:
        wanted = p.contexts.T @ (p.weights * wanted)
    np.testing.assert_allclose(total, wanted, atol=1e-8)


@pytest.mark.parametrize("model", [TABULAR, LINEAR])
def test_gradient_rows_are_the_change_when_a_row_weighs_more(model: RewardModel) -> None:
    """What one row adds, by adding a little more of the row to the objective itself."""
    p = problem(model.from_contexts, n=12)
    assert isinstance(p.weights, np.ndarray)
    w, rows = p.weights, p.comparisons
    pairs = rows.proportions()
    fit = model.fit(p, pairs, w, p.penalty)
    found = model.gradient_rows(p, fit)
    assert not isinstance(found, NotApplicable)
    dense = found.toarray() if isinstance(found, csr_array) else found
    key = pairs.first * M + pairs.second
    for c in range(rows.n):
        i, j = int(rows.winner[c]), int(rows.loser[c])
        low, high = min(i, j), max(i, j)
        share = rows.mass[c] / pairs.mass[key == low * M + high][0] / fit.kappa
        won = rows.outcome[c] if low == i else 1 - rows.outcome[c]
        q = 1 / (1 + np.exp(fit.rewards[high] - fit.rewards[low]))
        if p.contexts is None:
            wanted = np.zeros(M)
            wanted[low], wanted[high] = w[high], -w[low]
            wanted *= share * (won - q)
        else:
            wanted = w[low] * w[high] * share * (won - q) * (p.contexts[low] - p.contexts[high])
        np.testing.assert_allclose(dense[c], wanted, atol=1e-12)


def test_linear_coordinates_keep_inner_products() -> None:
    few = np.random.default_rng(0).standard_normal((5, 20)).astype(np.float32)
    kept = LINEAR.prepared(few)
    assert kept.shape == (5, 5)
    np.testing.assert_allclose(kept @ kept.T, few @ few.T, rtol=1e-4)
    assert LINEAR.prepared(few.T) is not None
    assert LINEAR.prepared(few.T).shape == (20, 5)
    assert MLP.prepared(few) is few


def test_means_are_of_one_ranking_or_of_many() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    means = Means(csr_array((np.array([0.5, 0.5, 1 / 3, 1 / 3, 1 / 3]), (labels, np.arange(5)))))
    one = np.array([1.0, 3.0, 3.0, 4.0, 8.0])
    np.testing.assert_allclose(means.of(one), [2.0, 5.0])
    np.testing.assert_allclose(means.of(np.stack([one, -one])), [[2.0, 5.0], [-2.0, -5.0]])
    assert Means(None).of(one) is one


def test_as_many_replicates_as_fit() -> None:
    assert affordable(1000, 10) == 1000
    assert affordable(1000, 40_000) == 500
    assert affordable(1000, 10**7) == affordable(3, 10) == 100


def test_what_does_not_apply_to_a_model_says_so() -> None:
    p = problem(True)
    assert isinstance(p.weights, np.ndarray)
    fit = LINEAR.fit(p, p.comparisons.proportions(), p.weights, p.penalty)
    for model in (LINEAR, MLP):
        refused = model.certificate(p, fit, fit)
        assert refused == NotApplicable(
            f"it is proved for tabular rewards, not for {model.name} ones"
        )
        assert isinstance(model.covariance(p, fit, None), NotApplicable)
    assert isinstance(MLP.gradient_rows(p, fit), NotApplicable)
    with pytest.raises(ValueError, match="contexts"):
        LINEAR.fit(problem(False), p.comparisons.proportions(), p.weights, p.penalty)
