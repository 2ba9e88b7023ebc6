"""Bradley-Terry fits with ties: maximum likelihood with a prior that vanishes with the data.

    maximise  ℓ(θ, β, η) - (ρ/2)(Σ_x θ(x)² + Σ β²) + ρ h(η),    δ = θ(first) - θ(second) + z β,

ℓ is the log-likelihood *summed* over all battles by their mass (see ``links`` for P(win | δ, η)).
θ : log-odds of the items, Σ θ = 0 in each connected component. β : effects of covariates, which
come scaled to one. h : the log-likelihood of one battle between equals that was won, tied and lost
by a third each; it keeps η finite in a resample without a tie (ρ = 1/9: a ninth of a battle).

The prior precision ρ is 1/s² of a normal prior of standard deviation s. Because ℓ grows with the
number of battles and ρ does not, the fit is consistent: let θ* maximise E[log P] (its Hessian along
differences is at least c > 0 per battle on a connected graph). Strong concavity of ℓ + prior gives
‖θ̂ - θ*‖ <= ‖∇ℓ(θ*) - ρ θ*‖/(c n) = O(n^-1/2) + ρ ‖θ*‖/(c n), so the prior's bias is a factor
n^-1/2 smaller than the sampling error. As a penalty on the *mean* log-likelihood per item it is
λ = ρ m/(2 n): one over the battles per item (``penalty_of``). ρ = 0 is the maximum likelihood fit
of other rankers; it exists where every component is strongly connected by wins and ties.

Solved by Newton's method with backtracking: the objective is concave, and the curvature along
constants, which only the prior fixes, is made 1 by adding 1 1ᵀ of each component.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh, lapack

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable, Proportions
from cr_audit.engine import one_blas_thread
from cr_audit.errors import ComputeError
from cr_audit.labels import cluster_labels
from cr_audit.models.graph import components
from cr_audit.models.ties.battles import Battles
from cr_audit.models.ties.links import LINKS, LOSS, TIE, WIN, Link

MAX_ITEMS = 5_000
"""A fit holds dense matrices of m x m numbers, 0.2 GB each at this many and 12.8 GB for 40,000; it
solves and inverts them, which is m³."""
DEFAULT_PRIOR_PRECISION = 1.0 / 9.0
"""A prior of standard deviation 3 log-odds: odds of 20 to 1 are nothing special. With it intervals
of ``covariance`` hold what they say on sparse boards (benchmarks/README.md, "Leaderboard"); a prior
fitted to the data (standard deviation 0.5 to 2.5) covered 0.84 to 0.91 where 0.90 was asked for."""
TOLERANCE = 1e-10
MAX_ITERATIONS = 100
SMALLEST_REST = 0.01
"""Share of the battles that the other clusters are taken to have at least: one that has all but
them leaves next to nothing to judge it by."""
ELO_PER_LOG_ODDS = 400.0 / math.log(10.0)
"""A difference of 400 is odds of 10 to 1."""


class TieFitStatus(StrEnum):
    """How a fit ended; the text is the advice."""

    CONVERGED = "converged"
    ITERATION_LIMIT = "stopped at the iteration limit: raise the prior precision"
    NO_MAXIMUM = "some items only won or only lost: without a prior their rewards are infinite"


@dataclass(frozen=True, slots=True, eq=False)
class TieFit:
    """rewards : float64 (m,), θ in log-odds, NaN without a battle; Σ θ = 0 per component.

    effects : float64 (q,), β. eta : log ν (Davidson) or τ (Rao-Kupper), 0 for Bradley-Terry.
    component : int64 (m,), numbered from the largest, -1 without a battle.
    log_likelihood : ℓ at the fit, without the prior. hessian : float64 (p, p), minus the second
    derivatives of the objective in (θ, β, η), p = m + q + 1 (m + q for Bradley-Terry), with 1 1ᵀ
    of each component added and the identity for items without a battle.
    """

    link: str
    rewards: FloatArray
    effects: FloatArray
    eta: float
    component: IntArray
    n_components: int
    log_likelihood: float
    prior_precision: float
    status: TieFitStatus
    iterations: int
    hessian: FloatArray

    @property
    def converged(self) -> bool:
        """Whether the fit reached its tolerance."""
        return self.status is TieFitStatus.CONVERGED

    @property
    def parameters(self) -> FloatArray:
        """(θ, β, η) as one vector, θ = 0 without a battle."""
        tail = [self.eta] if LINKS[self.link].has_eta else []
        return np.concatenate([np.nan_to_num(self.rewards), self.effects, tail])

    def probabilities(self, first: IntArray, second: IntArray) -> FloatArray:
        """P(win), P(tie), P(loss) of ``first`` against ``second`` at covariates of 0; (3, k).

        NaN across components: their rewards cannot be compared.
        """
        delta = self.rewards[first] - self.rewards[second]
        apart = self.component[first] != self.component[second]
        with np.errstate(invalid="ignore"):
            p = LINKS[self.link].probabilities(np.nan_to_num(delta), np.asarray(self.eta))
        p[:, apart | ~np.isfinite(delta)] = np.nan
        return p


def penalty_of(prior_precision: float, n_items: int, n_battles: float) -> float:
    """λ = ρ m / (2 n): the prior as a penalty on the mean log-likelihood of an item's battles."""
    return prior_precision * n_items / (2.0 * n_battles)


