"""Nested logit, tested by likelihood ratio against λ = 1 (the multinomial logit).

Within list s, nest g holds some of the members; with utilities V and one λ > 0 per kind of nest

    I_g = log Σ_{j in g} exp(V_j / λ),     P(i) = exp(V_i/λ − I_g) · exp(λ I_g) / Σ_h exp(λ I_h)

(McFadden's scaling: a member alone in its nest keeps the utility V whatever λ is.) λ = 1 is the
multinomial logit; 0 < λ < 1 says that members of a nest compete with each other first, as clones
do; λ → 0 is the dichotomy model of [IIA]; λ > 1 is outside the random-utility range for all data.

The likelihood is not concave in (V, λ): it is climbed from several λ, the best is kept and its
gradient shown. Source: McFadden (1978); Daly and Zachary (1978) for the range of λ.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.engine.tails import chi2
from cr_audit.models.listwise.designs import (
    ChoiceDesign,
    centred,
    collapsed,
    identified_columns,
    list_sums,
)
from cr_audit.models.listwise.logit import LogitFit, LogitStatus, fit_logit, sandwich

STARTS = (1.0, 0.5, 0.15, 2.0)
LAMBDA_RANGE = (1e-3, 1e3)
# log λ within this of a bound is "at the bound": no maximum inside.
NEAR_BOUND = 0.1
# A flat likelihood at |log λ| beyond this is a limit (λ below 0.14 or above 7).
FAR_OUT = 2.0
MAX_POLISH = 8
# Steps from every start, and of the best one to the end.
FIRST_STEPS = 40
LAST_STEPS = 400
DIFFERENCE = 1e-5


class LambdaFlag(StrEnum):
    """INSIDE : 0 < λ <= 1. ABOVE_ONE : outside the random-utility range. AT_ZERO, UNBOUNDED : no
    maximum inside, the likelihood still rises towards 0 or infinity. FLAT : no list tells."""

    INSIDE = "inside"
    ABOVE_ONE = "above-one"
    AT_ZERO = "at-zero"
    UNBOUNDED = "unbounded"
    FLAT = "flat"


@dataclass(frozen=True, slots=True, eq=False)
class NestedFit:
    """A nested logit.

    coefficients : float64 (p,), NaN where not identified. lambdas : float64 (l,), one per kind of
    nest; flags : one per λ. errors, robust_errors : float64 (p + l,), NaN where the λ is not
    inside. log_likelihood, logit_log_likelihood : at the maximum and at λ = 1.
    gradient_norm : largest entry of the gradient of the mean log-likelihood at the end.
    starts : the log-likelihood reached from each start, in the order of ``STARTS``.
    """

    coefficients: FloatArray
    identified: BoolArray
    lambdas: FloatArray
    flags: tuple[LambdaFlag, ...]
    errors: FloatArray
    robust_errors: FloatArray
    log_likelihood: float
    logit_log_likelihood: float
    gradient_norm: float
    starts: tuple[float, ...]
    n_lists: int
    converged: bool

    @property
    def likelihood_ratio(self) -> float:
        """2 (log L − log L at λ = 1), >= 0."""
        return max(2.0 * (self.log_likelihood - self.logit_log_likelihood), 0.0)

    @property
    def degrees_of_freedom(self) -> int:
        """Free dissimilarity parameters: one a nest whose own is identified."""
        return sum(flag is not LambdaFlag.FLAT for flag in self.flags)

    @property
    def p_value(self) -> float:
        """λ = 1 is inside (0, ∞), so the ratio is chi-squared without a mixture."""
        return float(chi2.sf(self.likelihood_ratio, max(self.degrees_of_freedom, 1)))


@dataclass(frozen=True, slots=True, eq=False)
class _Nests:
    """Rows sorted so that nests are contiguous. order : rows; row_starts : first row of each nest;
    nest_of : nest of each sorted row; list_starts : first nest of each list; kind : λ of a nest."""

    order: IntArray
    row_starts: IntArray
    nest_of: IntArray
    list_starts: IntArray
    list_of: IntArray
    kind: IntArray
    n_kinds: int


def fit_nested(
    design: ChoiceDesign,
    nests: IntArray,
    *,
    kinds: IntArray | None = None,
    logit: LogitFit | None = None,
) -> NestedFit | NotApplicable:
    """Nested logit by maximum likelihood.

    nests : int64 (k,), the nest of each row; rows of one list with one number share a nest, -1 is
    a nest of its own. kinds : int64 (number of nests,), which λ each nest number has; None: one λ.
    logit : the fit of the same design at λ = 1, if there is one already.

    NotApplicable where no list has a nest of two or more beside another nest, or where the logit
    itself has no maximum.
    """
    base = fit_logit(design) if logit is None else logit
    if base.status is not LogitStatus.CONVERGED:
        return NotApplicable("the multinomial logit has no maximum on these lists")
    structure = _structure(design, nests, kinds)
    telling = _telling(structure)
    if not telling.any():
        return NotApplicable("no list offers two members of one nest beside another nest")
    keep = identified_columns(design)
    x = centred(design.columns[:, keep], design.offsets)[structure.order]
    root = _whitening(base, keep)
    problem = _Problem(design, structure, np.einsum("kp,pq->kq", x, root), telling)
    few = _few(design, nests, kinds, keep, root, telling)
    start = np.asarray(np.linalg.solve(root, base.coefficients[keep]), dtype=np.float64)
    best, reached = few.climb(start)
    theta, gradient, information = few.polished(best)
    scores = problem.scores(theta)
    q = x.shape[1]
    log_lambda = np.zeros(structure.n_kinds)
    log_lambda[telling] = theta[q:]
    told = telling.copy()
    unseen = telling.copy()
    unseen[telling] = _unseen(information, q, float(design.mass.sum()))
    # Towards 0 and towards infinity the likelihood is flat as well; that is a limit, not silence.
    told[telling] = ~(unseen[telling] & (np.abs(theta[q:]) < FAR_OUT))
    flags = tuple(
        _flag(v, bool(t), bool(u)) for v, t, u in zip(log_lambda, told, unseen, strict=True)
    )
    seen = tuple(f for f, t in zip(flags, telling, strict=True) if t)
    errors, robust = _errors(problem, theta, information, scores, seen, root)
    coefficients = np.full(design.n_columns, np.nan)
    coefficients[keep] = np.einsum("pq,q->p", root, theta[:q])
    total = max(float(design.mass.sum()), 1e-300)
    return NestedFit(
        coefficients=coefficients,
        identified=keep,
        lambdas=np.where(told, np.exp(log_lambda), np.nan),
        flags=flags,
        errors=_placed(errors, keep, telling),
        robust_errors=_placed(robust, keep, telling),
        log_likelihood=-problem.negative(theta)[0],
        logit_log_likelihood=base.log_likelihood,
        gradient_norm=float(np.abs(gradient).max(initial=0.0)) / total,
        starts=tuple(reached),
        n_lists=design.n,
        converged=bool(np.abs(gradient).max(initial=0.0) <= 1e-5 * total),
    )


def nested_log_likelihoods(
    design: ChoiceDesign,
    nests: IntArray,
    coefficients: FloatArray,
    lambdas: FloatArray,
    *,
    kinds: IntArray | None = None,
) -> FloatArray:
    """log P of what was chosen of each list, float64 (n,), without its mass; λ of NaN counts as 1.

    For lists that were held out. A chosen set of several counts by its shares.
    """
    structure = _structure(design, nests, kinds)
    lam = np.nan_to_num(lambdas, nan=1.0)[structure.kind]
    utility = np.einsum("kp,p->k", design.columns, np.nan_to_num(coefficients)) + design.offset
    log_p = _log_probabilities(utility[structure.order], lam, structure)[0]
    rows = np.empty_like(log_p)
    rows[structure.order] = log_p
    return list_sums(design.share * rows, design.offsets)


def _structure(design: ChoiceDesign, nests: IntArray, kinds: IntArray | None) -> _Nests:
    k = design.offsets[-1]
    if nests.shape != (k,):
        raise ValueError(f"nests have shape {nests.shape}, expected ({k},)")
    owner = design.owner
    alone = nests < 0
    own = np.where(alone, nests.max(initial=-1) + 1 + np.arange(k), nests)
    order = np.lexsort((own, owner))
    changed = (np.diff(owner[order]) != 0) | (np.diff(own[order]) != 0)
    row_starts = np.concatenate([[0], np.flatnonzero(changed) + 1]).astype(np.int64)
    first = order[row_starts]
    list_of = owner[first]
    table = np.zeros(int(nests.max(initial=0)) + 1, np.int64) if kinds is None else kinds
    kind = np.where(nests[first] < 0, 0, table[np.maximum(nests[first], 0)])
    return _Nests(
        order=order.astype(np.int64),
        row_starts=row_starts,
        nest_of=np.repeat(np.arange(row_starts.size), np.diff(np.append(row_starts, k))),
        list_starts=np.searchsorted(list_of, np.arange(design.n)).astype(np.int64),
        list_of=list_of,
        kind=kind.astype(np.int64),
        n_kinds=int(table.max(initial=0)) + 1,
    )


def _telling(s: _Nests) -> BoolArray:
    """bool (n_kinds,): some list has a nest of this kind with two members, and another nest."""
    sizes = np.bincount(s.nest_of)
    nests_in_list = np.bincount(s.list_of)[s.list_of]
    hit = (sizes > 1) & (nests_in_list > 1)
    return np.bincount(s.kind[hit], minlength=s.n_kinds) > 0


def _log_probabilities(
    utility: FloatArray, lam: FloatArray, s: _Nests
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """log P and P(i | nest) of sorted rows; P(nest) and inclusive values of nests."""
    scaled = utility / lam[s.nest_of]
    top = np.maximum.reduceat(scaled, s.row_starts)
    weight = np.exp(scaled - top[s.nest_of])
    inclusive = np.log(np.add.reduceat(weight, s.row_starts)) + top
    within = scaled - inclusive[s.nest_of]
    upper = lam * inclusive
    high = np.maximum.reduceat(upper, s.list_starts)
    total = np.log(np.add.reduceat(np.exp(upper - high[s.list_of]), s.list_starts)) + high
    log_nest = upper - total[s.list_of]
    return within + log_nest[s.nest_of], np.exp(within), np.exp(log_nest), inclusive


class _Problem:
    """The negative log-likelihood over (whitened coefficients, log λ of the kinds that tell)."""

    def __init__(
        self, design: ChoiceDesign, structure: _Nests, x: FloatArray, telling: BoolArray
    ) -> None:
        self.structure, self.x, self.telling = structure, x, telling
        self.share = design.share[structure.order]
        self.offset = design.offset[structure.order]
        self.mass, self.unit = design.mass, design.unit
        self.row_list = structure.list_of[structure.nest_of]
        self.q = x.shape[1]

    def _lambda(self, theta: FloatArray) -> FloatArray:
        log_lambda = np.zeros(self.structure.n_kinds)
        log_lambda[self.telling] = theta[self.q :]
        out: FloatArray = np.exp(log_lambda)[self.structure.kind]
        return out

    def rows(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """log P of rows, d log L / dV of rows, and d log L / d log λ of nests, mass left out."""
        s = self.structure
        lam = self._lambda(theta)
        utility = np.einsum("kp,p->k", self.x, theta[: self.q]) + self.offset
        log_p, within, nest, inclusive = _log_probabilities(utility, lam, s)
        chosen = np.add.reduceat(self.share, s.row_starts)  # share chosen in each nest
        inner = np.add.reduceat(within * utility, s.row_starts)
        spread = (1.0 - 1.0 / lam) * chosen - nest
        d_utility = self.share / lam[s.nest_of] + within * spread[s.nest_of]
        picked = np.add.reduceat(self.share * utility, s.row_starts)
        tilt = inclusive - inner / lam
        d_lambda = (chosen * inner - picked) / lam**2 + (chosen - nest) * tilt
        return log_p, d_utility, d_lambda * lam

    def negative(self, theta: FloatArray) -> tuple[float, FloatArray]:
        s = self.structure
        log_p, d_utility, d_lambda = self.rows(theta)
        mass = self.mass[self.row_list]
        value = -float((mass * self.share * log_p).sum())
        beta = np.einsum("kp,k->p", self.x, mass * d_utility)
        kinds = np.bincount(s.kind, weights=self.mass[s.list_of] * d_lambda, minlength=s.n_kinds)
        return value, -np.concatenate([beta, kinds[self.telling]])

    def scores(self, theta: FloatArray) -> FloatArray:
        """float64 (n, parameters): the gradient of each list's log-likelihood times its mass."""
        s = self.structure
        _, d_utility, d_lambda = self.rows(theta)
        n = self.mass.shape[0]
        out = np.zeros((n, theta.size))
        for j in range(self.q):
            out[:, j] = np.bincount(self.row_list, self.x[:, j] * d_utility, minlength=n)
        for j, kind in enumerate(np.flatnonzero(self.telling)):
            of = s.kind == kind
            out[:, self.q + j] = np.bincount(s.list_of[of], d_lambda[of], minlength=n)
        return out * self.mass[:, None]

    def climb(self, start: FloatArray) -> tuple[FloatArray, list[float]]:
        """The best of the climbs from every start, and what each reached."""
        n_lambda = int(self.telling.sum())
        low, high = np.log(LAMBDA_RANGE)
        bounds: list[tuple[float | None, float | None]] = [(None, None)] * self.q
        bounds += [(float(low), float(high))] * n_lambda
        total = max(float(self.mass.sum()), 1e-300)
        best, best_value, reached = start, np.inf, []
        for lam in STARTS:
            theta = np.concatenate([start * min(lam, 1.0), np.full(n_lambda, np.log(lam))])
            theta, value = self._lower(theta, bounds, FIRST_STEPS)
            reached.append(-value * total)
            if value < best_value:
                best, best_value = theta, value
        best, value = self._lower(best, bounds, LAST_STEPS)
        reached[int(np.argmax(reached))] = -value * total
        return best, reached

    def _lower(
        self, theta: FloatArray, bounds: list[tuple[float | None, float | None]], steps: int
    ) -> tuple[FloatArray, float]:
        total = max(float(self.mass.sum()), 1e-300)
        from scipy.optimize import minimize

        found = minimize(  # type: ignore[call-overload]
            lambda t: _over(self.negative(t), total),
            theta,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": steps, "ftol": 1e-13, "gtol": 1e-8},
        )
        return np.asarray(found.x, dtype=np.float64), float(found.fun)

    def polished(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Newton steps to the end; the gradient there and the information.

        A λ at a bound stays there; its row and column of the information are not used.
        """
        low, high = np.log(LAMBDA_RANGE)
        free = np.ones(theta.size, dtype=np.bool_)
        at = theta[self.q :]
        free[self.q :] = (at > low + NEAR_BOUND) & (at < high - NEAR_BOUND)
        total = max(float(self.mass.sum()), 1e-300)
        value, gradient = self.negative(theta)
        information = self._information(theta)
        for _ in range(MAX_POLISH):
            if np.abs(gradient[free]).max(initial=0.0) <= 1e-9 * total:
                break
            part = information[np.ix_(free, free)]
            try:
                step = np.linalg.solve(part, gradient[free])
            except np.linalg.LinAlgError:
                break
            trial = theta.copy()
            trial[free] -= step
            new_value, new_gradient = self.negative(trial)
            better = np.abs(new_gradient[free]).max() < np.abs(gradient[free]).max()
            if not (np.isfinite(new_value) and new_value <= value + 1e-9 * abs(value) and better):
                break
            theta, value, gradient = trial, new_value, new_gradient
            information = self._information(theta)
        return theta, np.where(free, gradient, 0.0), information

    def _information(self, theta: FloatArray) -> FloatArray:
        """Hessian of the negative log-likelihood by central differences of its gradient."""
        p = theta.size
        out = np.empty((p, p))
        for j in range(p):
            step = np.zeros(p)
            step[j] = DIFFERENCE * max(abs(theta[j]), 1.0)
            difference = self.negative(theta + step)[1] - self.negative(theta - step)[1]
            out[:, j] = difference / (2 * step[j])
        return (out + out.T) / 2


def _few(
    design: ChoiceDesign,
    nests: IntArray,
    kinds: IntArray | None,
    keep: BoolArray,
    root: FloatArray,
    telling: BoolArray,
) -> _Problem:
    """The same problem with equal lists taken together: where the climb starts from."""
    few, labels = collapsed(design, nests)
    structure = _structure(few, labels, kinds)
    x = centred(few.columns[:, keep], few.offsets)[structure.order]
    return _Problem(few, structure, np.einsum("kp,pq->kq", x, root), telling)


def _over(pair: tuple[float, FloatArray], total: float) -> tuple[float, FloatArray]:
    return pair[0] / total, pair[1] / total


def _whitening(base: LogitFit, keep: BoolArray) -> FloatArray:
    """float64 (q, q) R with coefficients = R z, z of unit scale: R R' = n · covariance."""
    covariance = base.covariance[np.ix_(keep, keep)] * max(base.n_lists, 1)
    if covariance.size == 0:
        return covariance
    return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)


