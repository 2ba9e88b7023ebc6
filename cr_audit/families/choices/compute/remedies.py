"""Six ways to train beside the lists as they are, each measured on choices that it did not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.families.choices.compute.designs import constants, design_of
from cr_audit.families.choices.compute.kinds import Kinds
from cr_audit.families.choices.compute.lists import Lists
from cr_audit.families.choices.compute.pairs import Makeups, Tables, makeups_of
from cr_audit.families.choices.facts import Method, Remedies, Remedy
from cr_audit.models.listwise.designs import ChoiceDesign
from cr_audit.models.listwise.held_out import deal_folds
from cr_audit.models.listwise.logit import LogitFit, LogitStatus, by_unit, fit_logit
from cr_audit.models.listwise.nested import fit_nested

N_FOLDS = 5
MAX_NESTED_ROWS = 60_000


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """What every method may use of the lists: members by list and kind, and pairs by list."""

    lists: Lists
    kinds: Kinds
    tables: Tables
    pair_list: np.ndarray
    """int64 (q,), list of each (chosen, not chosen) pair of two kinds."""
    pair_kinds: np.ndarray
    """int64 (q, 2), kind of the chosen and of the other."""
    pair_share: FloatArray
    n_others: FloatArray
    """float64 (n,), members of each list that were not chosen."""
    makeups: Makeups
    drawn: FloatArray
    """float64 (q,), 1 where the pair is the one that was drawn for its list."""


Rewards = Callable[[_Data, BoolArray], FloatArray | NotApplicable]


def measure(
    kinds: Kinds,
    lists: Lists,
    tables: Tables,
    *,
    models: tuple[Kinds, Tables] | None,
    distrusted: bool,
    rng: np.random.Generator,
) -> Remedies | NotApplicable:
    """Every method's order of kinds, and its agreement with held-out choices, on the same folds.

    models : kinds of the models, where there are models and the kinds are others: their order under
    every method. distrusted : the lists as they are turn a pair of kinds, so they are no remedy.
    """
    known = (kinds.labels >= 0).all()
    mixed = (tables.offered > 0).sum(axis=1) > 1
    if not known or int(mixed.sum()) < 2 * N_FOLDS:
        return NotApplicable("too few lists offer two kinds")
    data = _data(lists, kinds, tables, rng)
    fold = deal_folds(lists.unit, N_FOLDS, rng)
    everything = np.ones(lists.n, np.bool_)
    scores: dict[Method, FloatArray] = {}
    rewards: dict[Method, FloatArray] = {}
    reasons: dict[Method, str] = {}
    for method, fitted in METHODS.items():
        whole = fitted(data, everything)
        if isinstance(whole, NotApplicable):
            reasons[method] = whole.reason
            continue
        found = _agreement(data, fitted, fold)
        if isinstance(found, NotApplicable):
            reasons[method] = found.reason
            continue
        rewards[method], scores[method] = whole, found
    if not scores:
        return NotApplicable("no method could be fitted")
    n_rows = _n_rows(data)
    weight = np.where(mixed, lists.sets.mass, 0.0)
    mean = {m: float((weight * s).sum() / weight.sum()) for m, s in scores.items()}
    best = max(scores, key=lambda m: (round(mean[m], 12), -list(Method).index(m)))
    rows = []
    for method in Method:
        if method in reasons:
            rows.append(_failed(method, reasons[method], n_rows[method]))
            continue
        gap = scores[method] - scores[best]
        r = rewards[method]
        order = np.argsort(-r, kind="stable")
        rows.append(
            Remedy(
                method=method,
                order=tuple(kinds.names[i] for i in order),
                rewards=tuple(float(r[i]) for i in order),
                agreement=mean[method],
                error=_error(scores[method], weight, lists.unit),
                gap=mean[method] - mean[best],
                gap_error=_error(gap, weight, lists.unit),
                n_rows=n_rows[method],
            )
        )
    recommended, because = _recommend(rows, distrusted)
    return Remedies(
        scheme=kinds.scheme,
        methods=tuple(rows),
        recommended=recommended,
        because=because,
        model_orders=_model_orders(models, lists, rng),
        n_lists=int(mixed.sum()),
        n_folds=N_FOLDS,
    )


def _failed(method: Method, reason: str, n_rows: int) -> Remedy:
    nan = float("nan")
    return Remedy(method, (), (), nan, nan, nan, nan, n_rows, reason)


def _recommend(rows: list[Remedy], distrusted: bool) -> tuple[Method, str]:
    """The simplest method that agrees no worse than the best by more than one error.

    Where the lists as they are turn the order of kinds, they are passed over unless nothing agrees
    better (then the order is what the held-out lists say as well).
    """
    good = [r for r in rows if not r.reason]
    near = [r for r in good if r.gap >= -r.gap_error]
    first = near[0]
    if distrusted and first.method is Method.LISTS and len(near) > 1:
        others = [r for r in near if r.order[0] != first.order[0]]
        if others:
            return others[0].method, "order-turns"
    if first.method is Method.LISTS:
        return first.method, "as-good"
    return first.method, "agrees-better"


def _error(scores: FloatArray, weight: FloatArray, unit: np.ndarray) -> float:
    """Standard error of the weighted mean over units."""
    total = float(weight.sum())
    centred = weight * (scores - float((weight * scores).sum()) / total)
    summed = by_unit(centred[:, None], unit)[:, 0]
    g = summed.shape[0]
    return float(np.sqrt((summed**2).sum() * g / max(g - 1, 1))) / total


def chosen_pairs(lists: Lists, rng: np.random.Generator) -> tuple[IntArray, IntArray, FloatArray]:
    """Every chosen member against every other one of its list, as rows of ``lists``; int64 (q,)
    each. The third, float64 (q,), is 1 for the pair that is drawn for its list: one of all,
    whatever the kinds, which is what a loader does."""
    owner, share = lists.owner, lists.share
    chosen = np.flatnonzero(share > 0)
    sizes = lists.sizes[owner[chosen]]
    left = np.repeat(chosen, sizes)
    ends = np.cumsum(sizes)
    ramp = np.arange(int(ends[-1]) if sizes.size else 0) - np.repeat(ends - sizes, sizes)
    right = np.repeat(lists.sets.offsets[owner[chosen]], sizes) + ramp
    lost = share[right] == 0
    left, right = left[lost], right[lost]
    key = rng.random(left.size) * share[left]
    first = np.lexsort((-key, owner[left]))
    taken = np.zeros(left.size)
    at = first[np.concatenate([[True], np.diff(owner[left][first]) > 0])] if first.size else first
    taken[at] = 1.0
    return left, right, taken


def _data(lists: Lists, kinds: Kinds, tables: Tables, rng: np.random.Generator) -> _Data:
    owner, share = lists.owner, lists.share
    left, right, taken = chosen_pairs(lists, rng)
    cross = kinds.labels[left] != kinds.labels[right]
    return _Data(
        lists=lists,
        kinds=kinds,
        tables=tables,
        pair_list=owner[left][cross],
        pair_kinds=np.stack([kinds.labels[left], kinds.labels[right]], axis=1)[cross],
        pair_share=share[left][cross],
        n_others=np.bincount(owner, share == 0, minlength=lists.n).astype(np.float64),
        makeups=makeups_of(lists, tables),
        drawn=taken[cross],
    )


def _n_rows(data: _Data) -> dict[Method, int]:
    lists = data.lists
    chosen = np.bincount(lists.owner, lists.share > 0, minlength=lists.n)
    pairs = int((chosen * data.n_others).sum())
    return {
        Method.LISTS: lists.n,
        Method.ALL_PAIRS: pairs,
        Method.ONE_PAIR: lists.n,
        Method.WEIGHTED_PAIRS: pairs,
        Method.BALANCED_PAIRS: int(data.pair_list.size),
        Method.CLONE_WEIGHTED: lists.n,
        Method.NESTED: lists.n,
    }


def _fit_pairs(data: _Data, train: BoolArray, weight: FloatArray) -> FloatArray | NotApplicable:
    """Bradley–Terry on kinds from weighted pairs; kinds count as many lists as there are pairs."""
    k = data.kinds.n
    use = train[data.pair_list]
    key = data.pair_kinds[use, 0] * k + data.pair_kinds[use, 1]
    mass = data.lists.sets.mass[data.pair_list[use]] * weight[use]
    total = np.bincount(key, mass, minlength=k * k).astype(np.float64)
    pairs = np.flatnonzero(total > 0)
    n = pairs.size
    columns = np.zeros((2 * n, k))
    columns[np.arange(0, 2 * n, 2), pairs // k] = 1.0
    columns[np.arange(1, 2 * n, 2), pairs % k] = 1.0
    design = ChoiceDesign(
        offsets=np.arange(0, 2 * n + 1, 2, dtype=np.int64),
        columns=columns[:, 1:],
        share=np.tile([1.0, 0.0], n),
        mass=total[pairs],
        unit=np.arange(n, dtype=np.int64),
        offset=np.zeros(2 * n),
    )
    return _fitted(design)


def _fit_lists(data: _Data, train: BoolArray, *, shared: bool) -> FloatArray | NotApplicable:
    mass = np.where(train, data.lists.sets.mass, 0.0)
    return _rewards(data.makeups.fit(mass, shared=shared))


def _fit_nested(data: _Data, train: BoolArray) -> FloatArray | NotApplicable:
    if data.kinds.labels.size > MAX_NESTED_ROWS:
        return NotApplicable(f"more than {MAX_NESTED_ROWS} rows")
    design = design_of(data.lists, constants(data.kinds)).lists(train)
    rows = train[data.lists.owner]
    fit = fit_nested(design, data.kinds.labels[rows])
    if isinstance(fit, NotApplicable):
        return fit
    if not fit.identified.all():
        return NotApplicable("some kind is never offered beside another")
    return _centred(fit.coefficients)


def _fitted(design: ChoiceDesign) -> FloatArray | NotApplicable:
    if design.n == 0:
        return NotApplicable("no list offers two kinds")
    return _rewards(fit_logit(design))


def _rewards(fit: LogitFit) -> FloatArray | NotApplicable:
    if not fit.identified.all():
        return NotApplicable("some kind is never offered beside another")
    if fit.status is LogitStatus.SEPARATED:
        return NotApplicable("some kind always wins or always loses: no finite reward")
    return _centred(fit.coefficients)


def _centred(coefficients: FloatArray) -> FloatArray:
    r = np.concatenate([[0.0], coefficients])
    out: FloatArray = r - r.mean()
    return out


def _all_pairs(data: _Data, train: BoolArray) -> FloatArray | NotApplicable:
    return _fit_pairs(data, train, np.ones(data.pair_list.size))


def _one_pair(data: _Data, train: BoolArray) -> FloatArray | NotApplicable:
    return _fit_pairs(data, train, data.drawn)


def _weighted_pairs(data: _Data, train: BoolArray) -> FloatArray | NotApplicable:
    return _fit_pairs(data, train, data.pair_share / data.n_others[data.pair_list])


def _balanced_pairs(data: _Data, train: BoolArray) -> FloatArray | NotApplicable:
    """Each list counts once over its pairs of two kinds, each other kind once."""
    k = data.kinds.n
    key = (data.pair_list * k + data.pair_kinds[:, 0]) * k + data.pair_kinds[:, 1]
    _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
    chosen = data.tables.chosen[data.pair_list, data.pair_kinds[:, 0]]
    return _fit_pairs(data, train, chosen / count[inverse])


METHODS: dict[Method, Rewards] = {
    Method.LISTS: lambda data, train: _fit_lists(data, train, shared=False),
    Method.ALL_PAIRS: _all_pairs,
    Method.ONE_PAIR: _one_pair,
    Method.WEIGHTED_PAIRS: _weighted_pairs,
    Method.BALANCED_PAIRS: _balanced_pairs,
    Method.CLONE_WEIGHTED: lambda data, train: _fit_lists(data, train, shared=True),
    Method.NESTED: _fit_nested,
}


def _agreement(data: _Data, fitted: Rewards, fold: np.ndarray) -> FloatArray | NotApplicable:
    """Per list, by the fit that did not see its fold: how often the chosen kind is above another
    kind that the list offers, each other kind counting once, equal rewards half."""
    out = np.zeros(data.lists.n)
    for f in range(int(fold.max()) + 1):
        held = fold == f
        rewards = fitted(data, ~held)
        if isinstance(rewards, NotApplicable):
            return rewards
        above = (rewards[:, None] > rewards) + 0.5 * (rewards[:, None] == rewards)
        np.fill_diagonal(above, 0.0)
        offered = (data.tables.offered[held] > 0).astype(np.float64)
        chosen = data.tables.chosen[held]
        wins = np.einsum("nd,cd->nc", offered, above)
        others = offered.sum(axis=1, keepdims=True) - (offered > 0)
        share = np.divide(wins, others, out=np.zeros_like(wins), where=others > 0)
        out[held] = (chosen * share).sum(axis=1)
    return out


def _model_orders(
    models: tuple[Kinds, Tables] | None, lists: Lists, rng: np.random.Generator
) -> tuple[tuple[Method, tuple[str, ...]], ...]:
    if models is None or not (models[0].labels >= 0).all():
        return ()
    data = _data(lists, models[0], models[1], rng)
    train = np.ones(lists.n, np.bool_)
    out = []
    for method, fitted in METHODS.items():
        if method is Method.NESTED:
            continue
        rewards = fitted(data, train)
        if not isinstance(rewards, NotApplicable):
            order = np.argsort(-rewards, kind="stable")
            out.append((method, tuple(models[0].names[i] for i in order)))
    return tuple(out)
