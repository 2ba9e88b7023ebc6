"""``gate`` and ``verdict`` of the JSON contract: what a batch changed, and what it came to.

The rest of the document is that of an audit of baseline and batch together; its findings are the
gate's, each with its bin.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.findings import BINS
from cr_audit.gate import agreement, growth
from cr_audit.gate.decision import Decision
from cr_audit.gate.ranking_change import LeaderChange
from cr_audit.gate.subjects import cluster_subject
from cr_audit.models.graph import Dominance, GraphHealth
from cr_audit.models.rankings.added import RateChange
from cr_audit.wire import (
    ABSENT,
    ClusterId,
    ContentId,
    Count,
    Finding,
    ItemId,
    Missing,
    NotNegative,
    Rank,
    Resolved,
    Share,
    finding,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A waiver of the policy and what it did. expires: the last day on which it holds."""

    rule: str
    fingerprint: str
    reason: str
    owner: str
    expires: str
    n_matched: Count
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """A key in which the checkout's own settings differ from those that judged."""

    key: str
    judged: str
    own: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What was looked at, how strictly, and what fails. severities: by rule, "off" for none.
    commit: that the policy was read from. own_changes: what the checkout's own would have changed.
    changed_baseline: files of the baseline that are not as that commit holds them.
    """

    profile: str
    source: str
    fail_on: str
    confidence_level: Share
    max_unreadable: Share
    severities: dict[str, str]
    thresholds: dict[str, float]
    waivers: list[Waiver]
    commit: str | NotApplicable
    own_changes: list[PolicyChange] | NotApplicable
    changed_baseline: list[str] | NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The data that the batch would join."""

    files: list[str]
    n_comparisons: Count
    n_alternatives: Count
    n_prompts: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How the batch was read, and what it adds."""

    files: list[str]
    rows_read: Count
    rows_skipped: Count
    skipped_by_reason: dict[str, Count]
    n_comparisons: Count
    n_new_alternatives: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradictions:
    """Judgements of known pairs that go against the baseline, beside those expected to."""

    n: Count
    n_against: Count
    share: Share
    expected: Share
    n_expected: Count
    p_value: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Judgements of the batch that the baseline holds already."""

    n: Count
    n_repeated: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowingCluster:
    """A cluster with new members. Pairs of values: before and after the batch. new: identifiers;
    rows_new: of each of them all its rows. chance: of as many, if copies came as in the baseline.
    """

    id: ClusterId
    scope: str
    size: Rank
    new: list[ContentId]
    diameter: NotNegative
    item_share: list[Share]
    scope_share: list[Share]
    batch_share: Share
    weight_mass: list[Share | None]
    weight_error: NotNegative | None
    n_rows_new: Count
    rows_new: list[list[str]]
    chance: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneRate:
    """Responses that have a copy, among old and new ones. expected: of the new ones."""

    n_old: Count
    n_copied_old: Count
    n_new: Count
    n_copied_new: Count
    expected: NotNegative
    p_value: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneRates:
    """response: copies under one prompt; boilerplate: one answer under many prompts."""

    response: CloneRate | NotApplicable
    boilerplate: CloneRate | NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """The first place of one component, where another item takes it. change, standard_error: of
    the difference of their average win rates."""

    component: Count
    before: ItemId
    after: ItemId
    change: float
    standard_error: NotNegative
    beyond_noise: bool
    weighted_turns: bool
    turns_without_copies: bool
    clones_explain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A win rate and rank before and after the batch; null where the item had none."""

    rate: list[Share | None]
    rank: list[Count]
    change: float | None
    standard_error: NotNegative | None
    beyond_noise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedItem:
    """An item that the batch touches. weighted: where there are weights."""

    id: ItemId
    average: Change
    weighted: Change | Missing = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingChange:
    """What the batch does to the win rates and the order of the main unit."""

    unit: str
    resampled: Resolved
    n_replicates: Count
    confidence_level: Share
    critical_value: NotNegative
    n_turned_pairs: Count
    n_turned_beyond_noise: Count
    n_turned_by_clones: Count
    leaders: list[Leader]
    items: list[ChangedItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphState:
    """What the comparisons of the main unit can carry."""

    n_components: Count
    unpenalised_fit_exists: bool
    n_undefeated: Count
    n_winless: Count
    median_comparisons_per_item: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphChange:
    """The comparison graph before and after the batch."""

    unit: str
    before: GraphState
    after: GraphState


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a batch does to its baseline. clone_rate: clone_rates.response, as in earlier
    versions. largest_annotator, largest_prompt: the largest share of rows, before and in the batch.
    """

    policy: Policy
    baseline: Baseline
    batch: Batch
    contradictions: Contradictions | NotApplicable
    repeats: Repeats | NotApplicable
    clusters: list[GrowingCluster] | NotApplicable
    clone_rate: CloneRate | NotApplicable
    clone_rates: CloneRates | NotApplicable
    ranking: RankingChange | NotApplicable
    graph: GraphChange
    largest_annotator: list[Share | NotApplicable]
    largest_prompt: list[Share | NotApplicable]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFinding:
    """A known finding that this run did not find."""

    fingerprint: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """May this batch be merged? failing, baselined (known), waived, below_threshold: every finding
    is in one of them, by its fingerprint."""

    pass_: bool
    reason: str
    failing: list[ContentId]
    baselined: list[ContentId]
    waived: list[ContentId]
    below_threshold: list[ContentId]
    vanished: list[KnownFinding]


