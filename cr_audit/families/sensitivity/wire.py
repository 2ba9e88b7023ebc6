"""``sensitivity`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cr_audit.arrays import NotApplicable
from cr_audit.families.sensitivity import facts as of
from cr_audit.wire import ContentId, Count, ItemId, NotNegative, Rank, Resolved, Share, Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class FragilePair:
    """A pair that was compared once at most, and the chain start, middle, end that predicts it.
    sensitivity: M, the derivative of p(start, end) by p(start, middle) along the chain; influence:
    the same in the penalised fit; *_error: one standard error."""

    start: ItemId
    middle: ItemId
    end: ItemId
    p_head: Share
    p_tail: Share
    p_chain: Share
    sensitivity: NotNegative
    head_error: NotNegative
    chain_error: NotNegative
    harm: NotNegative
    n_direct: NotNegative
    n_head: Count
    n_head_annotators: Count
    n_head_prompts: Count
    fitted: Share
    influence: float
    fitted_error: NotNegative
    fitted_weighted: Share | NotApplicable
    influence_weighted: float | NotApplicable
    n_copies: Rank
    error_dominates: bool
    rows: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrongPreference:
    """A dominant preference of few votes; n_hanging: listed pairs that hang on it."""

    winner: ItemId
    loser: ItemId
    p: Share
    n_rows: Count
    n_annotators: Count
    n_prompts: Count
    n_hanging: Count
    n_copies: Rank
    rows: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """An annotator without whom n_cut_off items leave their ranking."""

    annotator: str
    n_cut_off: Count
    n_rows: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """How many units (comparisons, annotators, ...) must change to change an answer: no fewer than
    lower (proved); upper, a set that was refitted, is enough. predicted: what one-step influence
    foretells. curvature_share: of the bound that fails at lower; near 1 the proof is loose. rows:
    the first comparisons of the set."""

    question: str
    k: Rank
    items: list[ItemId]
    component: Count
    n_comparisons: Count
    fit: str
    unit: str
    change: str
    lower: Rank
    upper: Rank | NotApplicable
    exact: bool
    above: ItemId
    below: ItemId
    gap: NotNegative
    predicted: Count
    curvature_share: Share
    n_units: Count
    n_rows: Count
    rows: list[str]
    names: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextVote:
    """A comparison to collect, and by how much it lowers the expected number of others that are
    truly better than the leader."""

    first: ItemId
    second: ItemId
    fall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NextVotes:
    """Comparisons to collect, in order, to know the leader by the votes alone; width: of the
    interval of its gap to the rival now, and after how many votes it is at most wanted_width."""

    leader: ItemId
    rival: ItemId
    votes: list[NextVote]
    probability_wrong: NotNegative
    probability_wrong_after: NotNegative
    width: NotNegative
    wanted_width: NotNegative
    n_until: Count | NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which of two answers to a prompt is better, and how many comparisons could turn it."""

    above: ContentId
    below: ContentId
    lower: Rank
    upper: Rank | NotApplicable
    rows: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hanging:
    """How many decisions are not proved to stand when any k comparisons go."""

    k: Rank
    n: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Within-prompt decisions of a linear reward."""

    n: Count
    n_hanging: list[Hanging]
    most_fragile: list[Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """Which predictions and answers hang on a few votes. threshold: of M."""

    unit: str
    n_items: Count
    n_comparisons: Count
    n_components: Count
    penalty: NotNegative
    penalty_choice: Resolved
    weighted: str | NotApplicable
    threshold: NotNegative
    n_sensitive: Count
    n_skipped: Count
    fragile: list[FragilePair]
    n_dominant: Count
    n_dominant_thin: Count
    strong: list[StrongPreference]
    holders: list[Holder]
    flips: list[Flip] | NotApplicable
    next: NextVotes | NotApplicable
    decisions: Decisions | NotApplicable


PARTS = {"sensitivity": Sensitivity}
REQUIRED = ()


def parts(facts: of.SensitivityFacts, texts: Texts) -> dict[str, Any]:
    """The record of this family."""
    ids = facts.ids
    return {
        "sensitivity": Sensitivity(
            unit=facts.unit,
            n_items=len(ids),
            n_comparisons=facts.n_comparisons,
            n_components=facts.n_components,
            penalty=facts.penalty,
            penalty_choice=Resolved(value=f"{facts.penalty:g}", reason=facts.penalty_reason),
            weighted=facts.weighted,
            threshold=facts.threshold,
            n_sensitive=facts.n_sensitive,
            n_skipped=facts.n_skipped,
            fragile=[_pair(p, ids) for p in facts.fragile],
            n_dominant=facts.n_dominant,
            n_dominant_thin=facts.n_dominant_thin,
            strong=[_strong(s, ids) for s in facts.strong],
            holders=[
                Holder(
                    annotator=facts.annotators[h.annotator],
                    n_cut_off=h.n_cut_off,
                    n_rows=h.n_rows,
                )
                for h in facts.holders
            ],
            flips=facts.flips
            if isinstance(facts.flips, NotApplicable)
            else [_flip(f, ids) for f in facts.flips],
            next=_next(facts),
            decisions=_decisions(facts),
        )
    }


def _pair(p: of.FragilePair, ids: tuple[str, ...]) -> FragilePair:
    return FragilePair(
        start=ids[p.start],
        middle=ids[p.middle],
        end=ids[p.end],
        p_head=p.p_head,
        p_tail=p.p_tail,
        p_chain=p.p_chain,
        sensitivity=p.sensitivity,
        head_error=p.head_error,
        chain_error=p.chain_error,
        harm=p.harm,
        n_direct=p.n_direct,
        n_head=p.n_head,
        n_head_annotators=p.n_head_annotators,
        n_head_prompts=p.n_head_prompts,
        fitted=p.fitted,
        influence=p.influence,
        fitted_error=p.fitted_error,
        fitted_weighted=p.fitted_weighted,
        influence_weighted=p.influence_weighted,
        n_copies=p.n_copies,
        error_dominates=p.error_dominates,
        rows=list(p.head_rows),
    )


def _strong(s: of.StrongPreference, ids: tuple[str, ...]) -> StrongPreference:
    return StrongPreference(
        winner=ids[s.winner],
        loser=ids[s.loser],
        p=s.p,
        n_rows=s.n_rows,
        n_annotators=s.n_annotators,
        n_prompts=s.n_prompts,
        n_hanging=s.n_hanging,
        n_copies=s.n_copies,
        rows=list(s.rows),
    )


def _flip(f: of.Flip, ids: tuple[str, ...]) -> Flip:
    i = f.interval
    return Flip(
        question=f.question,
        k=f.k,
        items=[ids[x] for x in f.items],
        component=f.component,
        n_comparisons=f.n_comparisons,
        fit=f.fit,
        unit=f.unit,
        change=i.change.value,
        lower=i.lower,
        upper=i.upper,
        exact=i.exact,
        above=ids[i.above],
        below=ids[i.below],
        gap=max(i.gap, 0.0),
        predicted=i.predicted,
        curvature_share=min(max(i.curvature_share, 0.0), 1.0),
        n_units=i.n_units,
        n_rows=int(i.rows.size),
        rows=list(f.rows),
        names=list(f.names),
    )


def _next(facts: of.SensitivityFacts) -> NextVotes | NotApplicable:
    votes = facts.next_votes
    if isinstance(votes, NotApplicable):
        return votes
    return NextVotes(
        leader=facts.ids[votes.leader],
        rival=facts.ids[votes.rival],
        votes=[
            NextVote(first=facts.ids[int(i)], second=facts.ids[int(j)], fall=float(fall))
            for i, j, fall in zip(votes.first, votes.second, votes.fall, strict=True)
        ],
        probability_wrong=votes.probability_wrong,
        probability_wrong_after=max(votes.probability_wrong_after, 0.0),
        width=votes.width,
        wanted_width=votes.wanted,
        n_until=votes.n_until,
    )


def _decisions(facts: of.SensitivityFacts) -> Decisions | NotApplicable:
    found = facts.decisions
    if isinstance(found, NotApplicable):
        return found
    return Decisions(
        n=found.n,
        n_hanging=[Hanging(k=k, n=n) for k, n in found.n_hanging],
        most_fragile=[
            Decision(above=d.above, below=d.below, lower=d.lower, upper=d.upper, rows=list(d.rows))
            for d in found.most_fragile
        ],
    )
