"""Quantiles and tails of the distributions that every scan needs, by scipy's special functions.

``scipy.stats`` gives the same numbers by the same functions, and takes 0.8 s to import, a third of
a scan of a small file; so what is on the way of every command comes from here, under its names.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import betainc, chdtrc, chdtri, ndtr, ndtri, stdtr, stdtrit


class _Normal:
    """The standard normal distribution."""

    @staticmethod
    def ppf(q: Any) -> Any:
        """x with P(X <= x) = q; float64 of the shape of q."""
        return ndtri(q)

    @staticmethod
    def sf(x: Any) -> Any:
        """P(X > x)."""
        return ndtr(-x)

    @staticmethod
    def isf(q: Any) -> Any:
        """x with P(X > x) = q."""
        return -ndtri(q)


class _Student:
    """Student's t with ``df`` degrees of freedom, any number above 0."""

    @staticmethod
    def ppf(q: Any, df: Any) -> Any:
        """x with P(X <= x) = q."""
        return stdtrit(df, q)

    @staticmethod
    def sf(x: Any, df: Any) -> Any:
        """P(X > x)."""
        return stdtr(df, -x)

    @staticmethod
    def isf(q: Any, df: Any) -> Any:
        """x with P(X > x) = q."""
        return -stdtrit(df, q)


class _ChiSquared:
    """Chi-squared with ``df`` degrees of freedom."""

    @staticmethod
    def ppf(q: Any, df: Any) -> Any:
        """x with P(X <= x) = q."""
        return chdtri(df, 1.0 - q)

    @staticmethod
    def sf(x: Any, df: Any) -> Any:
        """P(X > x); 1 below 0."""
        return chdtrc(df, x)


class _Binomial:
    """Binomial: n draws, each a hit with probability p."""

    @staticmethod
    def sf(k: Any, n: Any, p: Any) -> Any:
        """P(X > k) = I_p(k + 1, n - k); 1 below 0, 0 from n."""
        k, n, p = np.broadcast_arrays(np.floor(k), n, p)
        inside = (k >= 0) & (k < n)
        tail = betainc(np.where(inside, k + 1.0, 1.0), np.where(inside, n - k, 1.0), p)
        return np.where(inside, tail, np.where(k < 0, 1.0, 0.0))[()]


class _Hypergeometric:
    """Hypergeometric: ``drawn`` of ``total`` without putting back, ``marked`` of which are hits."""

    @staticmethod
    def sf(k: Any, total: Any, marked: Any, drawn: Any) -> Any:
        """P(X > k): the ratios of neighbouring probabilities, multiplied from the most likely one,
        over their sum. Memory: one number per result and possible number of hits."""
        k, total, marked, drawn = (
            np.asarray(x, np.float64)[..., None]
            for x in np.broadcast_arrays(np.floor(k), total, marked, drawn)
        )
        low, high = np.maximum(0.0, marked + drawn - total), np.minimum(marked, drawn)
        hits = np.arange(int(high.max(initial=0.0)) + 1.0)
        to = hits[1:]  # from one hit less
        possible = (to > low) & (to <= high)
        up = np.where(possible, (marked - to + 1.0) * (drawn - to + 1.0), 1.0)
        down = np.where(possible, to * (total - marked - drawn + to), 1.0)
        log = np.zeros((*possible.shape[:-1], hits.size))
        np.cumsum(np.log(up / down), axis=-1, out=log[..., 1:])
        log = np.where((hits >= low) & (hits <= high), log, -np.inf)
        weight = np.exp(log - log.max(axis=-1, keepdims=True))
        tail = np.where(hits > k, weight, 0.0).sum(axis=-1) / weight.sum(axis=-1)
        return tail[()]


norm, t, chi2 = _Normal(), _Student(), _ChiSquared()
binom, hypergeom = _Binomial(), _Hypergeometric()
