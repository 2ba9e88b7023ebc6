"""How sure the winners and ranks of a voting rule are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.models.ties.battles import Battles
from cr_audit.models.voting.margins import drawn_margins, margin_matrix
from cr_audit.models.voting.rules import RULES, orders


@dataclass(frozen=True, slots=True, eq=False)
class RuleResult:
    """rank, winners : of the data. share_winning : float64 (m,), share of the resamples in which
    the item is among the winners, in equal parts where they are several. rank_low, rank_high :
    int64 (m,), the central ``level`` of the ranks over resamples."""

    rule: str
    rank: IntArray
    winners: IntArray
    share_winning: FloatArray
    rank_low: IntArray
    rank_high: IntArray
    level: float
    n_replicates: int


def bootstrap_rules(
    rows: Battles,
    rules: Sequence[str] = tuple(RULES),
    *,
    n_replicates: int = 1000,
    clusters: IntArray | None = None,
    level: float = 0.95,
    rng: np.random.Generator,
) -> tuple[RuleResult, ...]:
    """Every rule on the same resamples; ``drawn_margins`` says what is drawn.

    Memory: 32 MB of margins and rules x n_replicates x m ranks of 8 bytes.
    """
    m = rows.n_items
    data = margin_matrix(rows)[None]
    ranks = {r: np.empty((n_replicates, m), np.int64) for r in rules}
    won = {r: np.zeros(m) for r in rules}
    at = 0
    for block in drawn_margins(rows, n_replicates, rng, clusters=clusters):
        for r, order in orders(block, rules).items():
            ranks[r][at : at + block.shape[0]] = order.rank
            won[r] += (order.winners / order.winners.sum(axis=1, keepdims=True)).sum(axis=0)
        at += block.shape[0]
    out = []
    for r, order in orders(data, rules).items():
        low, high = _central(ranks[r], level)
        out.append(
            RuleResult(
                rule=r,
                rank=order.rank[0],
                winners=np.flatnonzero(order.winners[0]),
                share_winning=won[r] / n_replicates,
                rank_low=low,
                rank_high=high,
                level=level,
                n_replicates=n_replicates,
            )
        )
    return tuple(out)


def _central(ranks: IntArray, level: float) -> tuple[IntArray, IntArray]:
    tail = 0.5 * (1.0 - level)
    low = np.quantile(ranks, tail, axis=0, method="lower").astype(np.int64)
    high = np.quantile(ranks, 1.0 - tail, axis=0, method="higher").astype(np.int64)
    return low, high
