"""The records that a refit is made of. What did not apply says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cr_audit.analysis.choice import Choice, Unit
from cr_audit.analysis.penalties import Paths
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.models.penalty import PenaltyChoice, PenaltyPath
from cr_audit.models.rewards.changes import Changes
from cr_audit.models.rewards.model import Certificate, Fitted
from cr_audit.models.rewards.moments import FitStatus

Fits = Literal["both", "standard", "weighted"]


@dataclass(frozen=True, slots=True, eq=False)
class RewardFit:
    """One of the two fits, over the items that were fitted.

    scheme : how the weights came about, in words. weights, rewards : float64 (n_fitted,), NaN
    without data. gradient_norm : of the moment system (tabular) or of θ (linear); NaN for mlp,
    whose training is not meant to reach the minimum.
    """

    scheme: str
    weights: FloatArray
    rewards: FloatArray
    status: FitStatus
    iterations: int
    gradient_norm: float
    kappa: float

    @classmethod
    def of(cls, fit: Fitted, scheme: str) -> RewardFit:
        """What the report says of a fit."""
        return cls(
            scheme=scheme,
            weights=fit.weights,
            rewards=fit.rewards,
            status=fit.status,
            iterations=fit.iterations,
            gradient_norm=fit.gradient_norm,
            kappa=fit.kappa,
        )

    @property
    def converged(self) -> bool:
        """Whether the fit reached its stopping rule."""
        return self.status is FitStatus.CONVERGED


@dataclass(frozen=True, slots=True, eq=False)
class Subjects:
    """Whose rewards are ranked: the fitted items themselves, or means over groups of them.

    labels : int64 (n_alternatives,), which subject an alternative belongs to, -1 = none.
    components : int64 (n,), rewards are comparable within one; -1 = never compared ("no data").
    n_comparisons : int64 (n,), with another subject.
    """

    unit: Unit
    what: str
    ids: Sequence[str]
    names: Sequence[str]
    labels: IntArray
    components: IntArray
    n_comparisons: IntArray

    @property
    def n(self) -> int:
        """How many items were fitted."""
        return len(self.ids)

    @property
    def n_components(self) -> int:
        """Groups within which rewards are comparable."""
        return int(self.components.max(initial=-1)) + 1


@dataclass(frozen=True, slots=True, eq=False)
class CloneGroup:
    """Fitted items that are clones of each other. members : int64, positions among them."""

    id: str
    name: str
    members: IntArray
    item_share: float
    weight_mass: float


@dataclass(frozen=True, slots=True)
class Cause:
    """A clone group, and the share of a subject's change that undoing its weights takes back.

    group : position in ``Rewards.groups``. share : 1 = all of the change, may lie outside [0, 1].
    """

    group: int
    share: float


MOVED = 0.05
"""Log-odds; near an even preference, one percentage point of it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What the weights of one group do: the weighted fit minus the one with the group restored.

    subject : whose reward they move most, by ``shift``; n_moved : subjects whose reward they move
    by MOVED log-odds or more.
    """

    group: int
    subject: int
    shift: float
    n_moved: int


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Standard errors of one fit's rewards, float64 (n,), by bootstrap and by the sandwich.

    ratio : median of sandwich / bootstrap over the subjects that have both. sandwich_interval :
    float64 (n, 2), at the level of the bootstrap's and widened for few clusters as that is;
    width_ratio : median of its width over that of the bootstrap's.
    """

    bootstrap: FloatArray
    sandwich: FloatArray
    ratio: float
    sandwich_interval: FloatArray
    width_ratio: float


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its standard error, clustered as the folds were."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Decisions on comparisons that neither fit has seen.

    n_comparisons : held out, all folds together; n_decided : those with a winner, which agreement
    is measured on; n_unpredicted : where a fit had no data on one side.
    differs : share whose predicted winner differs between the fits; agreement_* : share predicted
    as judged (no preference counts half); gain : weighted minus standard, with the error of the
    difference.
    """

    n_comparisons: int
    n_decided: int
    n_unpredicted: int
    n_folds: int
    held_out: str
    differs: Share
    agreement_standard: Share
    agreement_weighted: Share
    gain: Share


@dataclass(frozen=True, slots=True)
class Decisions:
    """Which of two compared items a fit prefers, on ``n_pairs`` of the compared pairs.

    differs : share on which the two fits disagree. noise_standard, noise_weighted : mean share on
    which a fit disagrees with a bootstrap replicate of itself (weights taken as known), with the
    standard deviation over ``n_replicates``.
    """

    n_pairs: int
    differs: float
    noise_standard: Share
    noise_weighted: Share
    n_replicates: int


@dataclass(frozen=True, slots=True)
class WinCounts:
    """Spearman's rank correlation of the standard rewards with the items' own win counts (a tie
    counts half), within components of at least three items: the median and the lowest.

    rate_median : the same with wins per comparison, which does not depend on who was judged how
    often.
    """

    n_components: int
    median: float
    lowest: float
    rate_median: float


@dataclass(frozen=True, slots=True)
class OtherScheme:
    """Who leads the one ranking under the weights of another scheme, in words; more than one
    subject where they tie."""

    scheme: str
    leaders: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rewards:
    """Standard against weighted rewards.

    fitted_unit : what got rewards of its own in the fit; subjects : whose rewards are ranked.
    weights_choice, penalty_choice, reward_choice : what was chosen, and why. weights_settings : of
    the scheme of the weighted fit. curves : cross-validation of the
    standard and the weighted fit. paths : both fits over the penalties that the data cannot tell
    apart; other_schemes : who leads under other weights. n_coordinates : of the vectors
    that linear rewards are linear in, within their span; None for other rewards.
    values_standard, values_weighted : float64 (n_alternatives,), NaN without data.
    errors : of the standard and, where it was made, of the weighted fit.
    causes : per subject, the groups that explain most of its change, the largest share first.
    intervals : what the intervals hold, in one sentence.
    """

    fits: Fits
    fitted_unit: Unit
    reward_choice: Choice
    weights_choice: Choice
    weights_settings: Mapping[str, Any]
    penalty: float
    penalty_choice: Choice
    curves: tuple[PenaltyChoice, PenaltyChoice | NotApplicable] | NotApplicable
    paths: Paths | NotApplicable
    other_schemes: tuple[OtherScheme, ...]
    lambda_eq1: float
    n_coordinates: int | None
    standard: RewardFit
    weighted: RewardFit | NotApplicable
    values_standard: FloatArray
    values_weighted: FloatArray | NotApplicable
    subjects: Subjects | NotApplicable
    resampled: Choice
    changes: Changes | NotApplicable
    intervals: str
    errors: tuple[Errors, ...] | NotApplicable
    groups: tuple[CloneGroup, ...] | NotApplicable
    causes: tuple[tuple[Cause, ...], ...]
    effects: tuple[Effect, ...]
    certificate: Certificate | NotApplicable
    decisions: Decisions | NotApplicable
    held_out: HeldOut | NotApplicable
    win_counts: WinCounts | NotApplicable

    def leaders(self, fit: str) -> tuple[int, ...]:
        """Who leads the first component of the "standard" or "weighted" fit at some penalty of the
        path: one subject, several that tie or between which the data leave it open; () without a
        path."""
        along = self._path(fit)
        return () if along is None else along.undecided

    def decided(self, fit: str) -> bool:
        """Whether the same subjects lead at every penalty of the path."""
        along = self._path(fit)
        return along is None or along.decided

    def _path(self, fit: str) -> PenaltyPath | None:
        if isinstance(self.paths, NotApplicable):
            return None
        along = self.paths.standard if fit == "standard" else self.paths.weighted
        return None if isinstance(along, NotApplicable) else along

    @property
    def reward_model(self) -> str:
        """The name of the reward model that was fitted."""
        return self.reward_choice.value

    def cause_of(self, subject: int) -> Cause | None:
        """The group that explains at least half of the subject's change, if one does."""
        causes = self.causes[subject] if self.causes else ()
        return causes[0] if causes and causes[0].share >= 0.5 else None

    def effect_of(self, group: int) -> Effect | None:
        """What the weights of a group do, where that was measured."""
        return next((e for e in self.effects if e.group == group), None)
