"""What the regularised fit on the graph makes of one preference: ∂p̂_ij/∂p_ab, all paths at once.

With z the adjoint of r_i - r_j (``solves``) and s = 1/κ (times the count if counted):

    ∂p̂_ij/∂p_ab = σ'(r_i - r_j) s (w_b z_a - w_a z_b)

M is this derivative in the fit, and the standard error that the votes give p̂_ij is M times that of
each preference, in quadrature: √Σ (M_ab se_ab)². It tends to [SP] Eq. 4 on a chain as the penalty
vanishes, and never exceeds max(w) s/(2λ): the fit is less sensitive than the closed form because
the penalty holds on. Not in [SP]; METHODS section 7.
"""

from __future__ import annotations

from collections.abc import Callable

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
# Draws behind a rough error: relative standard error 1/√(2 N) = 9 %, enough to say which of
# thousands of predictions are worth an exact one.
N_PROBES = 64


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
        self._adjoints = Adjoints.at(terms, q, weights, penalty, method=method, accuracy=ACCURACY)

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

    def rough_errors(
        self, variance: FloatArray, rng: np.random.Generator, *, n_probes: int = N_PROBES
    ) -> Callable[[IntArray, IntArray], FloatArray]:
        """``errors`` for any number of pairs, to about 9 %: the spread of p̂(i ≻ j) over moves of
        the rewards that random errors of the shares lead to. One solve per probe, none per pair.

        variance : as in ``errors``. Weights must be positive.
        """
        t = self.terms
        if not np.all(self._adjoints.weights > 0):
            raise ValueError("rough errors need positive weights")
        drawn = rng.standard_normal((n_probes, t.first.shape[0])) * (t.strength * np.sqrt(variance))
        moves = np.ascontiguousarray(self._adjoints.moves(self._adjoints.pull(drawn)).T)

        def errors(i: IntArray, j: IntArray) -> FloatArray:
            out = np.empty(i.shape[0])
            step = max(1, BLOCK // n_probes)
            for a in range(0, i.shape[0], step):
                s = slice(a, a + step)
                out[s] = np.sqrt(((moves[i[s]] - moves[j[s]]) ** 2).mean(axis=1))
            q = self.predicted(i, j)
            out *= q * (1.0 - q)
            return out

        return errors


def share_variance(won: FloatArray, n: FloatArray) -> FloatArray:
    """p̃(1 - p̃)/n with p̃ = (won + ½)/(n + 1): never 0, whatever a few votes agreed on."""
    p = from_counts(won, n)
    out: FloatArray = p * (1.0 - p) / np.maximum(n, 1e-300)
    return out
