"""A mixture of logits: each list was judged by one of a few classes of annotators.

    P(i | list) = Σ_c π_c exp(x_i b_c) / Σ_j exp(x_j b_c)

Fitted by EM from several random starts; all lists of one unit share their class. With two classes
of opposite taste this is the soft version of the dichotomy model ([IIA] Eq. 4), so where it
predicts held-out choices better than a logit, the violation of IIA matters for prediction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.models.listwise.designs import ChoiceDesign, list_sums, log_probabilities
from cr_audit.models.listwise.logit import LogitStatus, fit_logit

N_STARTS = 5
FIRST_ROUNDS = 15
N_FINALISTS = 2
MAX_ROUNDS = 100
MAX_HALVINGS = 20
TOLERANCE = 1e-6
# A ridge in the M step, in lists: a class of few lists would run to infinity.
RIDGE = 0.5
START_SPREAD = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class MixtureFit:
    """shares : float64 (c,), descending. coefficients : float64 (c, p). log_likelihood : of the
    mixture without the ridge. reached : the penalised value
    from each start, best first (the last ones after FIRST_ROUNDS). rounds : of the best.
    """

    shares: FloatArray
    coefficients: FloatArray
    log_likelihood: float
    reached: tuple[float, ...]
    rounds: int
    converged: bool
    n_lists: int


def fit_mixture(
    design: ChoiceDesign,
    *,
    n_classes: int = 2,
    n_starts: int = N_STARTS,
    rng: np.random.Generator,
) -> MixtureFit | NotApplicable:
    """EM from ``n_starts`` random starts around the logit; the best penalised value is kept.

    The penalty RIDGE · |b − b_logit|² (columns scaled) keeps classes of a few lists finite; it is
    not in ``log_likelihood``. NotApplicable where the logit has no maximum.
    """
    base = fit_logit(design)
    if base.status is not LogitStatus.CONVERGED or not base.identified.any():
        return NotApplicable("the multinomial logit has no maximum on these lists")
    keep = base.identified
    x = design.columns[:, keep]
    scale = x.std(axis=0)
    scale[scale == 0] = 1.0
    scaled = replace(design, columns=x / scale)
    centre = base.coefficients[keep] * scale
    _, unit = np.unique(design.unit, return_inverse=True)
    units = unit.astype(np.int64)
    climbs = []
    for _ in range(n_starts):
        start = centre + rng.normal(0.0, START_SPREAD, (n_classes, centre.size))
        climbs.append(_Climb(scaled, units, centre, start))
        climbs[-1].advance(FIRST_ROUNDS)
    # The starts that lead after a few rounds are climbed to the end; EM's last steps are the many.
    climbs.sort(key=lambda c: -c.state.value)
    for climb in climbs[:N_FINALISTS]:
        climb.advance(MAX_ROUNDS)
    best = max(climbs[:N_FINALISTS], key=lambda c: c.state.value)
    shares, coefficients = best.state.shares, best.state.b
    reached = [c.state.value for c in climbs]
    rounds, converged = best.rounds, best.converged
    order = np.argsort(-shares, kind="stable")
    wide = np.full((n_classes, keep.size), np.nan)
    wide[:, keep] = coefficients[order] / scale
    out = MixtureFit(shares[order], wide, 0.0, tuple(reached), rounds, converged, design.n)
    return replace(out, log_likelihood=mixture_log_likelihood(design, out))


def mixture_log_likelihood(design: ChoiceDesign, fit: MixtureFit) -> float:
    """Σ over units of log Σ_c π_c Π P(chosen | c), lists of one unit sharing their class."""
    _, unit = np.unique(design.unit, return_inverse=True)
    each = _class_log(design, np.nan_to_num(fit.coefficients), unit.astype(np.int64))
    return float(logsumexp(each + np.log(fit.shares), axis=1).sum())


def mixture_log_likelihoods(design: ChoiceDesign, fit: MixtureFit) -> FloatArray:
    """log P of what was chosen of each list by itself, float64 (n,): classes not carried over."""
    n = np.arange(design.n, dtype=np.int64)
    plain = replace(design, mass=np.ones(design.n))
    each = _class_log(plain, np.nan_to_num(fit.coefficients), n)
    out: FloatArray = logsumexp(each + np.log(fit.shares), axis=1)
    return out


def _class_log(design: ChoiceDesign, coefficients: FloatArray, unit: IntArray) -> FloatArray:
    """float64 (units, classes): Σ over the unit's lists of mass · log P under each class."""
    return _summed(design, [_row_log(design, b) for b in coefficients], unit)