class Problem:
    """Everything that does not change between replicates: design, components, the gauge.

    counts are given per call, float64 (3, k) or (3, k, b); parameters float64 (p,) or (p, b).
    Memory: the design (2 k numbers), and about 8 arrays of k x b.
    """

    def __init__(self, rows: Battles, link: Link, prior_precision: float) -> None:
        if rows.n_items > MAX_ITEMS:
            raise ComputeError(
                "too-many-items",
                f"a leaderboard holds at most {MAX_ITEMS:,} items, there are {rows.n_items:,}",
                next_step="rank models or clusters (--unit model) instead of single responses",
            )
        if not (math.isfinite(prior_precision) and prior_precision >= 0):
            raise ValueError(f"prior_precision must be >= 0, got {prior_precision!r}")
        self.rows, self.link, self.rho = rows, link, float(prior_precision)
        self.m, self.q = rows.n_items, rows.n_covariates
        self.design = rows.design()
        self.adjoint = sp.csr_array(self.design.T)
        ones = np.ones(rows.n_cells)
        pairs = Proportions(self.m, rows.first, rows.second, ones, ones)
        self.component, sizes = components(pairs)
        self.n_components = int(sizes.shape[0])
        self.n_parameters = self.m + self.q + int(link.has_eta)
        inside = self.component >= 0
        same = self.component[:, None] == self.component[None, :]
        self.gauge: FloatArray = np.where(same & inside[:, None], 1.0, 0.0)
        self.gauge[~inside, ~inside] = 1.0
        self.prior = self.rho * np.concatenate([inside, np.ones(self.q)])
        self.equals = np.full((3, 1), self.rho / 3.0)

    def parts(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """δ of every cell, and η."""
        eta = x[self.m + self.q] if self.link.has_eta else np.zeros(x.shape[1:])
        return np.asarray(self.design @ x[: self.m + self.q]), eta

    def value(self, counts: FloatArray, x: FloatArray) -> float:
        """The penalised log-likelihood at ``x`` (p,)."""
        return float(self.values(counts[:, :, None], x[:, None])[0])

    def values(self, counts: FloatArray, x: FloatArray) -> FloatArray:
        """The penalised log-likelihoods of a block; (b,)."""
        delta, eta = self.parts(x)
        out: FloatArray = self.link.log_likelihood(counts, delta, eta).sum(axis=0)
        if self.link.has_eta and self.rho > 0:
            out = out + self.link.log_likelihood(self.equals, np.zeros(1), eta)
        return np.asarray(out - 0.5 * (self.prior @ x[: self.m + self.q] ** 2))

    def products(self, counts: FloatArray, x: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """v (p, b) to ``hessian`` times v, a matrix for each of a block, none of which is made."""
        delta, eta = self.parts(x)
        dd, de, ee = self.link.curvature(counts, delta, eta)
        n, at_ends = self.m + self.q, ee.sum(axis=0)
        if self.link.has_eta and self.rho > 0:
            at_ends = at_ends + self.link.curvature(self.equals, np.zeros(1), eta)[2]
        alone = np.flatnonzero(self.component < 0)
        inside = np.flatnonzero(self.component >= 0)
        ones = np.ones(inside.size)
        shape = (self.n_components, self.m)
        members = sp.csr_array((ones, (self.component[inside], inside)), shape=shape)

        def product(v: FloatArray) -> FloatArray:
            along = np.asarray(self.design @ v[:n])
            out = np.empty_like(v)
            moved = dd * along + (de * v[-1] if self.link.has_eta else 0.0)
            out[:n] = self.adjoint @ moved + self.prior[:, None] * v[:n]
            out[: self.m] += np.asarray(members.T @ (members @ v[: self.m]))
            out[alone] += v[alone]
            if self.link.has_eta:
                out[-1] = (de * along).sum(axis=0) + at_ends * v[-1]
            return out

        return product

    def gradient(self, counts: FloatArray, x: FloatArray) -> FloatArray:
        """∇ of the objective, (p,) or (p, b)."""
        delta, eta = self.parts(x)
        by_delta, by_eta = self.link.gradient(counts, delta, eta)
        out = np.zeros_like(x)
        out[: self.m + self.q] = self.adjoint @ by_delta
        out[: self.m + self.q] -= (self.prior * x[: self.m + self.q].T).T
        if self.link.has_eta:
            out[-1] = by_eta.sum(axis=0)
            if self.rho > 0:
                at = np.atleast_1d(eta)
                more = self.link.gradient(self.equals, np.zeros(at.shape), at)[1]
                out[-1] += more if x.ndim > 1 else more[0]
        return out

    def hessian(self, counts: FloatArray, x: FloatArray) -> FloatArray:
        """Minus the second derivatives, with the gauge; (p, p)."""
        delta, eta = self.parts(x)
        dd, de, ee = self.link.curvature(counts, delta, eta)
        n = self.m + self.q
        out = np.zeros((self.n_parameters, self.n_parameters))
        m, first, second = self.m, self.rows.first, self.rows.second
        # Of the rewards it is the Laplacian of the battles, weighted by dd.
        between = np.bincount(first * np.int64(m) + second, weights=dd, minlength=m * m)
        square = between.reshape(m, m)
        out[:m, :m] = self.gauge - square - square.T
        degree = np.bincount(first, weights=dd, minlength=m)
        out[np.arange(m), np.arange(m)] += degree + np.bincount(second, weights=dd, minlength=m)
        if self.q:
            cross = self.adjoint @ (dd[:, None] * self.rows.covariates)
            out[:n, m:n] = cross
            out[m:n, :m] = cross[:m].T
        out[np.arange(n), np.arange(n)] += self.prior
        if self.link.has_eta:
            out[:n, -1] = out[-1, :n] = self.adjoint @ de
            out[-1, -1] = ee.sum()
            if self.rho > 0:
                out[-1, -1] += self.link.curvature(self.equals, np.zeros(1), np.full(1, eta))[2][0]
        return out

    def start(self) -> FloatArray:
        """Where the fit starts: all alike, ties as frequent as they are."""
        x = np.zeros(self.n_parameters)
        if self.link.has_eta:
            x[-1] = self.link.start(self.rows.tie_share)
        return x

    def newton(
        self, counts: FloatArray, x: FloatArray, *, tolerance: float = TOLERANCE
    ) -> tuple[FloatArray, TieFitStatus, int]:
        """The maximum, from ``x``. Call it under one BLAS thread."""
        value = self.value(counts, x)
        for iteration in range(1, MAX_ITERATIONS + 1):
            gradient = self.gradient(counts, x)
            step = solve_positive(self.hessian(counts, x), gradient)
            decrement = float((gradient * step).sum())
            if np.abs(step).max() <= tolerance:
                return x, TieFitStatus.CONVERGED, iteration
            t = 1.0
            while True:
                candidate = x + t * step
                reached = self.value(counts, candidate)
                if reached >= value + 1e-4 * t * decrement:
                    break
                if t * np.abs(step).max() <= 1e-7:  # rounding of the sum hides what is left
                    done = TieFitStatus.CONVERGED if t == 1.0 else TieFitStatus.ITERATION_LIMIT
                    return (candidate if t == 1.0 else x), done, iteration
                t *= 0.5
            x, value = candidate, reached
        return x, TieFitStatus.ITERATION_LIMIT, MAX_ITERATIONS

    def centred(self, x: FloatArray) -> FloatArray:
        """Σ θ = 0 in each component; (p,) or (p, b)."""
        out = x.copy()
        for c in range(self.n_components):
            members = np.flatnonzero(self.component == c)
            out[members] -= out[members].mean(axis=0)
        out[: self.m][self.component < 0] = 0.0
        return out


def solve_positive(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """matrix⁻¹ right for a symmetric positive definite matrix. FloatingPointError otherwise."""
    _, out, info = lapack.dposv(matrix, right, lower=1)
    if info != 0:
        raise FloatingPointError("the curvature of the fit is singular")
    return np.asarray(out, dtype=np.float64).reshape(right.shape)


def has_maximum(rows: Battles) -> BoolArray:
    """Per component, numbered from the largest: is it strongly connected by wins and ties?

    Ford's condition (1957); a tie counts as a win of both.
    """
    w, t, l = rows.counts
    ahead, behind = (w + t) > 0, (l + t) > 0
    source = np.concatenate([rows.first[ahead], rows.second[behind]])
    target = np.concatenate([rows.second[ahead], rows.first[behind]])
    shape = (rows.n_items, rows.n_items)
    graph = sp.csr_array((np.ones(source.shape[0]), (source, target)), shape=shape)
    strong = sp.csgraph.connected_components(graph, connection="strong")[1]
    ones = np.ones(rows.n_cells)
    weak, sizes = components(Proportions(rows.n_items, rows.first, rows.second, ones, ones))
    return np.array(
        [np.unique(strong[weak == c]).shape[0] == 1 for c in range(sizes.shape[0])], dtype=np.bool_
    )


def fit_ties(
    rows: Battles,
    link: str,
    *,
    prior_precision: float,
    warm_start: TieFit | None = None,
) -> TieFit:
    """One fit. link : a name of ``links.LINKS``; "bradley-terry" halves ties.

    A fit that has no maximum (ρ = 0 and an item that only won) is returned with the status that
    says so and rewards of ±inf replaced by where the iteration stood; do not rank it.
    Raises ComputeError ``nothing-compared`` without battles, ``too-many-items`` above MAX_ITEMS,
    ``covariates-singular`` where covariates repeat each other or follow from the pairs.
    """
    if rows.n_cells == 0:
        raise ComputeError(
            "nothing-compared",
            "there are no battles between different items, so nobody can be ranked",
            next_step="check which rows were read, and --unit",
        )
    problem = Problem(rows, LINKS[link], prior_precision)
    x = problem.start() if warm_start is None else warm_start.parameters
    none = prior_precision == 0 and not has_maximum(rows).all()
    with one_blas_thread():
        try:
            x, status, iterations = problem.newton(rows.counts, x)
            x = problem.centred(x)
            hessian = problem.hessian(rows.counts, x)
        except FloatingPointError as error:
            if not none and problem.q == 0:
                raise
            if not none:
                raise ComputeError(
                    "covariates-singular",
                    "the covariates cannot be told apart from each other or from the items",
                    next_step="leave one of them out, or give data in which both sides vary",
                ) from error
            x, status, iterations = problem.start(), TieFitStatus.NO_MAXIMUM, 0
            hessian = np.eye(problem.n_parameters)
    delta, eta = problem.parts(x)
    inside = problem.component >= 0
    return TieFit(
        link=link,
        rewards=np.where(inside, x[: problem.m], np.nan),
        effects=x[problem.m : problem.m + problem.q],
        eta=float(eta),
        component=problem.component,
        n_components=problem.n_components,
        log_likelihood=float(problem.link.log_likelihood(rows.counts, delta, eta).sum()),
        prior_precision=float(prior_precision),
        status=TieFitStatus.NO_MAXIMUM if none else status,
        iterations=iterations,
        hessian=hessian,
    )


@dataclass(frozen=True, slots=True)
class LinkChoice:
    """Both tie models have one parameter for ties, so their log-likelihoods compare as they are.

    ratio : log-likelihood of Davidson minus that of Rao-Kupper.
    """

    link: str
    davidson: float
    rao_kupper: float

    @property
    def ratio(self) -> float:
        """Log-likelihood of Davidson's link less that of Rao and Kupper's."""
        return self.davidson - self.rao_kupper


def fit_best_link(
    rows: Battles, *, prior_precision: float
) -> tuple[TieFit, LinkChoice | NotApplicable]:
    """Davidson or Rao-Kupper, whichever makes the data likelier; Bradley-Terry without ties."""
    if not rows.counts[TIE].any():
        fit = fit_ties(rows, "bradley-terry", prior_precision=prior_precision)
        return fit, NotApplicable("there are no ties")
    one = fit_ties(rows, "davidson", prior_precision=prior_precision)
    two = fit_ties(rows, "rao-kupper", prior_precision=prior_precision)
    best = one if one.log_likelihood >= two.log_likelihood else two
    return best, LinkChoice(best.link, one.log_likelihood, two.log_likelihood)


def score_matrix(rows: Battles, fit: TieFit) -> sp.csr_array:
    """∂ log P/∂(θ, β, η) of one battle of each kind, (3 k, p), kinds as ``counts.ravel()``."""
    link = LINKS[fit.link]
    design = rows.design()
    delta = np.asarray(design @ fit.parameters[: design.shape[1]])
    by_delta, by_eta = link.scores(delta, np.asarray(fit.eta))
    stacked = sp.vstack([sp.csr_array(sp.diags_array(g)) @ design for g in by_delta])
    if not link.has_eta:
        return sp.csr_array(stacked)
    return sp.csr_array(sp.hstack([stacked, sp.csr_array(by_eta.reshape(-1, 1))]))


def sandwich(
    rows: Battles, fit: TieFit, *, clusters: IntArray | None = None, correction: float = 1.0
) -> FloatArray:
    """Covariance of (θ, β, η), float64 (p, p): H⁻¹ V H⁻¹, V the spread of the scores.

    clusters : int64 (n,), rows that go together (one annotator, one prompt); V = Σ_c u_c u_cᵀ -
    u uᵀ/G over G clusters, u their sum; without clusters every battle stands alone. Holds whether
    or not the model is true (Huber 1967). Rows and columns of items without a battle are 0.

    A fit bends towards its largest clusters, and their residuals are too small: u_c is divided by
    (1 - p_c)^correction, p_c the cluster's share of the battles. Source: Bell & McCaffrey (2002),
    (I - H_c H⁻¹)^-1 (CR3, the jackknife's; somewhat wide) and ^-½ (CR2, right on average where
    clusters only differ in size). Deviation: H_c is taken as p_c H, since what a cluster alone has
    seen would be divided by nearly 0.
    """
    scores = score_matrix(rows, fit)
    if clusters is None:
        each = sp.csr_array(sp.diags_array(rows.counts.ravel()))
        v = (scores.T @ each @ scores).toarray()
        total = np.asarray(scores.T @ rows.counts.ravel())
        v -= np.outer(total, total) / max(rows.total, 1.0)
    else:
        member = rows.membership(clusters)
        rest = np.maximum(1.0 - _shares(rows, clusters), SMALLEST_REST) ** correction
        u = sp.csr_array(sp.diags_array(1.0 / rest) @ (member.T @ scores))
        total = np.asarray(u.sum(axis=0)).ravel()
        v = (u.T @ u).toarray() - np.outer(total, total) / member.shape[1]
    with one_blas_thread():
        half = solve_positive(fit.hessian, v)
        cov = solve_positive(fit.hessian, np.ascontiguousarray(half.T))
    out: FloatArray = 0.5 * (cov + cov.T)
    return out


def _shares(rows: Battles, clusters: IntArray) -> FloatArray:
    """Of the mass of all battles, in each cluster."""
    mass = np.bincount(cluster_labels(clusters, rows.mass.shape[0]), weights=rows.mass)
    out: FloatArray = mass / mass.sum()
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """covariance : float64 (p, p), of (θ, β, η). freedom : float64 (p,), Student's degrees of
    freedom of each standard error, inf without clusters. pooled : one number for all of θ.
    shared : float64 (p, p), E, what clusters add to the covariance. pooling : α, in [0, 1], see
    ``uncertainty``; 0 without clusters."""

    covariance: FloatArray
    freedom: FloatArray
    pooled: float
    shared: FloatArray
    pooling: float = 0.0


def covariance(rows: Battles, fit: TieFit, *, clusters: IntArray | None = None) -> FloatArray:
    """``uncertainty`` without the degrees of freedom."""
    return uncertainty(rows, fit, clusters=clusters).covariance


def uncertainty(rows: Battles, fit: TieFit, *, clusters: IntArray | None = None) -> Uncertainty:
    """How unsure (θ, β, η) are: H⁻¹, widened by what clusters share.

    H⁻¹ is the posterior covariance under the model and the prior. The plain sandwich is too narrow
    where items have few battles: fitted chances near 0 or 1 leave small residuals by themselves
    (coverage .70 to .89 for a nominal .90). With clusters E is added, so that votes that go
    together count as fewer: what the sandwich over clusters S has above that over battles B.

    Of G clusters S has at most G - 1 directions: with fewer clusters than items it takes the others
    for known, and the estimate of who leads leans on them. So for θ

        E = positive part of (1 - α) (S - B) + α τ² T,   T = H⁻¹ diag(Σ_c v_c) H⁻¹,

    T what tastes of the clusters of variance 1, the same for every item, would add: v_c(x) = d(x)²
    + Σ_y w(x, y)² of the curvatures w that the cluster has on the pairs of x, d(x) their sum. τ²
    makes the traces equal; α is by how much S is shrunk towards B + τ² T where that is whitened
    (Chen, Wiesel, Eldar & Hero 2010, "oracle approximating shrinkage").

    G = 1/Σ p_c² effective clusters know E with f = G - 1 degrees of freedom, pooled ones over d
    directions with f/((1 - α)² + (1 - (1 - α)²)/d), and H⁻¹ is known: the sum C has f (C_xx/E_xx)²
    (Welch 1947, Satterthwaite 1946), for all of θ by the traces. β and η are not pooled.
    """
    with one_blas_thread():
        out = solve_positive(fit.hessian, np.eye(fit.hessian.shape[0]))
        # The gauge gives the constant of each component the variance 1: take it out.
        n = fit.component.shape[0]
        for c in range(fit.n_components):
            members = fit.component == c
            inner = np.zeros(out.shape[0])
            inner[:n][members] = 1.0
            size = float(members.sum())
            out -= np.outer(inner, inner) * (inner @ out @ inner) / size**2
        alone = np.flatnonzero(fit.component < 0)
        out[alone] = out[:, alone] = 0.0
    out = 0.5 * (out + out.T)
    if clusters is None:
        return Uncertainty(out, np.full(out.shape[0], np.inf), np.inf, np.zeros_like(out))
    freedom = 1.0 / float((_shares(rows, clusters) ** 2).sum()) - 1.0
    battle = sandwich(rows, fit)
    wide = sandwich(rows, fit, clusters=clusters)
    right = sandwich(rows, fit, clusters=clusters, correction=0.5)
    excess = np.zeros_like(out)
    with one_blas_thread():
        excess[n:, n:] = _positive(wide[n:, n:] - battle[n:, n:])
        tastes = (out[:n, :n] * _exposure(rows, fit, clusters)) @ out[:n, :n]
        size = float(np.trace(tastes))
        more = float(np.trace(right[:n, :n] - battle[:n, :n]))
        tastes *= max(more, 0.0) / size if size > 0 else 0.0
        alpha, d = _pooling(right[:n, :n], battle[:n, :n] + tastes, freedom)
        excess[:n, :n] = _positive((1.0 - alpha) * (wide - battle)[:n, :n] + alpha * tastes)
    out += excess
    own, shared = np.diag(out), np.maximum(np.diag(excess), 0.0)
    known = np.full(out.shape[0], freedom)
    known[:n] = freedom / ((1.0 - alpha) ** 2 + (1.0 - (1.0 - alpha) ** 2) / max(d, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(shared > 0, known * (own / shared) ** 2, np.inf)
    part = float(shared[:n].sum())
    together = known[0] * (float(own[:n].sum()) / part) ** 2 if part > 0 else np.inf
    return Uncertainty(out, each, float(together), excess, alpha)


def _positive(matrix: FloatArray) -> FloatArray:
    """The nearest matrix without a negative variance."""
    if matrix.shape[0] == 0:
        return matrix
    values, vectors = eigh(matrix)
    out: FloatArray = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return out


def _exposure(rows: Battles, fit: TieFit, clusters: IntArray) -> FloatArray:
    """Σ_c v_c(x), float64 (m,): see ``uncertainty``."""
    link, m, k = LINKS[fit.link], rows.n_items, rows.n_cells
    design = rows.design()
    delta = np.asarray(design @ fit.parameters[: design.shape[1]])
    eta = np.asarray(fit.eta)
    member = rows.membership(clusters)
    seen = sp.csr_array((k, member.shape[1]))
    for outcome in (WIN, TIE, LOSS):
        one = np.zeros((3, k))
        one[outcome] = 1.0
        curvature = link.curvature(one, delta, eta)[0]
        part = member[outcome * k : (outcome + 1) * k]
        seen = seen + sp.csr_array(sp.diags_array(curvature) @ part)
    sides = abs(design[:, :m]).T
    total = np.asarray(sp.csr_array(sides @ seen).power(2).sum(axis=1)).ravel()
    pairs = np.asarray(sides @ np.asarray(seen.power(2).sum(axis=1)).ravel())
    return np.asarray(total + pairs)


def _pooling(seen: FloatArray, target: FloatArray, freedom: float) -> tuple[float, int]:
    """α, and the number d of directions that ``target`` has."""
    values, vectors = eigh(target)
    kept = values > 1e-10 * max(float(values[-1]), 0.0)
    d = int(kept.sum())
    if d < 2:  # one direction is like itself
        return 0.0, d
    half = vectors[:, kept] / np.sqrt(values[kept])
    white = half.T @ seen @ half
    square, trace2 = float((white**2).sum()), float(np.trace(white)) ** 2
    apart = (freedom + 1.0 - 2.0 / d) * (square - trace2 / d)
    toward = (1.0 - 2.0 / d) * square + trace2
    return (1.0 if toward >= apart else toward / apart), d
