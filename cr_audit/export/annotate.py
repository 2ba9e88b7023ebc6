"""What is known of every row: its weight, the clusters of its two sides, and the rules it meets.

The weight of a row is that of the judgement in it. With alternative weights w (``weights.scheme``;
those of a weighted fit) and the data's own mass k of each comparison (i, j) of the row

    raw = Σ k w_i w_j / Σ k                     comparisons
    raw = mean of w_i w_j over the pairs        a list, by the same formula over its pairs
    raw = w_i                                   ratings, in data without comparisons and lists

and the weight is raw divided by its mean over all rows with a judgement, so that it is 1 on
average and a learning rate keeps its meaning. Two copies of one response share the weight of one:
the term of a pair in the weighted objective is w_i w_j (docs/methods.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cr_audit.analysis.facts import Analysis, NamedKinds
from cr_audit.analysis.fitting import how_weighed
from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.data.lookalikes import has_no_visible_character
from cr_audit.errors import ComputeError
from cr_audit.export.outcome import Weighting
from cr_audit.readers.implied import contradicting, repeated, several_times
from cr_audit.weights.estimates import Weights

PAIRS = "w_i * w_j of the row's comparison (mean over several), divided by the mean over all rows"
RATED = "w_i of the rated response (mean over several), divided by the mean over all rows"
SOURCE = "clone-robust weighted objective, term of a pair (docs/methods.md)"


def keys(file: pl.Series, line: pl.Series) -> IntArray:
    """One number per row of the files, ascending in the order of reading: int64 (n,)."""
    out: IntArray = file.to_numpy().astype(np.int64) << 44 | line.to_numpy().astype(np.int64)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class RowTable:
    """Rows that hold anything. key : int64 (n,), ascending, see ``keys``. winner, loser : int64
    (n,), the alternatives of rows with one pair alone, -1 elsewhere; of a tie in the row's order.
    judged : bool (n,), rows with a comparison or a list.
    """

    key: IntArray
    winner: IntArray
    loser: IntArray
    judged: BoolArray

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.key.size)

    def at(self, key: IntArray) -> IntArray:
        """Positions of rows by their keys."""
        return np.searchsorted(self.key, key).astype(np.int64)


def row_table(data: PreferenceDataset) -> RowTable:
    """The rows of a data set, from file and line of what was read in them."""
    c, s, m = data.comparisons, data.choice_sets, data.mentions
    of_pairs, of_sets = keys(c["file"], c["line"]), keys(s["file"], s["line"])
    key = np.unique(np.concatenate([of_pairs, of_sets, keys(m["file"], m["line"])]))
    winner, loser = np.full(key.size, -1), np.full(key.size, -1)
    if of_pairs.size:
        a, b = c["winner"].to_numpy().astype(np.int64), c["loser"].to_numpy().astype(np.int64)
        pair = np.minimum(a, b) << 32 | np.maximum(a, b)
        order = np.argsort(of_pairs, kind="stable")
        at, first = np.unique(of_pairs[order], return_index=True)
        low = np.minimum.reduceat(pair[order], first)
        high = np.maximum.reduceat(pair[order], first)
        where, chosen = np.searchsorted(key, at)[low == high], order[first[low == high]]
        winner[where], loser[where] = a[chosen], b[chosen]
    judged = np.isin(key, of_pairs) | np.isin(key, of_sets)
    listed = np.isin(key, of_sets)
    winner[listed] = loser[listed] = -1
    return RowTable(key, winner, loser, judged)


@dataclass(frozen=True, slots=True, eq=False)
class RowWeights:
    """weight : float64 (n,), mean 1 over the rows with a judgement, 0 elsewhere. of : float64
    (n_alternatives,), weights of the alternatives times their number."""

    weight: FloatArray
    of: FloatArray
    weighting: Weighting


def row_weights(analysis: Analysis, table: RowTable) -> RowWeights:
    """Weights of the rows by those of the responses.

    Raises ComputeError ``no-weights`` where there are none, ``no-mass`` where all are 0.
    """
    weights = analysis.weights
    if isinstance(weights, NotApplicable):
        raise ComputeError(
            "no-weights",
            f"rows cannot be weighed: {weights.reason}",
            next_step="choose an encoder with --model, or give --embeddings",
        )
    raw, used, formula = _raw(analysis.dataset, table, weights)
    total = float(raw.sum())
    if not total > 0:
        raise ComputeError(
            "no-mass",
            "the weights of all rows are 0",
            next_step="use other weights, for example --weights sharing",
        )
    weight = raw * (used.sum() / total)
    weighting = Weighting(
        scheme=weights.method,
        reason=how_weighed(analysis.settings, weights.settings).reason,
        formula=formula,
        source=SOURCE,
        n_rows=int(used.sum()),
        effective_size=float(total**2 / np.sum(raw**2)),
    )
    return RowWeights(weight, weights.weights * weights.m, weighting)


def _raw(
    data: PreferenceDataset, table: RowTable, weights: Weights
) -> tuple[FloatArray, BoolArray, str]:
    """Weights before they are scaled, which rows have one, and the formula."""
    w, n = weights.weights, table.n
    if not table.judged.any():
        m = data.mentions
        at, who = table.at(keys(m["file"], m["line"])), m["alternative"].to_numpy()
        return (
            np.bincount(at, w[who], n) / np.maximum(np.bincount(at, minlength=n), 1),
            np.ones(n, bool),
            RATED,
        )
    c, s, k = data.comparisons, data.choice_sets, data.choice_members
    at, mass = table.at(keys(c["file"], c["line"])), c["mass"].to_numpy()
    both = w[c["winner"].to_numpy()] * w[c["loser"].to_numpy()]
    # Of nothing at all bincount gives integers.
    top = np.bincount(at, mass * both, n).astype(np.float64)
    bottom = np.bincount(at, mass, n).astype(np.float64)
    if s.height:
        of, who = k["set"].to_numpy(), w[k["alternative"].to_numpy()]
        one, two = np.bincount(of, who, s.height), np.bincount(of, who**2, s.height)
        size = s["n_members"].to_numpy().astype(np.float64)
        pairs = (one**2 - two).clip(0) / (size * (size - 1))
        at, mass = table.at(keys(s["file"], s["line"])), s["mass"].to_numpy()
        top += np.bincount(at, mass * pairs, n)
        bottom += np.bincount(at, mass, n)
    return np.divide(top, bottom, out=np.zeros(n), where=bottom > 0), table.judged, PAIRS


def clusters_of(analysis: Analysis) -> list[str | None]:
    """The clone cluster of each alternative, as the report names it; None without one."""
    clones, n = analysis.clones, analysis.dataset.n_alternatives
    if isinstance(clones, NotApplicable):
        return [None] * n
    labels, ids = clones.labels.labels, analysis.dataset.alternatives["id"].to_list()
    sizes = np.bincount(labels)
    out: list[str | None] = [None] * n
    order = np.argsort(labels, kind="stable")
    order = order[sizes[labels[order]] > 1]
    if order.size:
        for members in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
            name = cluster_id([ids[i] for i in members.tolist()])
            for i in members.tolist():
                out[i] = name
    return out


def kinds_of(kinds: NamedKinds | NotApplicable, n: int) -> list[str | None]:
    """The kind of each of n responses, or prompts, as the report names it; None without one."""
    if isinstance(kinds, NotApplicable):
        return [None] * n
    # The last place is asked for by -1: of no kind.
    names: list[str | None] = [*kinds.ids, None]
    return [names[k] for k in kinds.found.labels.tolist()]


def flags_of(analysis: Analysis, table: RowTable) -> list[tuple[str, ...]]:
    """The rules that each row meets, by id, ascending: copies, boilerplate, cloned prompts,
    contradictions, repeats, empty answers."""
    data, clones = analysis.dataset, analysis.clones
    n, n_alternatives = table.n, data.n_alternatives
    m = data.mentions
    at, who = table.at(keys(m["file"], m["line"])), m["alternative"].to_numpy()

    def rows(marked: BoolArray) -> IntArray:
        return np.unique(at[marked[who]])

    found: dict[str, IntArray] = {}
    if not isinstance(clones, NotApplicable):
        marks = {rule: np.zeros(n_alternatives, bool) for rule in ("CR101", "CR102", "CR103")}
        prompts = np.zeros(data.n_prompts, bool)
        for c in clones.clusters:
            if c.kind == "loose":
                continue
            if c.scope == "prompt":
                prompts[c.members] = True
            elif c.scope == "boilerplate":
                marks["CR103"][c.members] = True
            else:
                marks["CR102" if c.kind == "exact" else "CR101"][c.members] = True
        found = {rule: rows(marked) for rule, marked in marks.items()}
        found["CR104"] = rows(prompts[data.prompt_of])
    if data.comparisons.height:
        several = several_times(data.comparisons)
        for rule, some in (("CR402", contradicting(several)), ("CR403", repeated(several))):
            found[rule] = np.unique(table.at(keys(some["file"], some["line"])))
    found["CR405"] = rows(np.array([_is_empty(t) for t in data.alternatives["text"]], bool))
    out: list[list[str]] = [[] for _ in range(n)]
    for rule in sorted(found):
        for i in found[rule].tolist():
            out[i].append(rule)
    return [tuple(x) for x in out]


def _is_empty(text: str | None) -> bool:
    if text is None:
        return False
    return not text or (len(text) < 100 and not text.isascii() and has_no_visible_character(text))


def skipped_flags(data: PreferenceDataset) -> dict[int, str]:
    """The rule of each row that was not read, by its key: CR404 for identical pairs, else CR401."""
    return {
        file << 44 | line: "CR404" if reason == "identical_pair" else "CR401"
        for reason, file, line in data.report.skipped_rows
    }
