"""Which clone clusters grow, and whether copies are more frequent than before. Facts only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.clones.find import CloneReport, Cluster, Scope
from cr_audit.engine.tails import binom, hypergeom
from cr_audit.gate.beta_binomial import Groups

_MEANS = 1.0 / (1.0 + np.exp(-np.linspace(-9.0, 3.0, 61)))
_CONCENTRATIONS = np.geomspace(0.3, 1000.0, 15)
_GRID_A = np.outer(_MEANS, _CONCENTRATIONS).ravel()
_GRID_B = np.outer(1.0 - _MEANS, _CONCENTRATIONS).ravel()
"""Rates of copies over prompts, Beta with these means and sums of parameters: from prompts that are
all alike to prompts that hold copies only or none."""


@dataclass(frozen=True, slots=True, eq=False)
class ClusterGain:
    """A cluster with new members. scope : "response" or "boilerplate"; members, new : int64.

    item_share_before, item_share_after : of all alternatives. scope_share_before,
    scope_share_after : of those to the same prompt (its clones included), or of all for
    boilerplate.
    weight_before, weight_after : share of weight and weight_error its standard error, NaN without.
    n_scope_old, n_scope_new : old and new alternatives in that scope.
    n_rows_new : rows of the batch in which a new member stands.
    chance : probability of as many new members or more, if copies came as often as in the baseline.
    """

    scope: Scope
    members: IntArray
    new: IntArray
    n_texts: int
    n_prompts: int
    diameter: float
    item_share_before: float
    item_share_after: float
    scope_share_before: float
    scope_share_after: float
    n_scope_old: int
    n_scope_new: int
    weight_before: float
    weight_after: float
    weight_error: float
    n_rows_new: int
    chance: float

    @property
    def n_old(self) -> int:
        """Members that the baseline held already."""
        return int(self.members.size - self.new.size)

    @property
    def scope_is_new(self) -> bool:
        """The baseline has no alternative in the cluster's scope."""
        return self.n_scope_old == 0

    @property
    def batch_share(self) -> float:
        """Of the new alternatives in the cluster's scope."""
        return float(self.new.size / self.n_scope_new)


@dataclass(frozen=True, slots=True)
class CloneRate:
    """Responses that have a near-copy: n_copied of n, old ones within the baseline, new ones within
    all. expected : of n_copied_new, by the rates of the same prompts in the baseline and, for new
    prompts, by how its prompts differ; p_value : of as many or more.
    """

    n_old: int
    n_copied_old: int
    n_new: int
    n_copied_new: int
    expected: float
    p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """gains : clusters with new members, the most new ones first. rate : of responses with a copy
    under their own prompt; spread : of those that repeat one answer under many prompts. n_tests :
    clusters with both old and new members, or under many prompts."""

    gains: tuple[ClusterGain, ...]
    rate: CloneRate | NotApplicable
    spread: CloneRate | NotApplicable
    n_tests: int

    @property
    def rates(self) -> dict[Scope, CloneRate | NotApplicable]:
        """Both rates, by the scope of the clusters whose members they count."""
        return {"response": self.rate, "boilerplate": self.spread}


def growth(
    before: Analysis, after: Analysis, old: IntArray, new: BoolArray, n_rows: IntArray
) -> Growth | NotApplicable:
    """old : int64 (n before,), the place of each alternative of the baseline in ``after``;
    new : bool (n after,); n_rows : int64 (n after,), rows of the batch an alternative stands in.
    """
    clones, earlier = after.clones, before.clones
    if isinstance(clones, NotApplicable):
        return clones
    if isinstance(earlier, NotApplicable):
        return earlier
    prompt_of = after.dataset.prompt_of
    group = clones.prompt_labels.labels[prompt_of]
    copied_old = _copied(earlier)
    copied_new = _copied(clones)[new]
    rate: CloneRate | NotApplicable = NotApplicable("the batch holds no new response")
    spread = rate
    if new.any():
        rate = rate_of(copied_old, group[old], copied_new, group[new])
        spread = rate_of(_boilerplate(earlier), group[old], _boilerplate(clones)[new], group[new])
    typical = (copied_old.sum() + 0.5) / (copied_old.size + 1.0)
    weights = _masses(before, after, old)
    gains = [_gain(c, new, group, weights, n_rows, float(typical)) for c in _grown(clones, new)]
    gains.sort(key=lambda g: (-g.new.size, -g.members.size, int(g.members[0])))
    return Growth(
        gains=tuple(gains),
        rate=rate,
        spread=spread,
        n_tests=sum(g.n_old > 0 or g.scope == "boilerplate" for g in gains),
    )


