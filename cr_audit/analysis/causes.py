"""Which clone cluster a change comes from: its weights are undone, and the fit is made again."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis.choice import Unit
from cr_audit.analysis.facts import Analysis
from cr_audit.analysis.reward_facts import MOVED, Cause, CloneGroup, Effect
from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.clones.models import model_clones
from cr_audit.data.identity import digest
from cr_audit.models.rewards.changes import restore_weights
from cr_audit.models.rewards.model import FitRewards

MAX_GROUPS = 20
"""Groups of one component that are undone one by one, those whose weight changed most."""
MAX_NAMED = 3
SMALLEST_MOVE = 1e-6
"""A change below this has no cause worth looking for (the fits are exact to less)."""


def clone_groups(
    analysis: Analysis, unit: Unit, labels: IntArray, weights: FloatArray
) -> tuple[CloneGroup, ...] | NotApplicable:
    """Fitted items that are clones of each other, the largest change of weight first.

    unit : of the fitted items. labels : int64 (n_alternatives,), alternative -> fitted item.
    Responses: the clone clusters. Clusters: each cluster of two or more responses by itself, whose
    weight is the mass of all its members' cells. Models: those that copy one another.
    """
    if unit == "kind":
        return NotApplicable("a kind of answer holds its clones")
    if isinstance(analysis.clones, NotApplicable):
        return analysis.clones
    m = weights.shape[0]
    if unit == "model":
        found = _model_groups(analysis, labels, m)
    else:
        clusters = analysis.clones.labels
        sizes = np.bincount(clusters.labels, minlength=clusters.n_groups)
        inside = np.flatnonzero(sizes[clusters.labels] > 1)
        order = inside[np.argsort(clusters.labels[inside], kind="stable")]
        cut = np.flatnonzero(np.diff(clusters.labels[order])) + 1
        found = [_named(analysis, unit, labels, part) for part in np.split(order, cut) if part.size]
    groups = [
        CloneGroup(
            id=group_id,
            name=name,
            members=members,
            item_share=members.size / m,
            weight_mass=float(weights[members].sum()),
        )
        for group_id, name, members in found
    ]
    return tuple(sorted(groups, key=lambda g: (-abs(g.item_share - g.weight_mass), g.id)))


def _named(
    analysis: Analysis, unit: Unit, labels: IntArray, members: IntArray
) -> tuple[str, str, IntArray]:
    frame = analysis.dataset.alternatives
    texts, ids = frame["text"], frame["id"]
    text = next((texts[i] for i in members.tolist() if texts[i]), None) or ids[int(members[0])]
    items = np.unique(labels[members])
    return cluster_id([ids[i] for i in members.tolist()]), text, items[items >= 0]


def _model_groups(
    analysis: Analysis, labels: IntArray, n_models: int
) -> list[tuple[str, str, IntArray]]:
    """Groups of models that copy one another."""
    clones = analysis.clones
    assert not isinstance(clones, NotApplicable)
    prompt = analysis.dataset.prompt_of
    group = model_clones(labels, prompt, clones.labels, n_models).labels
    names = analysis.dataset.models()[1]
    out = []
    for g in np.flatnonzero(np.bincount(group) > 1):
        members = np.flatnonzero(group == g)
        ids = [f"model:{digest('model', names[i])}" for i in members.tolist()]
        out.append((cluster_id(ids), ", ".join(names[i] for i in members.tolist()), members))
    return out


def find_causes(
    groups: tuple[CloneGroup, ...],
    weights: FloatArray,
    components: IntArray,
    subjects_of: FitRewards,
    subject_components: IntArray,
    standard: FloatArray,
    weighted: FloatArray,
    partners: IntArray,
    refit: FitRewards,
) -> tuple[tuple[tuple[Cause, ...], ...], tuple[Effect, ...]]:
    """Per subject, the groups whose restored weights take back most of its change; per group,
    what its weights do.

    The change of subject x is that of r(x) - r(y) with y = partners[x], the subject it changes
    sides with, or of r(x) alone where partners[x] is -1. With group C restored the gap is g':
    share = (g_weighted - g') / (g_weighted - g_standard).
    components : int64 (n_fitted,), subject_components : int64 (n_subjects,); groups of different
    components act on different subjects and are restored in the same refit.
    subjects_of : rewards of the fitted items -> rewards of the subjects.
    """
    n = standard.shape[0]
    other = np.where(partners >= 0, partners, 0)
    alone = partners < 0

    def gap(r: FloatArray) -> FloatArray:
        return np.where(alone, r, r - r[other])

    moved = gap(weighted) - gap(standard)
    found: list[list[Cause]] = [[] for _ in range(n)]
    effects: list[Effect] = []
    for batch in _batches(groups, components):
        changed = weights
        for _, members, component in batch:
            changed = restore_weights(changed, members, component)
        after = subjects_of(refit(changed))
        undone = gap(weighted) - gap(after)
        far = np.abs(weighted - after) >= MOVED
        for position, _, component in batch:
            inside = np.flatnonzero(
                (subject_components == components[component[0]]) & np.isfinite(undone)
            )
            if inside.size == 0:
                continue
            most = int(inside[np.argmax(np.abs(np.round((weighted - after)[inside], 12)))])
            effects.append(
                Effect(
                    group=position,
                    subject=most,
                    shift=float(weighted[most] - after[most]),
                    n_moved=int(far[inside].sum()),
                )
            )
            for x in inside[np.abs(moved[inside]) > SMALLEST_MOVE].tolist():
                found[x].append(Cause(position, float(undone[x] / moved[x])))
    causes = tuple(
        tuple(sorted(named, key=lambda c: (-round(c.share, 9), c.group))[:MAX_NAMED])
        for named in found
    )
    return causes, tuple(sorted(effects, key=lambda e: e.group))


def _batches(
    groups: tuple[CloneGroup, ...], components: IntArray
) -> list[list[tuple[int, IntArray, IntArray]]]:
    """(group, its members, all items of their component); at most one group of each component."""
    order = np.argsort(components, kind="stable")
    starts = np.searchsorted(components[order], np.arange(int(components.max(initial=-1)) + 2))
    batches: list[list[tuple[int, IntArray, IntArray]]] = []
    depth: dict[int, int] = {}
    for position, group in enumerate(groups):
        for c in np.unique(components[group.members]).tolist():
            k = depth.get(c, 0)
            if c < 0 or k >= MAX_GROUPS:
                continue
            members = group.members[components[group.members] == c]
            everyone = np.sort(order[starts[c] : starts[c + 1]])
            if members.size == everyone.size:
                continue
            depth[c] = k + 1
            if k == len(batches):
                batches.append([])
            batches[k].append((position, members, everyone))
    return batches
