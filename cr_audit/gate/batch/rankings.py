"""What a batch does to the ranking and to its graph."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.arrays import BoolArray, NotApplicable
from cr_audit.data.identity import digest
from cr_audit.findings import Finding, Severity
from cr_audit.gate.boundaries import exceeds
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.growth import new_copies
from cr_audit.gate.naming import item, response
from cr_audit.gate.ranking_change import LeaderChange, RankingChange
from cr_audit.gate.rule import PAPER, Evidence, GateRule, Question
from cr_audit.gate.subjects import cluster_subject, new_rows, subject_of
from cr_audit.wording import plural, verb

MAX_NAMED = 5
_NOISE = (
    "Paired multiplier bootstrap over the rows (or annotators, or prompts): old rows get the same"
    " multiplier before and after. Bonferroni over the items that the batch touches."
)


def _leaders(q: Question, *, by_clones: bool) -> list[LeaderChange]:
    """Turns of a first place beyond noise that only clones explain, or that they do not."""
    ranking = q.effect.ranking
    if isinstance(ranking, NotApplicable):
        return []
    return [c for c in ranking.leaders if c.beyond_noise and c.clones_explain == by_clones]


def _leader(effect: BatchEffect, rule: GateRule, what: str, change: LeaderChange) -> Finding:
    ids = effect.unit.items.ids
    evidence: Evidence = {
        "leader_before": ids[change.old],
        "leader_after": ids[change.new],
        "change": change.change,
        "error": change.error,
        "weighted_turns": change.weighted_turns,
        "turns_without_copies": not change.without_copies,
    }
    because, rows = _why_leader_moves(effect, change)
    if change.cause >= 0 and not isinstance(effect.growth, NotApplicable):
        evidence["cluster"] = cluster_subject(effect, effect.growth.gains[change.cause])
    return rule.finding(
        f"{what}: {item(effect, change.new)} leads instead of {item(effect, change.old)}{because}"
        f" (win-rate gap moves by {change.change:.3f} ± {change.error:.3f})",
        f"leaders:{digest('gate', ids[change.old], ids[change.new])}",
        evidence,
        rows,
    )


def _why_leader_moves(effect: BatchEffect, change: LeaderChange) -> tuple[str, tuple[str, ...]]:
    """The part of the sentence that names the copies, and their rows."""
    reasons = []
    rows: tuple[str, ...] = ()
    if change.without_copies:
        copies = plural(change.n_copies, "new copy", "new copies")
        reasons.append(f", but not without the {copies}")
        rows = new_rows(effect, new_copies(effect.growth))
    elif change.clones_explain:
        reasons.append(", but not by clone-robust weights")
    if change.cause >= 0 and not isinstance(effect.growth, NotApplicable):
        gain = effect.growth.gains[change.cause]
        first = int(gain.new[0])
        n = plural(gain.new.size, "copy", "copies")
        reasons.append(f"; at least half of the change is {n} of {response(effect, first)}")
        rows = new_rows(effect, gain.new)
    return "".join(reasons), rows


def _clones_move_leader(q: Question) -> Iterator[Finding]:
    for change in _leaders(q, by_clones=True):
        yield _leader(q.effect, CLONES_MOVE_LEADER, "clones move the leader", change)


CLONES_MOVE_LEADER = GateRule(
    id="CR608",
    name="clones-move-leader",
    severity=Severity.ERROR,
    summary="Another item leads after the batch, and only clones explain it.",
    means=(
        "The standard ranking turns because of copies: the clone-robust one does not turn, or"
        " the turn is gone without the new copies."
    ),
    computed=f"Turn of the first place by average win rate. {_NOISE}",
    advice=(
        "Do not merge before the rows of the copies are dropped, or each copy has the text and"
        " model name of the response it repeats; `cr-audit clones` on baseline and batch shows"
        " them."
    ),
    source=f"{PAPER}, Definitions 2.4 and 4.2",
    telling=1,
    copies="all",
    sums=True,
    judge=_clones_move_leader,
)


def _leader_moves(q: Question) -> Iterator[Finding]:
    for change in _leaders(q, by_clones=False):
        yield _leader(q.effect, LEADER_MOVES, "the leader moves", change)


LEADER_MOVES = GateRule(
    id="CR609",
    name="leader-moves",
    severity=Severity.WARNING,
    strict=Severity.ERROR,
    summary="Another item leads after the batch; clones do not explain it.",
    means="The batch brings evidence that turns the first place.",
    computed=f"Turn of the first place by average win rate. {_NOISE}",
    advice="Read who judged the batch and which opponents it brings.",
    telling=2,
    judge=_leader_moves,
)


def _below_the_first(ranking: RankingChange) -> BoolArray:
    """bool per turned pair: no turn of a first place, which has a rule of its own."""
    flips, lead = ranking.effect.average.flips, {(c.old, c.new) for c in ranking.leaders}
    pairs = zip(flips.ahead.tolist(), flips.behind.tolist(), strict=True)
    return np.array([pair not in lead for pair in pairs], dtype=np.bool_)


def _turned(
    effect: BatchEffect, ranking: RankingChange, rule: GateRule, mask: BoolArray, why: str = ""
) -> Iterator[Finding]:
    flips, unit = ranking.effect.average.flips, effect.unit
    at = np.flatnonzero(mask)
    if at.size == 0:
        return
    first = at[np.argsort(-flips.change[at], kind="stable")][:MAX_NAMED]
    evidence: Evidence = {"n_pairs": int(at.size)}
    for number, k in enumerate(first.tolist(), 1):
        ahead, behind = int(flips.ahead[k]), int(flips.behind[k])
        evidence[f"pair_{number}"] = f"{unit.items.ids[behind]} passes {unit.items.ids[ahead]}"
        evidence[f"change_{number}"] = float(flips.change[k])
        evidence[f"error_{number}"] = float(flips.error[k])
    items = np.unique(np.concatenate([flips.ahead[at], flips.behind[at]]))
    ahead, behind = int(flips.ahead[first[0]]), int(flips.behind[first[0]])
    change = verb(at.size, "changes", "change")
    yield rule.finding(
        f"{plural(at.size, 'pair')} of {unit.unit}s {change} order by average win rate, most of all"
        f" {item(effect, behind)} passing {item(effect, ahead)}{why}",
        subject_of("items", (unit.items.ids[i] for i in items.tolist())),
        evidence,
    )


def _clones_move_ranks(q: Question) -> Iterator[Finding]:
    ranking = q.effect.ranking
    if not isinstance(ranking, NotApplicable):
        by_clones = ranking.clone_pairs & _below_the_first(ranking)
        why = "; by clone-robust weights they keep it"
        yield from _turned(q.effect, ranking, CLONES_MOVE_RANKS, by_clones, why)


CLONES_MOVE_RANKS = GateRule(
    id="CR610",
    name="clones-move-ranks",
    severity=Severity.WARNING,
    strict=Severity.ERROR,
    summary="Items change order, and only clones explain it.",
    means="As CR608, below the first place.",
    computed=f"Turned pairs by average win rate that stand by the weighted one. {_NOISE}",
    advice="Look at the clusters under CR604 and CR607.",
    source=f"{PAPER}, Definition 4.2",
    telling=6,
    copies="all",
    sums=True,
    judge=_clones_move_ranks,
)


def _ranks_move(q: Question) -> Iterator[Finding]:
    ranking = q.effect.ranking
    if not isinstance(ranking, NotApplicable):
        beyond = ranking.effect.average.flips.beyond_noise & ~ranking.clone_pairs
        yield from _turned(q.effect, ranking, RANKS_MOVE, beyond & _below_the_first(ranking))


RANKS_MOVE = GateRule(
    id="CR611",
    name="ranks-move",
    severity=Severity.NOTE,
    summary="Items change order beyond noise.",
    means="The batch brings evidence about their order.",
    computed=f"Turned pairs by average and weighted win rate. {_NOISE}",
    advice="Nothing, if the batch was collected as the baseline was.",
    judge=_ranks_move,
)


def _win_rates_move(q: Question) -> Iterator[Finding]:
    ranking = q.effect.ranking
    if isinstance(ranking, NotApplicable):
        return
    rates, unit = ranking.effect.average, q.effect.unit
    size = np.abs(np.nan_to_num(rates.change))
    limit = q.policy.thresholds.win_rate_change
    at = np.flatnonzero(rates.beyond_noise)
    at = np.array([i for i in at.tolist() if exceeds(float(size[i]), limit)], dtype=np.int64)
    if at.size == 0:
        return
    top = int(at[np.argmax(size[at])])
    whose = f"the win rate of {item(q.effect, top)} moves beyond noise"
    if at.size > 1:
        many = plural(at.size, unit.unit)
        whose = f"the win rates of {many} move beyond noise, most that of {item(q.effect, top)}"
    yield WIN_RATES_MOVE.finding(
        f"{whose}: {rates.before[top]:.3f} to {rates.after[top]:.3f} (± {rates.error[top]:.3f})",
        subject_of("items", (unit.items.ids[i] for i in at.tolist())),
        {
            "n_items": int(at.size),
            "largest": unit.items.ids[top],
            "change": float(rates.change[top]),
            "error": float(rates.error[top]),
        },
    )


WIN_RATES_MOVE = GateRule(
    id="CR612",
    name="win-rates-move",
    severity=Severity.WARNING,
    lenient=Severity.NOTE,
    summary="Average win rates of old items move beyond noise.",
    means="The batch's opponents or annotators differ from the baseline's.",
    computed=f"Change above thresholds.win-rate-change and beyond noise. {_NOISE}",
    advice="Compare who was compared with whom, and by whom.",
    thresholds=("win_rate_change",),
    judge=_win_rates_move,
)


def _graph_weakens(q: Question) -> Iterator[Finding]:
    unit = q.effect.unit.unit
    before, after = q.effect.before.units[0].graph, q.effect.unit.graph
    if before.n_components != 1:
        return
    parts = []
    if after.n_components > 1:
        parts.append(f"{after.n_components:,} separate components where there was one")
    if before.unpenalised_fit_exists and not after.unpenalised_fit_exists:
        parts.append("a fit without a penalty no longer exists")
    if parts:
        yield GRAPH_WEAKENS.finding(
            f"comparisons by {unit}: " + "; ".join(parts),
            f"unit:{unit}",
            {
                "n_components_before": before.n_components,
                "n_components_after": after.n_components,
                "fit_before": before.unpenalised_fit_exists,
                "fit_after": after.unpenalised_fit_exists,
            },
        )


GRAPH_WEAKENS = GateRule(
    id="CR613",
    name="graph-weakens",
    severity=Severity.WARNING,
    lenient=Severity.NOTE,
    summary="The comparison graph was whole and is not after the batch.",
    means="New items cannot be ranked against the old ones, or a fit without penalty is lost.",
    computed="Connected components and Ford's condition before and after, for the main unit.",
    advice="Collect comparisons between new and old items.",
    judge=_graph_weakens,
)

RULES = (
    CLONES_MOVE_LEADER,
    LEADER_MOVES,
    CLONES_MOVE_RANKS,
    RANKS_MOVE,
    WIN_RATES_MOVE,
    GRAPH_WEAKENS,
)
