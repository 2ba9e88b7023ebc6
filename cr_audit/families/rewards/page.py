"""Rewards on a page: both fits with their intervals, item by item."""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import FloatArray, NotApplicable
from cr_audit.blocks import Block, Chart, Number, Section, Series, Tone
from cr_audit.families.rewards.facts import RewardFacts
from cr_audit.families.rewards.rules import new_leaders
from cr_audit.heads import named
from cr_audit.models.rewards.changes import Changes
from cr_audit.wording import percent, plural

MAX_DRAWN, NAME = 40, 36


def numbers(facts: RewardFacts) -> list[Number]:
    """Changes beyond noise, and the agreement of the rankings."""
    r = facts.rewards
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        return []
    if isinstance(r.weighted, NotApplicable):
        return []
    n, changed = int(c.flagged.sum()), int(new_leaders(r, c).size)
    tone: Tone = "error" if changed else ("warning" if n else "good")
    label = f"of {plural(s.n, s.unit)} change sides beyond noise"
    note = "the leader among them" if changed else "no leader among them"
    out = [Number(f"{n:,}", label, note, tone)]
    if np.isfinite(c.kendall_tau):
        low, high = c.kendall_tau_interval.tolist()
        note = f"{percent(c.confidence_level)} interval {low:.2f} to {high:.2f}"
        out.append(Number(f"{c.kendall_tau:.2f}", "Kendall's tau of the two rankings", note))
    return out


def blocks(facts: RewardFacts) -> list[Block]:
    """Intervals of both fits; nothing where there is no ranking."""
    r = facts.rewards
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        return []
    known = np.flatnonzero(s.components == 0)
    best = np.minimum(c.rank_standard[known], c.rank_weighted[known])
    if isinstance(r.weighted, NotApplicable):
        best = c.rank_standard[known]
    kept = known[np.lexsort((known, best))][:MAX_DRAWN]
    items = [int(i) for i in kept[np.lexsort((kept, c.rank_standard[kept]))]]
    if len(items) < 2:
        return []
    names = tuple(named(s.names[i], s.unit, NAME) for i in items)
    series = [_series("standard", c.reward_standard, c.interval_standard, items, names)]
    if not isinstance(r.weighted, NotApplicable):
        series.append(_series("weighted", c.reward_weighted, c.interval_weighted, items, names))
    note = f"{len(items):,} of {plural(s.n, s.unit)}"
    return [Section("Rewards with intervals", note, (_chart(c, s.unit, tuple(series)),))]


def _series(
    label: str, rewards: FloatArray, interval: FloatArray, items: list[int], names: tuple[str, ...]
) -> Series:
    return Series(
        label,
        tuple(float(k) for k in range(len(items))),
        tuple(float(rewards[i]) for i in items),
        tuple(float(interval[i, 0]) for i in items),
        tuple(float(interval[i, 1]) for i in items),
        names,
    )


def _chart(c: Changes, unit: str, series: tuple[Series, ...]) -> Chart:
    return Chart(
        "interval",
        "Rewards with intervals",
        f"Reward of each {unit} in log-odds with its {percent(c.confidence_level)} interval,"
        f" from {plural(c.n_replicates, 'replicate')}.",
        "reward, log-odds",
        "",
        series,
    )
