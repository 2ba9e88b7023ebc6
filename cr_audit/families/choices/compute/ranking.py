"""Plackett–Luce over what stands in several lists: models, or alternatives that come again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cr_audit.arrays import ChoiceSets, FloatArray, Groups, IntArray, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import ComputeError
from cr_audit.families.choices.compute.lists import Lists
from cr_audit.families.choices.facts import RankedItem, RankingFacts
from cr_audit.models.listwise.plackett_luce import (
    DENSE_LIMIT,
    RankingFit,
    bootstrap_rankings,
    fit_rankings,
    normal_draws,
    quasi_errors,
)
from cr_audit.models.listwise.rankings import Rankings, rankings_of
from cr_audit.models.listwise.ties import LARGEST_TIE, TiedFit, between_tiers, fit_tied_rankings

DEFAULT_PENALTY = 0.03
# An item must come in this many lists on average for a reward of its own to be worth printing.
LISTS_PER_ITEM = 3.0
MAX_TIED_ROWS = 20_000
MAX_TIED_ITEMS = 60
REFIT_UNITS = 300
NORMAL_UNITS = 5_000


def ranking_facts(
    data: PreferenceDataset,
    lists: Lists,
    clones: Groups | None,
    *,
    penalty: float | None,
    n_replicates: int,
    confidence_level: float,
    rng: np.random.Generator,
) -> RankingFacts | NotApplicable:
    """Rewards of items by all that the lists rank, with and without clones sharing a weight.

    penalty : asked for; None: none where the rankings have a maximum without one, else 0.03.
    """
    unit, labels, names = _items(data)
    item = labels[lists.sets.members]
    used = np.unique(item[item >= 0])
    if used.size < 2:
        return NotApplicable("fewer than two items are named")
    key = (lists.owner * np.int64(len(names)) + item)[item >= 0]
    per_item = np.unique(key).size / used.size
    if per_item < LISTS_PER_ITEM:
        return NotApplicable(
            f"an item stands in {per_item:.1f} lists on average: rewards of single items would"
            " be noise"
        )
    number = np.full(len(names) + 1, -1, np.int64)
    number[used] = np.arange(used.size)
    sets, offset, n_shared = _merged(lists, number[item], clones, used.size)
    plain = rankings_of(sets, unit=lists.unit)
    ties, tied, rankings = _untied(plain)
    fit, used_penalty, reason = _fit(rankings, penalty)
    if isinstance(tied, TiedFit):
        centred = tied.rewards
        fit = replace(fit, rewards=np.where(np.isfinite(fit.rewards), centred, np.nan))
    weighted = _weighted(sets, lists, offset, used_penalty) if n_shared else fit.rewards
    draws = _draws(rankings, fit, n_replicates, rng)
    quasi = quasi_errors(fit)
    return RankingFacts(
        unit=unit,
        items=_rows([names[i] for i in used], sets, fit, quasi, weighted, draws, confidence_level),
        n_items=int(used.size),
        n_components=fit.n_components,
        penalty=used_penalty,
        penalty_reason=reason,
        ties=ties,
        log_delta=tuple(zip(tied.tie_sizes, tied.log_delta.tolist(), strict=True))
        if isinstance(tied, TiedFit)
        else (),
        log_likelihood=tied.log_likelihood if isinstance(tied, TiedFit) else fit.log_likelihood,
        n_stages=fit.n_stages,
        clone_weights=n_shared
        if n_shared
        else NotApplicable("no list offers two members of one clone cluster"),
    )


def _items(data: PreferenceDataset) -> tuple[str, IntArray, tuple[str, ...]]:
    groups, models = data.models()
    if models and float((groups.labels >= 0).mean()) >= 0.9:
        return "model", groups.labels, models
    frame = data.alternatives
    names = [t if t else (k or i) for t, k, i in frame.select("text", "key", "id").iter_rows()]
    return "response", np.arange(frame.height, dtype=np.int64), tuple(names)


def _merged(
    lists: Lists, item: IntArray, clones: Groups | None, n_items: int
) -> tuple[ChoiceSets, FloatArray, int]:
    """Lists of items; log weights of members that share their clone cluster in the list, and in how
    many lists some do. Members without an item, or with one that stands in the list already (the
    better place counts), are left out."""
    s, owner = lists.sets, lists.owner
    size = np.ones(item.size)
    n_shared = 0
    if clones is not None:
        cluster = clones.labels[s.members]
        key = owner * np.int64(clones.n_groups + 1) + cluster
        known = cluster >= 0
        _, inverse, count = np.unique(key[known], return_inverse=True, return_counts=True)
        size[known] = count[inverse]
        n_shared = int(np.unique(owner[size > 1]).size)
    rank = np.where(s.rank < 0, np.iinfo(np.int64).max, s.rank)
    order = np.lexsort((rank, item, owner))
    first = np.ones(order.size, np.bool_)
    first[1:] = (np.diff(owner[order]) != 0) | (np.diff(item[order]) != 0)
    keep = np.zeros(item.size, np.bool_)
    keep[order[first]] = True
    keep &= item >= 0
    counts = np.bincount(owner[keep], minlength=lists.n)
    sets = ChoiceSets(
        n_items=n_items,
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        members=item[keep],
        rank=s.rank[keep],
        mass=s.mass,
        annotator=s.annotator,
        prompt=s.prompt,
    )
    return sets, -np.log(size[keep]), n_shared


def _untied(rankings: Rankings) -> tuple[str, TiedFit | None, Rankings]:
    """How ties are taken, the Davidson–Luce fit where they are modelled, and rankings without."""
    if rankings.largest_tie <= 1:
        return "none", None, rankings
    apart = between_tiers(rankings)
    n_rows = sum(b.items.size for b in rankings.blocks)
    if (
        rankings.largest_tie > LARGEST_TIE
        or rankings.n_items > MAX_TIED_ITEMS
        or n_rows > MAX_TIED_ROWS
    ):
        return "between-tiers", None, apart
    try:
        tied = fit_tied_rankings(rankings)
    except ComputeError:
        tied = fit_tied_rankings(rankings, penalty=DEFAULT_PENALTY)
    if isinstance(tied, TiedFit) and tied.converged:
        return "davidson-luce", tied, apart
    return "between-tiers", None, apart


def _fit(rankings: Rankings, penalty: float | None) -> tuple[RankingFit, float, str]:
    if penalty is not None:
        return fit_rankings(rankings, penalty=penalty), penalty, "asked-for"
    try:
        return fit_rankings(rankings), 0.0, "none-needed"
    except ComputeError as error:
        if error.slug != "no-unpenalised-fit":
            raise
        return fit_rankings(rankings, penalty=DEFAULT_PENALTY), DEFAULT_PENALTY, "one-sided"


def _weighted(sets: ChoiceSets, lists: Lists, offset: FloatArray, penalty: float) -> FloatArray:
    rankings = rankings_of(sets, unit=lists.unit, offset=offset)
    apart = between_tiers(rankings) if rankings.largest_tie > 1 else rankings
    return fit_rankings(apart, penalty=penalty, with_covariance=False).rewards


def _draws(
    rankings: Rankings, fit: RankingFit, n_replicates: int, rng: np.random.Generator
) -> FloatArray | NotApplicable:
    n_units = int(np.unique(rankings.unit).size)
    small = n_units <= REFIT_UNITS
    if not small and rankings.n_items > DENSE_LIMIT:
        return NotApplicable("too many items for a bootstrap in one step")
    if n_units > NORMAL_UNITS:
        return normal_draws(rankings, fit, n_draws=n_replicates, rng=rng)
    return bootstrap_rankings(
        rankings, fit, n_replicates=min(n_replicates, 200) if small else n_replicates,
        refit=small, rng=rng,
    )  # fmt: skip


def _rows(
    names: list[str],
    sets: ChoiceSets,
    fit: RankingFit,
    quasi: FloatArray | NotApplicable,
    weighted: FloatArray,
    draws: FloatArray | NotApplicable,
    level: float,
) -> tuple[RankedItem, ...]:
    m = len(names)
    n_lists = np.bincount(sets.members, minlength=m)
    ranks, again = _ranks(fit.rewards, fit.components), _ranks(weighted, fit.components)
    low, high, first = ranks.copy(), ranks.copy(), np.full(m, np.nan)
    if isinstance(draws, np.ndarray):
        drawn = np.stack([_ranks(row, fit.components) for row in draws])
        low = np.quantile(drawn, (1 - level) / 2, axis=0, method="lower").astype(np.int64)
        high = np.quantile(drawn, (1 + level) / 2, axis=0, method="higher").astype(np.int64)
        first = (drawn == 1).mean(axis=0)
    error = (
        np.full(m, np.nan)
        if isinstance(fit.covariance, NotApplicable)
        else np.sqrt(np.maximum(np.diagonal(fit.covariance), 0.0))
    )
    quasi_ = np.full(m, np.nan) if isinstance(quasi, NotApplicable) else quasi
    order = np.lexsort((-np.nan_to_num(fit.rewards, nan=-np.inf), fit.components))
    return tuple(
        RankedItem(
            name=names[i],
            n_lists=int(n_lists[i]),
            reward=float(fit.rewards[i]),
            error=float(error[i]),
            quasi=float(quasi_[i]),
            clone_weighted=float(weighted[i]),
            rank=int(ranks[i]),
            rank_low=int(low[i]),
            rank_high=int(high[i]),
            rank_clone_weighted=int(again[i]),
            p_first=float(first[i]),
            component=int(fit.components[i]),
        )
        for i in order.tolist()
    )


def _ranks(rewards: FloatArray, components: IntArray) -> IntArray:
    """1 = highest within the component; rewards closer than 1e-9 share the better rank."""
    out = np.zeros(rewards.shape, np.int64)
    value = np.round(np.nan_to_num(rewards, nan=-np.inf), 9)
    for part in np.unique(components):
        at = np.flatnonzero(components == part)
        ordered = np.sort(-value[at])
        out[at] = np.searchsorted(ordered, -value[at], side="left") + 1
    return out
