"""Quantiles and tails of the distributions that every scan needs, by scipy's special functions.

``scipy.stats`` gives the same numbers by the same functions, and takes 0.8 s to import, a third of
a scan of a small file; so what is on the way of every command comes from here, under its names.
"""

from __future__ import annotations

from typing import Any

from scipy.special import chdtrc, chdtri, ndtr, ndtri, stdtr, stdtrit


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


norm, t, chi2 = _Normal(), _Student(), _ChiSquared()
