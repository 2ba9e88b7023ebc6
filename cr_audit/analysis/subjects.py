"""Whose rewards are ranked: the fitted items, or means over the models or clone clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from cr_audit.analysis.choice import Unit
from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.analysis.fitting import Fitting
from cr_audit.analysis.reward_facts import Subjects
from cr_audit.analysis.units import cluster_id, nothing_compared
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.data.identity import digest
from cr_audit.labels import contiguous
from cr_audit.models.graph import components_of
from cr_audit.models.rewards.model import Means, Problem


@dataclass(frozen=True, slots=True, eq=False)
class Averages:
    """Subjects, and how their rewards come from those of the fitted items."""

    subjects: Subjects
    means: Means


def subjects_of(
    analysis: Analysis, unit: UnitResult, fitting: Fitting, components: IntArray
) -> Averages | NotApplicable:
    """Rewards of items' own: the items. Rewards of responses from their contexts: means over the
    models where these are the unit, else over clone clusters.

    components : int64 (n_fitted,), of the fit.
    """
    problem = fitting.problem
    if not fitting.model.from_contexts:
        rows = problem.comparisons
        counts = np.bincount(np.concatenate([rows.winner, rows.loser]), minlength=problem.n_items)
        subjects = Subjects(
            unit=unit.unit,
            what=f"{unit.unit}s",
            ids=unit.items.ids,
            names=unit.items.names,
            labels=unit.items.labels,
            components=components,
            n_comparisons=counts.astype(np.int64),
        )
        return Averages(subjects, Means(None))
    if unit.unit == "model":
        names = unit.items.names
        ids = tuple(f"model:{digest('model', name)}" for name in names)
        return _averages(
            analysis.dataset, problem, unit, "model", "mean over a model's responses", ids, names
        )
    if unit.unit == "kind":
        what = "mean over a kind's responses"
        return _averages(
            analysis.dataset, problem, unit, "kind", what, unit.items.ids, unit.items.names
        )
    return _clusters(analysis, unit, problem)


def _averages(
    dataset: PreferenceDataset,
    problem: Problem,
    unit: UnitResult,
    kind: Unit,
    what: str,
    ids: Sequence[str],
    names: Sequence[str],
) -> Averages:
    """Models or kinds: rewards of all are on one scale, that of the contexts."""
    labels, n = unit.items.labels, len(ids)
    between, _ = problem.comparisons.relabel(labels, max(n, 1))
    if between.n == 0:
        raise nothing_compared(kind, dataset, "there is nothing to rank")
    counts = np.bincount(np.concatenate([between.winner, between.loser]), minlength=n)
    subjects = Subjects(
        unit=kind,
        what=what,
        ids=ids,
        names=names,
        labels=labels,
        components=np.where(counts > 0, 0, -1).astype(np.int64),
        n_comparisons=counts.astype(np.int64),
    )
    return Averages(subjects, _means(labels, n))


def _clusters(analysis: Analysis, unit: UnitResult, problem: Problem) -> Averages | NotApplicable:
    """Clone clusters and, beside them, the single responses that they were compared with.

    Components without a cluster of two or more are left out: nothing there could be a mean.
    """
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return clones
    labels, n = clones.labels.labels, clones.labels.n_groups
    between, _ = problem.comparisons.relabel(labels, n)
    component, _ = components_of(between.proportions())
    size = np.bincount(labels, minlength=n)
    holds = np.unique(component[(size > 1) & (component >= 0)])
    kept = np.flatnonzero(np.isin(component, holds) & (component >= 0))
    if kept.size < 2:
        return NotApplicable(
            "no clone cluster was compared with another response; --unit kind ranks kinds of answer"
        )
    place = np.full(n, -1, np.int64)
    place[kept] = np.arange(kept.size)
    subject_of = place[labels]
    counts = np.bincount(np.concatenate([between.winner, between.loser]), minlength=n)[kept]
    frame = analysis.dataset.alternatives
    texts, ids = frame["text"].to_list(), frame["id"].to_list()
    members = np.flatnonzero(subject_of >= 0)
    order = members[np.argsort(subject_of[members], kind="stable")]
    parts = np.split(order, np.flatnonzero(np.diff(subject_of[order])) + 1)
    subjects = Subjects(
        unit="cluster",
        what="mean over a clone cluster's responses",
        ids=tuple(cluster_id([ids[i] for i in part]) for part in parts),
        names=tuple(
            (texts[part[0]] or ids[part[0]])
            + (f" (+{part.size - 1} clones)" if part.size > 1 else "")
            for part in parts
        ),
        labels=subject_of,
        components=contiguous(component[kept]),
        n_comparisons=counts.astype(np.int64),
    )
    return Averages(subjects, _means(subject_of, kept.size))


def _means(labels: IntArray, n: int) -> Means:
    known = np.flatnonzero(labels >= 0)
    size = np.bincount(labels[known], minlength=n)
    share = 1.0 / size[labels[known]]
    return Means(csr_array((share, (labels[known], known)), shape=(n, labels.shape[0])))
