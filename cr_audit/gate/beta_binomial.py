"""How often something happens in groups that differ, and whether a batch's count is larger.

The chance p of a group (a pair's of being judged one way, a prompt's of holding near-copies) is
Beta(a, b) distributed over groups. The baseline saw it happen k times of n in each group, so the
next c draws of that group are beta-binomial with parameters a + k and b + n - k. a and b are not
known: the likelihood of the baseline, prod B(a + k, b + n - k) / B(a, b), weighs a grid of them.
A baseline that tells little leaves much possible, and then few counts are too large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.distributions import norm

_POSSIBLE = 1e-6
"""Pairs (a, b) that are less likely than this once the baseline is seen are left out."""
_EXACT = 20_000
"""Draws up to which the distribution of their sum is exact; above it is normal."""


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """a, b : float64 (g,), what the baseline leaves possible; likely : how likely, sum 1."""

    a: FloatArray
    b: FloatArray
    likely: FloatArray

    @classmethod
    def of(cls, k: IntArray, n: IntArray, a: FloatArray, b: FloatArray) -> Groups:
        """k of n in every group of the baseline; a, b : the grid, its points equally likely."""
        counts, times = _distinct(k, n)
        log = np.zeros(a.size)
        if times.size:
            k, n = counts.T
            log = (betaln(a[:, None] + k, b[:, None] + n - k) - betaln(a, b)[:, None]) @ times
        likely = np.exp(log - log.max())
        likely /= likely.sum()
        kept = likely > _POSSIBLE
        return cls(a[kept], b[kept], likely[kept] / likely[kept].sum())

    def expected(self, k: IntArray, n: IntArray, c: IntArray) -> float:
        """Mean of the sum over groups in which c more are drawn after k of n."""
        counts, times = _distinct(k, n, c)
        k, n, c = counts.T
        mean = (self.a[:, None] + k) / (self.a[:, None] + self.b[:, None] + n)
        return float(self.likely @ (mean @ (times * c)))

    def means(self, k: IntArray, n: IntArray) -> FloatArray:
        """Chance that the next draw of each group counts, after k of n: float64 (g,)."""
        counts, back = np.unique(np.column_stack([k, n]), axis=0, return_inverse=True)
        k, n = counts.T
        mean = (self.a[:, None] + k) / (self.a[:, None] + self.b[:, None] + n)
        out: FloatArray = (self.likely @ mean)[back.reshape(-1)]
        return out

    def p_value(self, k: IntArray, n: IntArray, c: IntArray, at_least: int) -> float:
        """Probability that the sum over groups is ``at_least`` so large."""
        counts, times = _distinct(k, n, c)
        tails = [
            tail(a + counts[:, 0], b + counts[:, 1] - counts[:, 0], counts[:, 2], times, at_least)
            for a, b in zip(self.a.tolist(), self.b.tolist(), strict=True)
        ]
        return min(float(self.likely @ tails), 1.0)


def tail(a: FloatArray, b: FloatArray, c: IntArray, times: IntArray, at_least: int) -> float:
    """P(sum >= at_least) of independent beta-binomials of c draws, ``times`` of each.

    Exact by the product of characteristic functions up to ``_EXACT`` draws in all, normal with a
    continuity correction above.
    """
    n = int((c * times).sum())
    if at_least <= 0:
        return 1.0
    if n > _EXACT:
        p = a / (a + b)
        variance = times @ (c * p * (1.0 - p) * (1.0 + (c - 1) / (a + b + 1.0)))
        return float(norm.sf((at_least - 0.5 - (times * c) @ p) / np.sqrt(variance)))
    product = np.ones((n + 1) // 2 + 1, dtype=np.complex128)
    for size in np.unique(c).tolist():
        some = c == size
        j = np.arange(size + 1)
        log = gammaln(size + 1) - gammaln(j + 1) - gammaln(size - j + 1)
        first, second = a[some, None], b[some, None]
        chances = np.exp(log + betaln(first + j, second + size - j) - betaln(first, second))
        for chance, power in zip(chances, times[some], strict=True):
            product *= np.fft.rfft(chance, n + 1) ** power
    chance_of = np.fft.irfft(product, n + 1)
    return float(np.clip(chance_of[at_least:].sum(), 0.0, 1.0))


def _distinct(*columns: IntArray) -> tuple[IntArray, IntArray]:
    """Rows that differ (r, columns), and how often each stands there."""
    rows, times = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return rows.astype(np.int64), times.astype(np.int64)
