"""Whether the leader after a batch hangs on a few votes, or on one annotator's.

Neither is looked at where ``thresholds.leader-votes`` is 0, the default: it costs two fits and a
search per batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.analysis.penalties import tabular_penalty
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.data.identity import digest
from cr_audit.errors import ComputeError
from cr_audit.findings import Finding, Severity
from cr_audit.gate.naming import item
from cr_audit.gate.rule import GateRule, Question
from cr_audit.gate.subjects import MAX_ROWS
from cr_audit.models.sensitivity.flips import FlipAudit
from cr_audit.models.sensitivity.search import Found
from cr_audit.models.sensitivity.votes import Change
from cr_audit.wording import plural

if TYPE_CHECKING:
    from cr_audit.gate.compare import BatchEffect

_SP = "Strong Preferences Affect the Robustness of Value Alignment, section 3.1"


def _turned(
    analysis: Analysis, unit: UnitResult, most: int, units: IntArray | None
) -> tuple[FlipAudit, Found, float] | None:
    """At most ``most`` units without which another item leads, and the penalty of the fit, which is
    the one that ``refit`` and ``sensitivity`` choose; None where none was found."""
    rows, counted = unit.comparisons, analysis.settings.count_weighted
    if rows.n == 0:
        return None
    penalty, _ = tabular_penalty(analysis, unit)
    weights = np.full(rows.n_items, 1.0 / rows.n_items)
    try:
        audit = FlipAudit(rows, weights, penalty, count_weighted=counted, units=units)
    except ComputeError:
        return None
    orders = audit.leader()
    if isinstance(orders, NotApplicable):
        return None
    found = audit.turned_by(orders, Change.REMOVAL, most)
    return None if found is None else (audit, found, penalty)


def _rows(effect: BatchEffect, within: IntArray) -> tuple[str, ...]:
    """Comparisons of the main unit after the batch as file:line."""
    every, labels = effect.after.dataset.comparison_arrays(), effect.unit.items.labels
    won, lost = labels[every.winner], labels[every.loser]
    lines = np.flatnonzero((won != lost) & (won >= 0) & (lost >= 0))[within[:MAX_ROWS]]
    frame, files = effect.after.dataset.comparisons, effect.after.dataset.report.files
    return tuple(f"{files[frame['file'][i]].path}:{frame['line'][i]}" for i in lines.tolist())


def _hangs(q: Question) -> Iterator[Finding]:
    effect, most = q.effect, q.policy.thresholds.leader_votes
    if most < 1:
        return
    found = _turned(effect.after, effect.unit, most, None)
    if found is None or _turned(effect.before, effect.before.units[0], most, None) is not None:
        return
    audit, flip, penalty = found
    ids, n = effect.unit.items.ids, flip.units.size
    yield LEADER_HANGS.finding(
        f"without {plural(n, 'comparison')} of {effect.unit.comparisons.n:,}"
        f" {item(effect, flip.below)} would lead instead of {item(effect, flip.above)}",
        f"leader:{digest('gate', ids[flip.above])}",
        {
            "leader": ids[flip.above],
            "other": ids[flip.below],
            "n_comparisons": int(n),
            "gap": float(audit.rewards[flip.above] - audit.rewards[flip.below]),
            "penalty": penalty,
        },
        _rows(effect, audit.votes.rows_of(flip.units)),
    )


LEADER_HANGS = GateRule(
    id="CR811",
    name="batch-leader-hangs-on-few-votes",
    severity=Severity.WARNING,
    strict=Severity.ERROR,
    summary="After the batch, leaving out a few comparisons changes who leads.",
    means="Before the batch it took more; the first place is now within the noise of labels.",
    computed=(
        "At most thresholds.leader-votes comparisons whose removal, confirmed by a fit from"
        " scratch, turns the leader of the largest ranking by tabular rewards at the penalty that"
        " refit chooses; only where the baseline has no such set. Off at 0."
    ),
    advice="Collect more on the first two (cr-audit sensitivity --next 50) before publishing.",
    source=_SP,
    thresholds=("leader_votes",),
    judge=_hangs,
)


def _one_annotator(q: Question) -> Iterator[Finding]:
    effect = q.effect
    who = effect.unit.comparisons.annotator
    if q.policy.thresholds.leader_votes < 1 or np.unique(who[who >= 0]).size < 2:
        return
    found = _turned(effect.after, effect.unit, 1, who)
    if found is None:
        return
    audit, flip, penalty = found
    rows = audit.votes.rows_of(flip.units)
    name = effect.after.dataset.annotators[int(who[rows[0]])] if who[rows[0]] >= 0 else "unknown"
    if not _brings(effect, int(who[rows[0]])):
        return
    ids = effect.unit.items.ids
    yield ANNOTATOR_TURNS.finding(
        f"without the {plural(rows.size, 'comparison')} of annotator {name!r}"
        f" {item(effect, flip.below)} would lead instead of {item(effect, flip.above)}",
        f"leader:{digest('gate', ids[flip.above])}",
        {
            "annotator": name,
            "leader": ids[flip.above],
            "other": ids[flip.below],
            "n_comparisons": int(rows.size),
            "penalty": penalty,
        },
        _rows(effect, rows),
    )


def _brings(effect: BatchEffect, annotator: int) -> bool:
    """Whether the annotator judged a row of the batch."""
    mine = effect.after.dataset.comparison_arrays().annotator == annotator
    return bool(np.any(mine & effect.added))


ANNOTATOR_TURNS = GateRule(
    id="CR812",
    name="batch-annotator-turns-leader",
    severity=Severity.WARNING,
    strict=Severity.ERROR,
    summary="After the batch, one of its annotators decides who leads.",
    means="Without this annotator's comparisons another item would lead.",
    computed=(
        "All comparisons of an annotator who judged rows of the batch are left out and the leader"
        " turns, confirmed by a fit from scratch. Looked at where thresholds.leader-votes is not 0."
    ),
    advice="Have the annotator's comparisons judged by others.",
    source=_SP,
    thresholds=("leader_votes",),
    judge=_one_annotator,
)

RULES = (LEADER_HANGS, ANNOTATOR_TURNS)
