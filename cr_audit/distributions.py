"""Tails and quantiles of three distributions, as ``scipy.stats`` computes them and by its names.

Importing ``scipy.stats`` takes longer than a whole scan of a small set; what is needed of it are
these functions of ``scipy.special``. Tests hold every one to ``scipy.stats``, bit for bit.
Arguments broadcast; results are float64.
"""

from __future__ import annotations

from typing import Any

from scipy.special import chdtrc, gammaincinv, ndtr, ndtri, stdtr, stdtrit


class norm:
    """The standard normal distribution."""

    @staticmethod
    def sf(x: Any) -> Any:
        """P(X > x)."""
        return ndtr(-x)

    @staticmethod
    def ppf(q: Any) -> Any:
        """x with P(X <= x) = q."""
        return ndtri(q)

    @staticmethod
    def isf(q: Any) -> Any:
        """x with P(X > x) = q."""
        return -ndtri(q)


class t:
    """Student's t with ``df`` degrees of freedom, a positive number."""

    @staticmethod
    def sf(x: Any, df: Any) -> Any:
        """P(X > x)."""
        return stdtr(df, -x)

    @staticmethod
    def ppf(q: Any, df: Any) -> Any:
        """x with P(X <= x) = q."""
        return stdtrit(df, q)

    @staticmethod
    def isf(q: Any, df: Any) -> Any:
        """x with P(X > x) = q."""
        return -stdtrit(df, q)


class chi2:
    """Chi-square with ``df`` degrees of freedom, a positive number."""

    @staticmethod
    def sf(x: Any, df: Any) -> Any:
        """P(X > x)."""
        return chdtrc(df, x)

    @staticmethod
    def ppf(q: Any, df: Any) -> Any:
        """x with P(X <= x) = q."""
        return 2.0 * gammaincinv(df / 2.0, q)
