"""Share of nominal 90 % intervals that hold the truth, on the designs of ``designs``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from benchmarks.calibration.designs import Design, Sample, sample
from cr_audit.arrays import Comparisons, FloatArray, NotApplicable
from cr_audit.models.rankings import bootstrap_win_rates, win_rates
from cr_audit.models.rewards.bootstrap import (
    bootstrap_tabular,
    expanded_level,
    normal_interval,
    percentile_interval,
    sandwich_covariance,
)
from cr_audit.models.rewards.kinds.tabular import TABULAR
from cr_audit.models.rewards.tabular import fit_tabular

PENALTY = TABULAR.default_penalty
LEVEL = 0.9
Z = float(ndtri(0.5 + LEVEL / 2))
# The win rates' intervals use a standard error only, which 300 replicates give to 4 %.
WIN_RATE_REPLICATES = 300
# A leaf of a star has one opponent: its win rates do not shift whatever the weights, truth 0.
DEGENERATE = 1e-9


@dataclass(slots=True)
class Tally:
    """Per data set: share of items covered, and error, true over estimated."""

    covered: list[float] = field(default_factory=list)
    scaled: list[FloatArray] = field(default_factory=list)

    def add(self, low: FloatArray, high: FloatArray, truth: FloatArray, at: FloatArray) -> None:
        known = np.isfinite(truth) & np.isfinite(low) & (high - low > DEGENERATE)
        inside = (low <= truth) & (truth <= high)
        self.covered.append(float(np.mean(inside[known])))
        half = np.where(known, (high - low) / 2 / Z, np.nan)
        self.scaled.append((at - truth) / half)

    @property
    def coverage(self) -> tuple[float, float]:
        """Mean over data sets, and its standard error."""
        c = np.asarray(self.covered)
        return float(c.mean()), float(c.std(ddof=1) / np.sqrt(c.size))

    @property
    def spread(self) -> float:
        """sd of error / standard error: 1 where the intervals are as wide as they should be."""
        return float(np.nanstd(np.stack(self.scaled)))


def measure(design: Design, n_sets: int, seed: int = 0) -> dict[str, Tally]:
    out: dict[str, Tally] = {}
    for rng in np.random.default_rng([seed, design.m, design.n, len(design.name)]).spawn(n_sets):
        _one(sample(design, rng), out, rng)
    return out


def _one(s: Sample, out: dict[str, Tally], rng: np.random.Generator) -> None:
    seen = s.rows.proportions()
    fits = [fit_tabular(seen, w, penalty=PENALTY) for w in (s.uniform, s.weights)]
    truths = [
        fit_tabular(s.population, w, penalty=PENALTY).rewards for w in (s.uniform, s.exact_weights)
    ]
    boot = bootstrap_tabular(
        s.rows, fits, clusters=s.clusters, draw_weights=[None, s.draw], rng=rng
    )
    drawn, level = boot.rewards, expanded_level(LEVEL, boot.n_effective)
    one, two = fits[0].rewards, fits[1].rewards
    for name, replicates, truth, at in (
        ("standard", drawn[0], truths[0], one),
        ("weighted", drawn[1], truths[1], two),
        ("shift", drawn[1] - drawn[0], truths[1] - truths[0], two - one),
    ):
        low, high = percentile_interval(replicates, level).T
        out.setdefault(f"{name} percentile", Tally()).add(low, high, truth, at)
        low, high = percentile_interval(replicates, LEVEL).T
        out.setdefault(f"{name} plain", Tally()).add(low, high, truth, at)
    covariance = sandwich_covariance(s.rows, fits[0], clusters=s.clusters)
    assert not isinstance(covariance, NotApplicable)
    low, high = normal_interval(one, np.sqrt(np.diag(covariance)), LEVEL, boot.n_effective).T
    out.setdefault("standard sandwich", Tally()).add(low, high, truths[0], one)
    _win_rates(s, out, rng)


def _win_rates(s: Sample, out: dict[str, Tally], rng: np.random.Generator) -> None:
    p = s.population
    both = Comparisons.of(
        p.n_items, np.r_[p.first, p.second], np.r_[p.second, p.first],
        mass=np.maximum(np.r_[p.p, 1 - p.p], 1e-15),
    )  # fmt: skip
    rates = win_rates(both, s.exact_weights)
    truth = rates.weighted - rates.average
    draws = None if s.draw is None else np.stack([s.draw(rng) for _ in range(200)])
    got = bootstrap_win_rates(
        s.rows, s.weights, weight_draws=draws, clusters=s.clusters,
        n_replicates=WIN_RATE_REPLICATES, confidence_level=LEVEL, rng=rng,
    )  # fmt: skip
    out.setdefault("win-rate shift", Tally()).add(got.shift_low, got.shift_high, truth, got.shift)
