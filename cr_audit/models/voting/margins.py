"""Who beats whom by how much: margin matrices of the data and of resamples.

margin(x, y) = p(x≻y) - p(y≻x) in [-1, 1], a tie counting half each way; NaN where x and y were not
compared, 0 on the diagonal. Margins are shares, not counts: a pair that was compared more often
does not count more, so that over-sampled pairs decide nothing by their number.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.models.ties.battles import Battles
from cr_audit.models.ties.links import LOSS, WIN

BLOCK = 4_000_000
"""Entries of the margin matrices held at once: 32 MB."""
DIGITS = 12
"""Margins are rounded to so many digits: rounding of sums is not an order."""


def margins_of(rows: Battles, counts: FloatArray) -> FloatArray:
    """Antisymmetric margins float64 (b, m, m) of counts (3, k, b); covariates are added over."""
    m, b = rows.n_items, counts.shape[2]
    key = rows.first * np.int64(m) + rows.second
    pair, inverse = np.unique(key, return_inverse=True)
    ahead, total = counts[WIN] - counts[LOSS], counts.sum(axis=0)
    if pair.shape[0] < key.shape[0]:  # several cells of one pair: with other covariates
        order = np.argsort(inverse, kind="stable")
        start = np.searchsorted(inverse[order], np.arange(pair.shape[0]))
        ahead = np.add.reduceat(ahead[order], start, axis=0)
        total = np.add.reduceat(total[order], start, axis=0)
    share = np.divide(ahead, total, out=np.full_like(total, np.nan), where=total > 0)
    share = np.round(share, DIGITS) + 0.0
    out = np.full((b, m, m), np.nan)
    out[:, np.arange(m), np.arange(m)] = 0.0
    first, second = pair // m, pair % m
    out[:, first, second] = share.T
    out[:, second, first] = -share.T
    return out


def margin_matrix(rows: Battles) -> FloatArray:
    """The data's margins, float64 (m, m)."""
    out: FloatArray = margins_of(rows, rows.counts[:, :, None])[0]
    return out


def observed(rows: Battles) -> BoolArray:
    """Which pairs were compared, bool (m, m)."""
    out = np.zeros((rows.n_items, rows.n_items), np.bool_)
    out[rows.first, rows.second] = out[rows.second, rows.first] = True
    return out


def drawn_margins(
    rows: Battles,
    n_replicates: int,
    rng: np.random.Generator,
    *,
    clusters: IntArray | None = None,
) -> Iterator[FloatArray]:
    """Blocks (b, m, m) of margins of resampled battles (or clusters), ``n_replicates`` in all.

    The draws do not depend on the size of a block. A pair all of whose battles were left out of a
    resample has margin NaN there: the resample knows nothing of it.
    """
    member = None if clusters is None else rows.membership(clusters)
    n_units = round(rows.total) if member is None else int(member.shape[1])
    share = rows.counts.ravel() / rows.total
    size = int(np.clip(BLOCK // max(rows.n_items**2, rows.n_cells), 1, n_replicates))
    for start in range(0, n_replicates, size):
        b = min(size, n_replicates - start)
        if member is None:
            counts = rng.multinomial(n_units, share, size=b).T.astype(np.float64)
        else:
            draw = rng.multinomial(n_units, np.full(n_units, 1.0 / n_units), size=b).T
            counts = np.asarray(member @ draw.astype(np.float64))
        yield margins_of(rows, np.ascontiguousarray(counts).reshape(3, rows.n_cells, b))