def _unseen(information: FloatArray, q: int, total: float) -> BoolArray:
    """bool (λs,): the coefficients can undo any change of this λ (the same lists, constants alone).

    What is left of its information beside the coefficients is below 10⁻⁶ a list.
    """
    own, cross = information[q:, q:], information[:q, q:]
    inner = information[:q, :q]
    left = own - cross.T @ np.linalg.pinv(inner) @ cross if q else own
    out: BoolArray = np.diagonal(left) < 1e-6 * total
    return out


def _flag(log_lambda: float, telling: bool, unseen: bool) -> LambdaFlag:
    low, high = np.log(LAMBDA_RANGE)
    if not telling:
        return LambdaFlag.FLAT
    if log_lambda <= low + NEAR_BOUND or (unseen and log_lambda < 0):
        return LambdaFlag.AT_ZERO
    if log_lambda >= high - NEAR_BOUND or unseen:
        return LambdaFlag.UNBOUNDED
    return LambdaFlag.ABOVE_ONE if log_lambda > 0 else LambdaFlag.INSIDE


def _errors(
    problem: _Problem,
    theta: FloatArray,
    information: FloatArray,
    scores: FloatArray,
    flags: tuple[LambdaFlag, ...],
    root: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Standard and robust errors of (coefficients, λ) by the delta method from (z, log λ)."""
    q = problem.q
    inside = np.array([f in (LambdaFlag.INSIDE, LambdaFlag.ABOVE_ONE) for f in flags], np.bool_)
    free = np.concatenate([np.ones(q, np.bool_), inside])
    plain, robust = np.full(theta.size, np.nan), np.full(theta.size, np.nan)
    part = information[np.ix_(free, free)]
    if part.size == 0 or np.linalg.eigvalsh(part)[0] <= 0:
        return plain, robust
    jacobian = np.zeros((theta.size, theta.size))
    jacobian[:q, :q] = root
    jacobian[range(q, theta.size), range(q, theta.size)] = np.exp(theta[q:])
    j = jacobian[np.ix_(free, free)]
    bread = np.asarray(np.linalg.inv(part), dtype=np.float64)
    for out, covariance in (
        (plain, bread),
        (robust, sandwich(bread, scores[:, free], problem.unit)),
    ):
        out[free] = np.sqrt(np.einsum("ij,jk,ik->i", j, covariance, j))
    return plain, robust


def _placed(errors: FloatArray, keep: BoolArray, telling: BoolArray) -> FloatArray:
    q = int(keep.sum())
    out = np.full(keep.size + telling.size, np.nan)
    out[: keep.size][keep] = errors[:q]
    out[keep.size :][telling] = errors[q:]
    return out