def _copied(clones: CloneReport) -> BoolArray:
    labels = clones.labels.labels
    out: BoolArray = np.bincount(labels, minlength=1)[labels] > 1
    return out


def _boilerplate(clones: CloneReport) -> BoolArray:
    out: BoolArray = np.zeros(clones.labels.labels.size, np.bool_)
    for c in clones.clusters:
        if c.scope == "boilerplate" and c.kind != "loose":
            out[c.members] = True
    return out


def _grown(clones: CloneReport, new: BoolArray) -> list[Cluster]:
    """Clusters with a new member; an exact one inside a near one is left out."""
    labels = clones.labels.labels
    sizes = np.bincount(labels, minlength=1)
    out = []
    for c in clones.clusters:
        if c.scope == "prompt" or c.kind == "loose" or not new[c.members].any():
            continue
        if c.scope == "response" and sizes[labels[c.members[0]]] != c.size:
            continue
        out.append(c)
    return out


def rate_of(
    copied_old: BoolArray, group_old: IntArray, copied_new: BoolArray, group_new: IntArray
) -> CloneRate:
    """How often something holds of old and new responses. copied_old, copied_new : bool, whether it
    does; group_old, group_new : int64, their prompts."""
    prompts, index = np.unique(np.concatenate([group_old, group_new]), return_inverse=True)
    old, new = index[: group_old.size], index[group_old.size :]
    n = np.bincount(old, minlength=prompts.size)
    k = np.bincount(old[copied_old], minlength=prompts.size)
    c = np.bincount(new, minlength=prompts.size)
    rates = Groups.of(k[n > 0], n[n > 0], _GRID_A, _GRID_B)
    k_new = int(copied_new.sum())
    asked = c > 0
    known = k[asked], n[asked], c[asked]
    return CloneRate(
        n_old=copied_old.size,
        n_copied_old=int(copied_old.sum()),
        n_new=copied_new.size,
        n_copied_new=k_new,
        expected=rates.expected(*known),
        p_value=rates.p_value(*known, k_new),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Masses:
    before: FloatArray
    after: FloatArray
    error: FloatArray


def _masses(before: Analysis, after: Analysis, old: IntArray) -> _Masses:
    """Weights before and after in the order of ``after``; NaN where there are none."""
    n = after.dataset.n_alternatives
    blank = np.full(n, np.nan)
    first, second = before.weights, after.weights
    if isinstance(first, NotApplicable) or isinstance(second, NotApplicable):
        return _Masses(blank, blank, blank)
    earlier = np.zeros(n)
    earlier[old] = first.weights
    error = second.standard_error**2
    error[old] += first.standard_error**2
    return _Masses(earlier, second.weights, np.sqrt(error))


def _gain(
    c: Cluster,
    new: BoolArray,
    group: IntArray,
    weights: _Masses,
    n_rows: IntArray,
    typical: float,
) -> ClusterGain:
    m = c.members
    fresh = m[new[m]]
    n_old, n_all = int((~new).sum()), int(new.size)
    if c.scope == "response":
        of_scope = np.isin(group, np.unique(group[m]))
        scope_old, scope_all = int((of_scope & ~new).sum()), int(of_scope.sum())
        chance = float(binom.sf(fresh.size - 1, scope_all - scope_old, min(typical, 1.0)))
    else:
        scope_old, scope_all = n_old, n_all
        chance = float(hypergeom.sf(fresh.size - 1, n_all, m.size, n_all - n_old))
    kept = m.size - fresh.size
    return ClusterGain(
        scope=c.scope,
        members=m,
        new=fresh,
        n_texts=c.n_texts,
        n_prompts=c.n_prompts,
        diameter=c.diameter,
        item_share_before=kept / max(n_old, 1),
        item_share_after=m.size / n_all,
        scope_share_before=kept / max(scope_old, 1),
        scope_share_after=m.size / scope_all,
        n_scope_old=scope_old,
        n_scope_new=scope_all - scope_old,
        weight_before=float(weights.before[m].sum()),
        weight_after=float(weights.after[m].sum()),
        weight_error=float(np.sqrt(np.sum(weights.error[m] ** 2))),
        n_rows_new=int(n_rows[fresh].sum()),
        chance=chance,
    )


def new_copies(grown: Growth | NotApplicable) -> IntArray:
    """New alternatives that have a copy elsewhere."""
    return copies_in(() if isinstance(grown, NotApplicable) else grown.gains)


def copies_in(gains: tuple[ClusterGain, ...]) -> IntArray:
    """int64, the new members of these clusters; of a cluster that is all new, one is no copy."""
    if not gains:
        return np.zeros(0, np.int64)
    return np.unique(np.concatenate([g.new if g.n_old else g.new[1:] for g in gains]))
