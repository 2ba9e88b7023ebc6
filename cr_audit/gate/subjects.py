"""What findings of the gate are about, by content identifier, and the rows they name."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import IntArray
from cr_audit.data.identity import digest
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.growth import ClusterGain

MAX_ROWS = 5


def subject_of(kind: str, ids: Iterable[str]) -> str:
    """One identifier of all these together, whatever their order."""
    return f"{kind}:{digest('gate', *sorted(set(ids)))}"


def cluster_subject(effect: BatchEffect, gain: ClusterGain) -> str:
    """The cluster's content identifier."""
    ids = effect.after.dataset.alternatives["id"]
    return cluster_id([ids[i] for i in gain.members.tolist()])


def batch_rows(effect: BatchEffect, positions: IntArray) -> tuple[str, ...]:
    """The first of these comparisons as file:line, in file order."""
    frame = effect.after.dataset.comparisons
    files = [f.path for f in effect.after.dataset.report.files]
    file_of, line_of = frame["file"].to_numpy()[positions], frame["line"].to_numpy()[positions]
    order = np.lexsort((line_of, file_of))[:MAX_ROWS]
    return tuple(f"{files[file_of[k]]}:{line_of[k]}" for k in order.tolist())


def new_rows(effect: BatchEffect, members: IntArray) -> tuple[str, ...]:
    """The first row of each of these alternatives of the batch."""
    found = effect.after.dataset.provenance(members[:MAX_ROWS].tolist(), 1)
    return tuple(row for rows in found for row in rows)


def rows_holding(effect: BatchEffect, members: IntArray) -> list[tuple[str, int]]:
    """(file, line) of every row in which one of these alternatives stands, in file order."""
    mentions = effect.after.dataset.mentions
    at = np.isin(mentions["alternative"].to_numpy(), members)
    file_of, line_of = mentions["file"].to_numpy()[at], mentions["line"].to_numpy()[at]
    files = [f.path for f in effect.after.dataset.report.files]
    found = sorted(set(zip(file_of.tolist(), line_of.tolist(), strict=True)))
    return [(files[file], line) for file, line in found]
