"""``rewards`` of the JSON contract. What has no data is null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Len

from cr_audit.analysis import reward_facts as facts_of_fits
from cr_audit.analysis.choice import Choice
from cr_audit.analysis.reward_facts import Errors
from cr_audit.arrays import NotApplicable
from cr_audit.families.rewards.facts import RewardFacts
from cr_audit.models import penalty
from cr_audit.models.penalty import PenaltyChoice
from cr_audit.models.rewards import model
from cr_audit.models.rewards.changes import Changes
from cr_audit.wire import (
    ABSENT,
    ClusterId,
    ContentId,
    Count,
    ItemId,
    Missing,
    NotNegative,
    Rank,
    Resolved,
    Share,
    Texts,
)

Interval = Annotated[list[float | None], Len(2, 2)]
"""Lower and upper end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyCurve:
    """Cross-validated log-likelihood per comparison against the penalty. loss: mean difference to
    the best, comparison by comparison; standard_error: of the loss. low, high: the range of
    penalties that the data cannot tell from the best; simplest: the largest one tried in it."""

    penalty: list[NotNegative]
    log_likelihood: list[float | None]
    standard_error: list[float | None]
    best: NotNegative
    simplest: NotNegative
    at_edge: bool
    n_folds: Count
    loss: list[float | None]
    low: NotNegative
    high: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Leads:
    """Who leads from a penalty on, until the next entry; more than one where they tie."""

    penalty: NotNegative
    leaders: list[ItemId]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadsUnder:
    """Who leads under the weights of another scheme."""

    weights: str
    leaders: list[ItemId]


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyPath:
    """Who leads the first component over the penalties low to high, which the data cannot tell from
    the chosen one (a penalty asked for: halved and doubled). *_decided: the same at all of them;
    no change is flagged that does not hold at all of them. other_weights: at the chosen penalty."""

    low: NotNegative
    high: NotNegative
    n_penalties: Count
    standard: list[Leads]
    standard_decided: bool
    weighted: list[Leads] | NotApplicable
    weighted_decided: bool | NotApplicable
    other_weights: list[LeadsUnder]


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyCurves:
    """One curve for each fit."""

    standard: PenaltyCurve
    weighted: PenaltyCurve | NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Bounds on the largest reward shift, in log-odds, and the shift that was measured."""

    bound: NotNegative | None
    residual_bound: NotNegative | None
    complete_data_bound: NotNegative | None
    weight_change_l1: NotNegative | None
    measured: NotNegative | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardFit:
    """One fit of rewards. advice: where it did not converge; weights: how they came about."""

    status: str
    advice: str | None
    weights: str
    iterations: Count
    gradient_norm: NotNegative | None
    kappa: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A share with its standard error."""

    value: float | None
    standard_error: NotNegative | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FitDecisions:
    """Which of two compared items a fit prefers, beside what resampling alone does."""

    n_pairs: Count
    differs: Share | None
    noise_standard: Measured
    noise_weighted: Measured
    n_replicates: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Decisions on comparisons that neither fit has seen. gain: weighted minus standard."""

    held_out: str
    n_folds: Count
    n_comparisons: Count
    n_decided: Count
    n_unpredicted: Count
    differs: Measured
    agreement_standard: Measured
    agreement_weighted: Measured
    gain: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class WinCounts:
    """Rank correlation of the standard rewards with win counts, within components; rate: with
    wins per comparison."""

    n_components: Count
    spearman_median: float | None
    spearman_lowest: float | None
    spearman_rate_median: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How alike the two rankings are."""

    n_replicates: Count
    confidence_level: Share
    kendall_tau: float | None
    kendall_tau_interval: Interval
    top_k: Count
    top_overlap: Share | None
    top_overlap_interval: Interval
    n_discordant: Count
    n_tested: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandwich:
    """Errors by the sandwich over those by the bootstrap, median over items, of one fit."""

    ratio_to_bootstrap: NotNegative | None
    interval_width_to_bootstrap: NotNegative | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneGroup:
    """Fitted items that are clones of each other, and what their weights move."""

    id: ClusterId
    label: str
    size: Count
    item_share: Share | None
    weight_mass: Share | None
    moves_most: ItemId | None
    moves_by: float | None
    n_moved: Count | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """Whose rewards are ranked."""

    unit: str
    what: str
    n: Count
    n_components: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardValue:
    """One alternative, in log-odds."""

    id: ContentId
    standard: float | None
    weighted: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCause:
    """A clone group and the share of the change that undoing its weights takes back."""

    cluster: ClusterId
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardChange:
    """One item whose rank or reward was compared. probability, probability_changes_sides: 1 minus
    the smallest false-discovery rate at which the item is marked as changing sides with another, 0
    where it changes sides with nobody: of the items with at least this value, at most the rest is
    expected to be chance. flagged: it is at least the confidence level. changes_sides_with: the
    item with which that is surest. shift: reward_weighted - reward_standard, less the mean of that
    over the component, which is a centring; probability_first_*: chance
    that it truly leads, for tabular rewards of one ranking of at most 1,000 items; else the share
    of resamples in which it leads, a tied lead counting in equal parts. interval_standard,
    interval_weighted, interval: of the true rewards and shift where rewards are tabular, else of
    what infinitely many votes would give at this penalty."""

    id: ItemId
    label: str
    reward_standard: float | None
    reward_weighted: float | None
    rank_standard: Rank | None
    rank_weighted: Rank | None
    probability: Share | None
    shift: float | None
    interval: Interval
    flagged: bool
    cluster: ClusterId | None
    component: Count | None
    n_comparisons: Count
    interval_standard: Interval
    interval_weighted: Interval
    probability_first_standard: Share | None
    probability_first_weighted: Share | None
    changes_sides_with: ItemId | None
    probability_changes_sides: Share | None
    causes: list[ChangeCause]
    bootstrap_error_standard: NotNegative | Missing | None = ABSENT
    sandwich_error_standard: NotNegative | Missing | None = ABSENT
    sandwich_interval_standard: Interval | Missing = ABSENT
    bootstrap_error_weighted: NotNegative | Missing | None = ABSENT
    sandwich_error_weighted: NotNegative | Missing | None = ABSENT
    sandwich_interval_weighted: Interval | Missing = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """Standard and weighted rewards (refit). weights_choice: which weights the weighted fit has,
    and why; "weights" describes those of the win rates. weights_settings: of sharing: width (0 =
    clones alone share), strength (0 to 1, how much neighbours within the width count),
    width_searched, expected_shift, effective_share. n_coordinates: of the vectors that linear
    rewards are linear in; null for other rewards. intervals: what the intervals hold."""

    unit: str
    fits: str
    model: str
    model_choice: Resolved
    weights_choice: Resolved
    weights_settings: dict[str, Any]
    penalty: NotNegative
    penalty_choice: Resolved
    penalty_curves: PenaltyCurves | NotApplicable
    penalty_path: PenaltyPath | NotApplicable
    lambda_eq1: NotNegative
    n_coordinates: Count | None
    certificate: Certificate | NotApplicable
    standard: RewardFit | NotApplicable
    weighted: RewardFit | NotApplicable
    decisions: FitDecisions | NotApplicable
    held_out: HeldOut | NotApplicable
    win_counts: WinCounts | NotApplicable
    resampled: Resolved
    intervals: str
    agreement: Agreement | NotApplicable
    sandwich: dict[str, Sandwich] | NotApplicable
    clone_groups: list[CloneGroup] | NotApplicable
    subjects: Subjects | NotApplicable
    values: list[RewardValue]
    changes: list[RewardChange]


