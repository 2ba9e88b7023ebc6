"""Judges of different competence."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.arrays import Comparisons, NotApplicable
from cr_audit.models.competence import Competence, fit_competence
from cr_audit.models.ties.battles import battles
from cr_audit.models.ties.fit import fit_ties


def votes(
    competence: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[Comparisons, np.ndarray]:
    theta = rng.normal(scale=1.2, size=8)
    a = rng.integers(8, size=n)
    b = (a + rng.integers(1, 8, size=n)) % 8
    judge = rng.integers(competence.size, size=n)
    won = rng.random(n) < 1.0 / (1.0 + np.exp(-competence[judge] * (theta[a] - theta[b])))
    rows = Comparisons.of(8, np.where(won, a, b), np.where(won, b, a), annotator=judge)
    return rows, theta - theta.mean()


def fitted(rows: Comparisons, **settings: float) -> Competence:
    out = fit_competence(rows, prior_precision=0.05, **settings)
    assert not isinstance(out, NotApplicable)
    return out


def test_coin_tossers_are_found_and_cost_less() -> None:
    rng = np.random.default_rng(1)
    true = np.r_[np.full(12, 1.4), np.zeros(8)]
    rows, theta = votes(true, 8_000, rng)
    out = fitted(rows)
    assert out.converged
    assert out.competence[:12].min() > out.competence[12:].max()
    assert out.gain > 0.01
    plain = fit_ties(battles(rows), "bradley-terry", prior_precision=0.05).rewards

    def miss(r: np.ndarray) -> float:
        r = r * (r @ theta) / (r @ r)
        return float(np.abs(r - theta).max())

    assert miss(out.rewards) < miss(plain)
    assert out.agreement[:12].mean() > 0.7 > out.agreement[12:].mean()


def test_equal_judges_are_the_plain_fit() -> None:
    rng = np.random.default_rng(2)
    rows, _ = votes(np.ones(30), 3_000, rng)
    out = fitted(rows)
    plain = fit_ties(battles(rows), "bradley-terry", prior_precision=0.05).rewards
    assert out.spread < 0.25
    assert out.rewards == pytest.approx(plain, abs=0.1)
    held = fitted(rows, spread=1e-4)
    assert held.rewards == pytest.approx(plain, abs=1e-3)


def test_the_average_judge_is_one() -> None:
    rng = np.random.default_rng(3)
    rows, _ = votes(np.linspace(0.2, 2.0, 10), 4_000, rng)
    out = fitted(rows)
    assert (out.competence * out.n_battles).sum() / out.n_battles.sum() == pytest.approx(1.0)


def test_one_judge_has_nothing_to_be_compared_with() -> None:
    rows = Comparisons.of(2, [0, 1], [1, 0], annotator=[0, 0])
    out = fit_competence(rows, prior_precision=0.1)
    assert isinstance(out, NotApplicable)
    assert "judges" in out.reason
