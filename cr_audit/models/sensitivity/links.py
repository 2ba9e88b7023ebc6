"""Links of the general pairwise model, p(i ≻ j) = g(s_i - s_j).

Source: [SP] section 2.2, Assumptions 2 to 5: g is strictly increasing, tends to 0 and 1, has
g(x) + g(-x) = 1 and a continuous derivative. Three links that satisfy them, by the weight of their
tails: normal (probit), logistic (Bradley-Terry) and Cauchy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, logit, ndtr, ndtri

from cr_audit.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Link:
    """g, its inverse on (0, 1), and ln g'; each maps float64 arrays elementwise.

    The logarithm of the derivative, because ratios of derivatives far out in a tail are wanted and
    the derivatives themselves underflow there.
    """

    name: str
    probability: Callable[[FloatArray], FloatArray]
    difference: Callable[[FloatArray], FloatArray]
    log_density: Callable[[FloatArray], FloatArray]

    def density(self, difference: FloatArray) -> FloatArray:
        """g'(x)."""
        out: FloatArray = np.exp(self.log_density(difference))
        return out


def _logistic_log_density(x: FloatArray) -> FloatArray:
    out: FloatArray = log_expit(x) + log_expit(-x)
    return out


def _normal_log_density(x: FloatArray) -> FloatArray:
    out: FloatArray = -0.5 * np.square(x) - 0.5 * np.log(2.0 * np.pi)
    return out


def _cauchy_probability(x: FloatArray) -> FloatArray:
    # arctan2 keeps the small tail: 1/2 + arctan(x)/π would cancel for large -x.
    out: FloatArray = np.arctan2(1.0, -np.asarray(x, dtype=np.float64)) / np.pi
    return out


def _cauchy_difference(p: FloatArray) -> FloatArray:
    q = np.asarray(p, dtype=np.float64)
    out: FloatArray = -1.0 / np.tan(np.pi * q)
    return np.where(q == 0.5, 0.0, out)


def _cauchy_log_density(x: FloatArray) -> FloatArray:
    out: FloatArray = -np.log(np.pi) - np.log1p(np.square(x))
    return out


LOGISTIC = Link("logistic", expit, logit, _logistic_log_density)
PROBIT = Link("probit", ndtr, ndtri, _normal_log_density)
CAUCHY = Link("cauchy", _cauchy_probability, _cauchy_difference, _cauchy_log_density)
LINKS: dict[str, Link] = {link.name: link for link in (LOGISTIC, PROBIT, CAUCHY)}