PARTS = {"rewards": Rewards | NotApplicable}
REQUIRED = ()


def parts(facts: RewardFacts, texts: Texts) -> dict[str, Any]:
    """The record of this family."""
    r = facts.rewards
    return {
        "rewards": Rewards(
            unit=r.fitted_unit,
            fits=r.fits,
            model=r.reward_model,
            model_choice=_resolved(r.reward_choice),
            weights_choice=_resolved(r.weights_choice),
            weights_settings=dict(r.weights_settings),
            penalty=r.penalty,
            penalty_choice=_resolved(r.penalty_choice),
            penalty_curves=_curves(r),
            penalty_path=_path(r),
            lambda_eq1=r.lambda_eq1,
            n_coordinates=r.n_coordinates,
            certificate=_certificate(r.certificate),
            standard=_fit(r.standard),
            weighted=r.weighted if isinstance(r.weighted, NotApplicable) else _fit(r.weighted),
            decisions=_decisions(r.decisions),
            held_out=_held_out(r.held_out),
            win_counts=_win_counts(r.win_counts),
            resampled=_resolved(r.resampled),
            intervals=r.intervals,
            agreement=_agreement(r.changes),
            sandwich=_sandwich(r.errors),
            clone_groups=_groups(r, texts),
            subjects=_subjects(r.subjects),
            values=_values(r, texts),
            changes=_changes(r, texts),
        )
    }


def _resolved(choice: Choice) -> Resolved:
    return Resolved(value=choice.value, reason=choice.reason)


