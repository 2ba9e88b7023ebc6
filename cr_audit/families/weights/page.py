"""Weights on a page: all of them beside the uniform one, and a map of the alternatives."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.blocks import Block, Chart, Colouring, Map, Number, Section, Series
from cr_audit.clones.layout import plane, spread
from cr_audit.families.weights.facts import WeightFacts
from cr_audit.heads import short
from cr_audit.weights.estimates import Weights
from cr_audit.wording import percent, plural

MAX_POINTS, MAX_OF_ONE = 1_200, 60
"""Points of the map, and of one clone group."""
MAX_NAMED, MAX_BARS, MAX_CURVE = 6, 60, 300
LABEL = 110


def numbers(facts: WeightFacts) -> list[Number]:
    """How many different responses the weights see."""
    w = facts.analysis.weights
    if isinstance(w, NotApplicable):
        return []
    effective = w.effective_number_corrected
    few = effective < 0.5 * w.m
    return [
        Number(
            f"{effective:,.1f}",
            f"effective number of {plural(w.m, 'response')}",
            f"1 / Σw² of the {w.method} weights",
            "warning" if few else "plain",
        )
    ]


def blocks(facts: WeightFacts) -> list[Block]:
    """The map and the weights in order; nothing of either where it was not computed."""
    analysis = facts.analysis
    out: list[Block] = []
    drawn = _map(analysis)
    if drawn is not None:
        note = f"{len(drawn.points):,} of {plural(drawn.n, 'response')} drawn"
        out.append(Section("Map of the responses", note, (drawn,)))
    if not isinstance(analysis.weights, NotApplicable) and analysis.weights.m > 1:
        out.append(Section("Weights in order", "", (_in_order(analysis.weights, facts.voronoi),)))
    return out


def _map(analysis: Analysis) -> Map | None:
    e = analysis.embedding
    if isinstance(e, NotApplicable) or analysis.dataset.n_alternatives < 3:
        return None
    n = analysis.dataset.n_alternatives
    groups = _clusters(analysis)
    shown = spread(n, groups, most=MAX_POINTS, of_one=MAX_OF_ONE)
    shown = shown[np.any(e.response_vectors[shown] != 0, axis=1)]
    if shown.size < 3:
        return None
    joined = analysis.graph()
    if isinstance(joined, NotApplicable):
        return None
    layout = plane(
        e.response_vectors[shown],
        groups[shown],
        lambda nodes, k: joined.among(e.response_vectors, shown[nodes], k),
    )
    names, position = _largest(analysis, groups, shown)
    w = analysis.weights
    times = np.ones(n) if isinstance(w, NotApplicable) else w.weights * w.m
    how = "all of them" if shown.size == n else "clusters first, the others at even distances"
    return Map(
        "Map of the responses",
        f"A layout of the neighbour graph: responses with near vectors are drawn to each other. Of"
        f" the {layout.neighbours} nearest to a response by their vectors {percent(layout.kept)}"
        f" are among its {layout.neighbours} nearest here. Copies stand around each other. Size is"
        f" the weight, colour the cluster or the kind of answer. Drawn: {how}.",
        tuple((float(x), float(y)) for x, y in layout.points),
        tuple(round(float(times[i]), 3) for i in shown),
        (Colouring("cluster", tuple(position[shown].tolist()), names, "no copy of it"),),
        tuple(_label(analysis, int(i), float(times[i])) for i in shown),
        tuple(shown.tolist()),
        n,
    )


def _clusters(analysis: Analysis) -> IntArray:
    """int64 (n,): the clone group of each response, -1 for who has no clone."""
    n = analysis.dataset.n_alternatives
    if isinstance(analysis.clones, NotApplicable):
        return np.full(n, -1, np.int64)
    labels = analysis.clones.labels.labels
    sizes = np.bincount(labels[labels >= 0], minlength=analysis.clones.labels.n_groups)
    alone = (labels < 0) | (sizes[np.maximum(labels, 0)] < 2)
    out: IntArray = np.where(alone, -1, labels)
    return out


def _largest(
    analysis: Analysis, groups: IntArray, shown: IntArray
) -> tuple[tuple[str, ...], IntArray]:
    """Names of the colours, and which of them each response has: -1 for who has no clone."""
    held = groups[shown]
    present = np.unique(held[held >= 0])
    sizes = np.array([int((groups == g).sum()) for g in present], dtype=np.int64)
    ranked = present[np.lexsort((present, -sizes))]
    names = [_group_name(analysis, np.flatnonzero(groups == g)) for g in ranked[:MAX_NAMED]]
    if ranked.size > MAX_NAMED:
        names.append(f"{ranked.size - MAX_NAMED:,} other clusters")
    position: IntArray = np.full(groups.size, -1, np.int64)
    for k, g in enumerate(ranked.tolist()):
        position[groups == g] = min(k, MAX_NAMED)
    return tuple(names), position


def _group_name(analysis: Analysis, members: IntArray) -> str:
    text = analysis.dataset.alternatives["text"][int(members[0])]
    return f"{members.size:,} copies" + (f" of “{short(text, 32)}”" if text else "")


def _label(analysis: Analysis, i: int, times: float) -> str:
    frame = analysis.dataset.alternatives
    model, text = frame["model"][i], frame["text"][i] or frame["key"][i] or frame["id"][i]
    who = f"{short(model, 30)}: " if model else ""
    return f"{who}{short(text, LABEL)} (weight {times:.2f})"


def _in_order(w: Weights, paper: Weights | NotApplicable) -> Chart:
    """Weights in units of the average one, the heaviest first; with errors where they are few.
    Those of the paper, in an order of their own, for comparison."""
    order = w.heaviest()
    few = w.m <= MAX_BARS
    rank = np.arange(w.m) if few else np.unique(np.linspace(0, w.m - 1, MAX_CURVE).astype(np.int64))
    times = (w.weights * w.m)[order][rank]
    error = (w.standard_error * w.m)[order][rank]
    x = tuple(float(k + 1) for k in rank)
    below = float((w.weights * w.m < 0.5).mean())
    low, high = np.maximum(times - 2 * error, 0.0), times + 2 * error
    return Chart(
        "bars" if few else "line",
        "Weights in order",
        f"Weight of each response in units of the average one, the heaviest first; the dashed line"
        f" is one vote each. {percent(below)} of the responses weigh less than half a vote."
        + (" Whiskers: two standard errors of the sampling." if few and error.any() else ""),
        "response, by weight",
        "weight, times 1/m",
        (
            Series(
                w.method,
                x,
                tuple(times.tolist()),
                tuple(low.tolist()) if few and error.any() else (),
                tuple(high.tolist()) if few and error.any() else (),
            ),
            *(
                ()
                if paper is w or isinstance(paper, NotApplicable)
                else (
                    Series(
                        "voronoi, in its own order",
                        x,
                        tuple((np.sort(paper.weights)[::-1] * paper.m)[rank].tolist()),
                    ),
                )
            ),
            Series("uniform", (x[0], x[-1]), (1.0, 1.0), dashed=True),
        ),
    )