PARTS = {"gate": Gate, "verdict": Verdict | NotApplicable}
REQUIRED = ()


def parts(decision: Decision) -> dict[str, Any]:
    """The records of one run."""
    return {"gate": _gate(decision), "verdict": _verdict(decision)}


def findings(decision: Decision) -> list[Finding]:
    """The findings, each with its bin and whether it is known."""
    return [finding(j.finding, j.bin, j.known) for j in decision.verdict.judged]


def _verdict(decision: Decision) -> Verdict:
    verdict = decision.verdict
    return Verdict(
        pass_=verdict.passed,
        reason=verdict.reason,
        **{b: [j.finding.fingerprint for j in verdict.of(b)] for b in BINS},
        vanished=[
            KnownFinding(fingerprint=k.fingerprint, rule=k.rule, message=k.message)
            for k in verdict.vanished
        ],
    )


def _gate(decision: Decision) -> Gate:
    effect = decision.effect
    before, batch = effect.before.dataset, effect.batch
    return Gate(
        policy=_policy(decision),
        baseline=Baseline(
            files=list(decision.baseline_files),
            n_comparisons=before.comparisons.height,
            n_alternatives=before.n_alternatives,
            n_prompts=before.n_prompts,
        ),
        batch=Batch(
            files=list(decision.batch_files),
            rows_read=batch.rows_read,
            rows_skipped=batch.rows_skipped,
            skipped_by_reason=dict(batch.skipped_by_reason),
            n_comparisons=int(effect.added.sum()),
            n_new_alternatives=int(effect.is_new.sum()),
        ),
        contradictions=_contradictions(effect.contradictions),
        repeats=effect.repeats
        if isinstance(effect.repeats, NotApplicable)
        else Repeats(n=effect.repeats.n, n_repeated=effect.repeats.n_repeated),
        clusters=_clusters(decision),
        clone_rate=effect.growth
        if isinstance(effect.growth, NotApplicable)
        else _clone_rate(effect.growth.rate),
        clone_rates=effect.growth
        if isinstance(effect.growth, NotApplicable)
        else CloneRates(**{s: _clone_rate(r) for s, r in effect.growth.rates.items()}),
        ranking=_ranking(decision),
        graph=GraphChange(
            unit=effect.unit.unit,
            before=_graph(effect.before.units[0].graph),
            after=_graph(effect.unit.graph),
        ),
        largest_annotator=[_share(x) for x in effect.annotators],
        largest_prompt=[_share(x) for x in effect.prompts],
    )


def _policy(decision: Decision) -> Policy:
    policy = decision.policy
    limits, changed = policy.thresholds, decision.changed_baseline
    return Policy(
        profile=policy.profile,
        source=policy.source,
        fail_on=policy.fail_on,
        confidence_level=policy.confidence_level,
        max_unreadable=policy.max_unreadable,
        severities={k: str(v) if v else "off" for k, v in policy.severities.items()},
        thresholds={f.name: getattr(limits, f.name) for f in fields(limits)},
        waivers=[
            Waiver(
                rule=u.waiver.rule,
                fingerprint=u.waiver.fingerprint,
                reason=u.waiver.reason,
                owner=u.waiver.owner,
                expires=u.waiver.expires.isoformat(),
                n_matched=u.n_matched,
                expired=u.expired,
            )
            for u in decision.verdict.waivers
        ],
        commit=NotApplicable("the policy was read from a file")
        if decision.judging is None or not decision.judging.commit
        else decision.judging.commit,
        own_changes=decision.own_changes
        if isinstance(decision.own_changes, NotApplicable)
        else [PolicyChange(key=c.key, judged=c.judged, own=c.own) for c in decision.own_changes],
        changed_baseline=changed if isinstance(changed, NotApplicable) else list(changed),
    )