def _fit(fit: facts_of_fits.RewardFit) -> RewardFit:
    return RewardFit(
        status=fit.status.name.lower(),
        advice=None if fit.converged else str(fit.status),
        weights=fit.scheme,
        iterations=fit.iterations,
        gradient_norm=fit.gradient_norm,
        kappa=fit.kappa,
    )


def _curves(r: facts_of_fits.Rewards) -> PenaltyCurves | NotApplicable:
    if isinstance(r.curves, NotApplicable):
        return r.curves
    one, two = r.curves
    return PenaltyCurves(
        standard=_curve(one), weighted=two if isinstance(two, NotApplicable) else _curve(two)
    )


def _path(r: facts_of_fits.Rewards) -> PenaltyPath | NotApplicable:
    p, s = r.paths, r.subjects
    if isinstance(p, NotApplicable):
        return p
    if isinstance(s, NotApplicable):
        return s
    ids = s.ids

    def leads(path: penalty.PenaltyPath) -> list[Leads]:
        return [
            Leads(penalty=at, leaders=[ids[i] for i in leaders]) for at, leaders in path.turns()
        ]

    two = p.weighted
    return PenaltyPath(
        low=p.low,
        high=p.high,
        n_penalties=int(p.standard.penalties.size),
        standard=leads(p.standard),
        standard_decided=p.standard.decided,
        weighted=two if isinstance(two, NotApplicable) else leads(two),
        weighted_decided=two if isinstance(two, NotApplicable) else two.decided,
        other_weights=[
            LeadsUnder(weights=o.scheme, leaders=[ids[i] for i in o.leaders])
            for o in r.other_schemes
        ],
    )


def _curve(curve: PenaltyChoice) -> PenaltyCurve:
    return PenaltyCurve(
        penalty=curve.penalties.tolist(),
        log_likelihood=curve.log_likelihood.tolist(),
        standard_error=curve.error.tolist(),
        best=curve.best,
        simplest=float(curve.penalties[curve.penalties <= curve.high][-1]),
        at_edge=curve.at_edge,
        n_folds=curve.n_folds,
        loss=curve.loss.tolist(),
        low=curve.low,
        high=curve.high,
    )


def _certificate(c: model.Certificate | NotApplicable) -> Certificate | NotApplicable:
    if isinstance(c, NotApplicable):
        return c
    return Certificate(
        bound=c.bound,
        residual_bound=c.residual_bound,
        complete_data_bound=c.complete_data_bound,
        weight_change_l1=c.weight_change_l1,
        measured=c.measured,
    )


def _measured(share: facts_of_fits.Share) -> Measured:
    return Measured(value=share.value, standard_error=share.standard_error)


def _decisions(d: facts_of_fits.Decisions | NotApplicable) -> FitDecisions | NotApplicable:
    if isinstance(d, NotApplicable):
        return d
    return FitDecisions(
        n_pairs=d.n_pairs,
        differs=d.differs,
        noise_standard=_measured(d.noise_standard),
        noise_weighted=_measured(d.noise_weighted),
        n_replicates=d.n_replicates,
    )


def _held_out(h: facts_of_fits.HeldOut | NotApplicable) -> HeldOut | NotApplicable:
    if isinstance(h, NotApplicable):
        return h
    return HeldOut(
        held_out=h.held_out,
        n_folds=h.n_folds,
        n_comparisons=h.n_comparisons,
        n_decided=h.n_decided,
        n_unpredicted=h.n_unpredicted,
        differs=_measured(h.differs),
        agreement_standard=_measured(h.agreement_standard),
        agreement_weighted=_measured(h.agreement_weighted),
        gain=_measured(h.gain),
    )


def _win_counts(w: facts_of_fits.WinCounts | NotApplicable) -> WinCounts | NotApplicable:
    if isinstance(w, NotApplicable):
        return w
    return WinCounts(
        n_components=w.n_components,
        spearman_median=w.median,
        spearman_lowest=w.lowest,
        spearman_rate_median=w.rate_median,
    )


def _agreement(c: Changes | NotApplicable) -> Agreement | NotApplicable:
    if isinstance(c, NotApplicable):
        return c
    return Agreement(
        n_replicates=c.n_replicates,
        confidence_level=c.confidence_level,
        kendall_tau=c.kendall_tau,
        kendall_tau_interval=c.kendall_tau_interval.tolist(),
        top_k=c.top_k,
        top_overlap=c.top_overlap,
        top_overlap_interval=c.top_overlap_interval.tolist(),
        n_discordant=c.n_discordant,
        n_tested=c.n_tested,
    )


