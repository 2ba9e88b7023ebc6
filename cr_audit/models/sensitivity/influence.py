"""What the regularised fit on the graph makes of one preference: ∂p̂_ij/∂p_ab, all paths at once.

With z the adjoint of r_i - r_j (``solves``) and s = 1/κ (times the count if counted):

    ∂p̂_ij/∂p_ab = σ'(r_i - r_j) s (w_b z_a - w_a z_b)

It tends to [SP] Eq. 4 on a chain as the penalty vanishes, and never exceeds max(w) s/(2λ): the fit
is less sensitive than the closed form because the penalty holds on. Not in [SP]; METHODS section 7.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.models.rewards.objective import PairTerms
from cr_audit.models.sensitivity.pairwise import from_counts
from cr_audit.models.sensitivity.solves import Adjoints, Method, differences

# Of an iterated solve, where a factorisation would fill memory: influences are read, not fitted.
ACCURACY = 1e-7
# Functionals times pairs held at once.
BLOCK = 4_000_000


class FittedInfluence:
    """Influences on the predictions of one fit, from one factorisation."""

    def __init__(
        self,
        terms: PairTerms,
        weights: FloatArray,
        penalty: float,
        rewards: FloatArray,
        *,
        method: Method | None = None,
    ) -> None:
        """rewards : float64 (m,), those that ``terms``, ``weights`` and ``penalty`` lead to."""
        self.terms = terms
        self.rewards = np.nan_to_num(rewards)
        q = expit(self.rewards[terms.first] - self.rewards[terms.second])
        self._adjoints = Adjoints(
            terms.n_items,
            terms.first,
            terms.second,
            terms.strength * q * (1.0 - q),
            weights,
            penalty,
            method=method,
            accuracy=ACCURACY,
        )

    def predicted(self, i: IntArray, j: IntArray) -> FloatArray:
        """p̂(i ≻ j) = σ(r_i - r_j)."""
        out: FloatArray = expit(self.rewards[i] - self.rewards[j])
        return out

    def of(self, i: IntArray, j: IntArray) -> FloatArray:
        """∂p̂(i ≻ j)/∂p of every observed pair, float64 (f, k)."""
        z = self._adjoints.of(differences(self.terms.n_items, i, j))
        q = self.predicted(i, j)
        out: FloatArray = self._adjoints.push(z)
        out *= (q * (1.0 - q))[:, None]
        out *= self.terms.strength[None, :]
        return out

    def errors(self, i: IntArray, j: IntArray, variance: FloatArray) -> FloatArray:
        """Standard error of p̂(i ≻ j) if the observed shares vary independently; float64 (f,).

        variance : float64 (k,), of each pair's share, e.g. ``share_variance``.
        """
        out = np.empty(i.shape[0])
        step = max(1, BLOCK // max(1, self.terms.first.shape[0]))
        for a in range(0, i.shape[0], step):
            s = slice(a, a + step)
            out[s] = np.sqrt((self.of(i[s], j[s]) ** 2) @ variance)
        return out


def share_variance(won: FloatArray, n: FloatArray) -> FloatArray:
    """p̃(1 - p̃)/n with p̃ = (won + ½)/(n + 1): never 0, whatever a few votes agreed on."""
    p = from_counts(won, n)
    out: FloatArray = p * (1.0 - p) / np.maximum(n, 1e-300)
    return out