def _contradictions(
    c: agreement.Contradictions | NotApplicable,
) -> Contradictions | NotApplicable:
    if isinstance(c, NotApplicable):
        return c
    return Contradictions(
        n=c.n,
        n_against=c.n_against,
        share=c.share,
        expected=c.expected,
        n_expected=c.n_expected,
        p_value=c.p_value,
    )


def _clusters(decision: Decision) -> list[GrowingCluster] | NotApplicable:
    grown = decision.effect.growth
    if isinstance(grown, NotApplicable):
        return grown
    data = decision.effect.after.dataset
    ids = data.alternatives["id"]
    new = sorted({i for g in grown.gains for i in g.new.tolist()})
    rows = dict(zip(new, data.provenance(new, data.mentions.height), strict=True))
    return [
        GrowingCluster(
            id=cluster_subject(decision.effect, g),
            scope=g.scope,
            size=int(g.members.size),
            new=[ids[i] for i in g.new.tolist()],
            diameter=g.diameter,
            item_share=[g.item_share_before, g.item_share_after],
            scope_share=[g.scope_share_before, g.scope_share_after],
            batch_share=g.batch_share,
            weight_mass=[g.weight_before, g.weight_after],
            weight_error=g.weight_error,
            n_rows_new=g.n_rows_new,
            rows_new=[list(rows[i]) for i in g.new.tolist()],
            chance=g.chance,
        )
        for g in grown.gains
    ]


def _clone_rate(r: growth.CloneRate | NotApplicable) -> CloneRate | NotApplicable:
    if isinstance(r, NotApplicable):
        return r
    return CloneRate(
        n_old=r.n_old,
        n_copied_old=r.n_copied_old,
        n_new=r.n_new,
        n_copied_new=r.n_copied_new,
        expected=r.expected,
        p_value=r.p_value,
    )


def _ranking(decision: Decision) -> RankingChange | NotApplicable:
    ranking = decision.effect.ranking
    if isinstance(ranking, NotApplicable):
        return ranking
    effect, items = ranking.effect, decision.effect.unit.items
    flips = effect.average.flips
    return RankingChange(
        unit=items.unit,
        resampled=Resolved(value=ranking.resampled.value, reason=ranking.resampled.reason),
        n_replicates=effect.n_replicates,
        confidence_level=effect.confidence_level,
        critical_value=effect.critical_value,
        n_turned_pairs=flips.n,
        n_turned_beyond_noise=int(flips.beyond_noise.sum()),
        n_turned_by_clones=int(ranking.clone_pairs.sum()),
        leaders=[_leader(c, items.ids) for c in ranking.leaders],
        items=[
            ChangedItem(
                id=items.ids[i],
                average=_change(effect.average, i),
                weighted=ABSENT if effect.weighted is None else _change(effect.weighted, i),
            )
            for i in np.flatnonzero(effect.touched).tolist()
        ],
    )


def _leader(c: LeaderChange, ids: Any) -> Leader:
    return Leader(
        component=c.component,
        before=ids[c.old],
        after=ids[c.new],
        change=c.change,
        standard_error=c.error,
        beyond_noise=c.beyond_noise,
        weighted_turns=c.weighted_turns,
        turns_without_copies=not c.without_copies,
        clones_explain=c.clones_explain,
    )


def _change(rates: RateChange, i: int) -> Change:
    return Change(
        rate=[rates.before[i], rates.after[i]],
        rank=[int(rates.rank_before[i]), int(rates.rank_after[i])],
        change=rates.change[i],
        standard_error=rates.error[i],
        beyond_noise=bool(rates.beyond_noise[i]),
    )


def _graph(graph: GraphHealth) -> GraphState:
    return GraphState(
        n_components=graph.n_components,
        unpenalised_fit_exists=graph.unpenalised_fit_exists,
        n_undefeated=graph.undefeated.size,
        n_winless=graph.winless.size,
        median_comparisons_per_item=graph.comparisons_per_item.median,
    )


def _share(dominance: Dominance | NotApplicable) -> float | NotApplicable:
    return dominance if isinstance(dominance, NotApplicable) else dominance.share