def _by_fit(errors: tuple[Errors, ...]) -> Mapping[str, Errors]:
    return dict(zip(("standard", "weighted"), errors, strict=False))


def _sandwich(errors: tuple[Errors, ...] | NotApplicable) -> dict[str, Sandwich] | NotApplicable:
    if isinstance(errors, NotApplicable):
        return errors
    return {
        name: Sandwich(ratio_to_bootstrap=e.ratio, interval_width_to_bootstrap=e.width_ratio)
        for name, e in _by_fit(errors).items()
    }


def _groups(r: facts_of_fits.Rewards, texts: Texts) -> list[CloneGroup] | NotApplicable:
    if isinstance(r.groups, NotApplicable):
        return r.groups
    ids = () if isinstance(r.subjects, NotApplicable) else r.subjects.ids
    out = []
    for k, group in enumerate(r.groups):
        effect = r.effect_of(k)
        out.append(
            CloneGroup(
                id=group.id,
                label=texts.cut(group.name) or "",
                size=int(group.members.size),
                item_share=group.item_share,
                weight_mass=group.weight_mass,
                moves_most=ids[effect.subject] if effect else None,
                moves_by=effect.shift if effect else None,
                n_moved=effect.n_moved if effect else None,
            )
        )
    return out


def _subjects(s: facts_of_fits.Subjects | NotApplicable) -> Subjects | NotApplicable:
    if isinstance(s, NotApplicable):
        return s
    return Subjects(unit=s.unit, what=s.what, n=s.n, n_components=s.n_components)


def _values(r: facts_of_fits.Rewards, texts: Texts) -> list[RewardValue]:
    weighted: list[Any] = (
        [None] * len(texts.ids)
        if isinstance(r.values_weighted, NotApplicable)
        else r.values_weighted.tolist()
    )
    return [
        RewardValue(id=i, standard=s, weighted=w)
        for i, s, w in zip(texts.ids, r.values_standard.tolist(), weighted, strict=True)
    ]


def _changes(r: facts_of_fits.Rewards, texts: Texts) -> list[RewardChange]:
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        return []
    return [_change(r, c, s, i, texts) for i in range(s.n)]


def _rank(rank: int) -> int | None:
    return rank if rank > 0 else None


def _change(
    r: facts_of_fits.Rewards, c: Changes, s: facts_of_fits.Subjects, i: int, texts: Texts
) -> RewardChange:
    both = not isinstance(r.weighted, NotApplicable)
    causes, cause = r.causes[i] if r.causes else (), r.cause_of(i)
    groups = () if isinstance(r.groups, NotApplicable) else r.groups
    partner = int(c.flip_with[i])
    none: list[float | None] = [None, None]
    return RewardChange(
        id=s.ids[i],
        label=texts.cut(s.names[i]) or "",
        reward_standard=float(c.reward_standard[i]),
        reward_weighted=float(c.reward_weighted[i]) if both else None,
        rank_standard=_rank(int(c.rank_standard[i])),
        rank_weighted=_rank(int(c.rank_weighted[i])) if both else None,
        probability=float(c.sure[i]) if both else None,
        shift=float(c.shift[i]) if both else None,
        interval=c.interval_shift[i].tolist() if both else none,
        flagged=bool(c.flagged[i]) and both,
        cluster=None if cause is None else groups[cause.group].id,
        component=int(s.components[i]) if s.components[i] >= 0 else None,
        n_comparisons=int(s.n_comparisons[i]),
        interval_standard=c.interval_standard[i].tolist(),
        interval_weighted=c.interval_weighted[i].tolist() if both else none,
        probability_first_standard=float(c.probability_first_standard[i]),
        probability_first_weighted=float(c.probability_first_weighted[i]) if both else None,
        changes_sides_with=s.ids[partner] if both and partner >= 0 else None,
        probability_changes_sides=float(c.sure[i]) if both else None,
        causes=[ChangeCause(cluster=groups[k.group].id, share=k.share) for k in causes],
        **_errors(r.errors, i),
    )


def _errors(errors: tuple[Errors, ...] | NotApplicable, i: int) -> dict[str, Any]:
    if isinstance(errors, NotApplicable):
        return {}
    out: dict[str, Any] = {}
    for name, e in _by_fit(errors).items():
        out[f"bootstrap_error_{name}"] = float(e.bootstrap[i])
        out[f"sandwich_error_{name}"] = float(e.sandwich[i])
        out[f"sandwich_interval_{name}"] = e.sandwich_interval[i].tolist()
    return out