def _row_log(design: ChoiceDesign, b: FloatArray) -> FloatArray:
    utility = np.einsum("kp,p->k", design.columns, b) + design.offset
    return log_probabilities(utility, design.offsets)


def _summed(design: ChoiceDesign, rows: list[FloatArray], unit: IntArray) -> FloatArray:
    out = np.empty((int(unit.max(initial=-1)) + 1, len(rows)))
    for c, log_p in enumerate(rows):
        each = design.mass * list_sums(design.share * log_p, design.offsets)
        out[:, c] = np.bincount(unit, weights=each, minlength=out.shape[0])
    return out


@dataclass(slots=True)
class _State:
    """Where a climb stands: value is penalised; rows are log P under each class; part : float64
    (units, classes), how much of each unit belongs to each class."""

    b: FloatArray
    shares: FloatArray
    value: float
    rows: list[FloatArray]
    part: FloatArray


class _Climb:
    """Generalised EM: one Newton step per class and round, halved together until the value rises.

    log P of the rows is computed once per class and round; E and M steps share it.
    """

    def __init__(
        self, design: ChoiceDesign, unit: IntArray, centre: FloatArray, start: FloatArray
    ) -> None:
        self.design, self.unit, self.centre = design, unit, centre
        n_classes = start.shape[0]
        self.state = self._at(start, np.full(n_classes, 1.0 / n_classes))
        self.rounds, self.converged = 0, False

    def _at(self, b: FloatArray, shares: FloatArray) -> _State:
        rows = [_row_log(self.design, v) for v in b]
        joint = _summed(self.design, rows, self.unit) + np.log(shares)
        total = logsumexp(joint, axis=1)
        value = float(total.sum()) - RIDGE * float(((b - self.centre) ** 2).sum())
        return _State(b, shares, value, rows, np.exp(joint - total[:, None]))

    def advance(self, n_rounds: int) -> None:
        for _ in range(n_rounds):
            if self.converged:
                return
            self._round()

    def _round(self) -> None:
        now = self.state
        shares = np.maximum(now.part.mean(axis=0), 1e-6)
        shares = shares / shares.sum()
        step = np.stack([self._step(c) for c in range(now.b.shape[0])])
        length = 1.0
        for _ in range(MAX_HALVINGS):
            new = self._at(now.b + length * step, shares)
            if new.value >= now.value:
                break
            length /= 2
        else:
            self.converged = True
            return
        self.rounds += 1
        self.converged = new.value - now.value <= TOLERANCE * max(abs(new.value), 1.0)
        self.state = new

    def _step(self, c: int) -> FloatArray:
        """Newton's step of Σ part · log P − RIDGE |b − centre|² for one class."""
        d, now = self.design, self.state
        mass = d.mass * now.part[self.unit, c]
        row_mass = np.repeat(mass, d.sizes)
        prob = np.exp(now.rows[c])
        x = d.columns
        away = now.b[c] - self.centre
        gradient = np.einsum("kp,k->p", x, row_mass * (d.share - prob)) - 2 * RIDGE * away
        mean = list_sums(x * prob[:, None], d.offsets)
        hessian = np.einsum("ki,k,kj->ij", x, row_mass * prob, x)
        hessian = hessian - np.einsum("si,s,sj->ij", mean, mass, mean)
        ridge = 2 * RIDGE * np.eye(away.size)
        out: FloatArray = np.linalg.solve(hessian + ridge, gradient)
        return out
