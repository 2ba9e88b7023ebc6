"""CR203-CR207: which changes of a reward ranking are real, and fits that are not to be trusted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.analysis.reward_facts import Rewards, Subjects
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.families.rewards.facts import RewardFacts
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.heads import short
from cr_audit.models.rewards.changes import Changes

WORSE = 0.01
"""A loss of held-out agreement below a percentage point is no finding, however sure."""
_CR = "Clone-Robust AI Alignment, arXiv 2501.09254"


def compared(r: Rewards) -> tuple[Changes, Subjects] | None:
    """The changes and whose they are, where both fits were made and rank the same subjects."""
    if isinstance(r.weighted, NotApplicable):
        return None
    if isinstance(r.changes, NotApplicable) or isinstance(r.subjects, NotApplicable):
        return None
    return r.changes, r.subjects


def new_leaders(r: Rewards, c: Changes) -> IntArray:
    """Subjects that lead their component when weighted, did not before, and moved beyond noise.

    Where the data leave the penalty open, a leader of component 0 under some of them only is none.
    """
    leads = (c.rank_weighted == 1) & (c.rank_standard > 1) & c.flagged
    if isinstance(r.subjects, NotApplicable) or r.decided("weighted"):
        return np.flatnonzero(leads)
    return np.flatnonzero(leads & (r.subjects.components != 0))


def _leaders(facts: RewardFacts) -> Iterator[Finding]:
    r = facts.rewards
    both = compared(r)
    if both is None:
        return
    c, s = both
    for new in new_leaders(r, c).tolist():
        same = s.components == s.components[new]
        old = int(np.flatnonzero(same & (c.rank_standard == 1))[0])
        cause = r.cause_of(new)
        group = (
            None if cause is None or isinstance(r.groups, NotApplicable) else r.groups[cause.group]
        )
        yield RULES[0].finding(
            message=f"rewards: weighted, {short(s.names[new])} leads instead of"
            f" {short(s.names[old])} (sure {c.sure[new]:.2f})",
            subject=s.ids[new],
            evidence={
                "leader_standard": s.ids[old],
                "leader_weighted": s.ids[new],
                "probability_first_standard": float(c.probability_first_standard[old]),
                "probability_first_weighted": float(c.probability_first_weighted[new]),
                "cluster": None if group is None else group.id,
                "explained": None if cause is None else cause.share,
            },
        )


def _ranks(facts: RewardFacts) -> Iterator[Finding]:
    both = compared(facts.rewards)
    if both is None:
        return
    c, s = both
    n_flagged = int(c.flagged.sum())
    if n_flagged:
        yield RULES[1].finding(
            message=f"{n_flagged:,} of {s.n:,} {s.unit}s change sides with another in the weighted"
            " fit",
            subject=f"unit:{s.unit}",
            evidence={
                "n_flagged": n_flagged,
                "n_items": s.n,
                "penalty": facts.rewards.penalty,
            },
        )


def _not_converged(facts: RewardFacts) -> Iterator[Finding]:
    r = facts.rewards
    fits = {"standard": r.standard}
    if not isinstance(r.weighted, NotApplicable):
        fits["weighted"] = r.weighted
    for name, fit in fits.items():
        if not fit.converged:
            yield RULES[2].finding(
                message=f"the {name} fit: {fit.status}",
                subject=f"fit:{name}",
                evidence={"iterations": fit.iterations, "gradient_norm": fit.gradient_norm},
            )


def _predicts_worse(facts: RewardFacts) -> Iterator[Finding]:
    """A loss of agreement that is neither small nor noise."""
    h = facts.rewards.held_out
    if isinstance(h, NotApplicable) or h.n_decided == 0:
        return
    gain = h.gain
    if gain.value <= -WORSE and gain.value + 2.0 * gain.standard_error < 0.0:
        yield RULES[3].finding(
            message=f"held out, the weighted fit agrees with {h.agreement_weighted.value:.3f} of"
            f" the judgements, the standard fit with {h.agreement_standard.value:.3f}",
            subject="fit:weighted",
            evidence={"difference": gain.value, "standard_error": gain.standard_error},
        )


def _unconstrained(facts: RewardFacts) -> Iterator[Finding]:
    """The penalty is on rewards: what no compared response shares with others stays at zero."""
    r = facts.rewards
    n = r.values_standard.size
    if r.n_coordinates is None or r.n_coordinates < n:
        return
    yield RULES[4].finding(
        message=f"the vectors of the {n:,} responses have as many coordinates: linear rewards"
        " can take any value at each of them and say nothing about others",
        subject="fit:standard",
        evidence={"n_coordinates": r.n_coordinates, "n_responses": n},
    )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR203",
        name="reward-leader-changes",
        severity=Severity.ERROR,
        summary="Rewards fitted with clone-robust weights put another item first.",
        means=(
            "The reward model that a standard fit of this data gives prefers the wrong item: the"
            " leader owes its place to the near-copies of others."
        ),
        computed=(
            "Both fits of one objective at one penalty on the same resamples. Reported where the"
            " weighted leader is on the list of CR204."
        ),
        advice="Train with the weights (cr-audit export), or remove the copies first.",
        source=f"{_CR}, section 4",
        judge=_leaders,
    ),
    Rule(
        id="CR204",
        name="reward-ranks-change",
        severity=Severity.WARNING,
        summary="Clone-robust weights change the order of two or more items' rewards.",
        means="As CR203, below the first place.",
        computed=(
            "For every two items that change sides, the smaller of their two gaps in standard"
            " errors gives the p-value of the intersection-union test, as in CR202; Benjamini and"
            " Hochberg's list of pairs at one minus the confidence level. A change that does not"
            " hold under every penalty that the data cannot tell from the chosen one is not listed."
        ),
        advice="Look at which clone cluster explains it (cr-audit refit, Where it comes from).",
        source=f"{_CR}, section 4",
        judge=_ranks,
    ),
    Rule(
        id="CR205",
        name="fit-not-converged",
        severity=Severity.WARNING,
        summary="A fit of the rewards stopped before it reached its tolerance.",
        means="The rewards are near the minimum of the objective but not at it.",
        computed="Norm of the moment system (tabular) or of the gradient (linear) at the end.",
        advice="Raise --penalty.",
        judge=_not_converged,
    ),
    Rule(
        id="CR206",
        name="weighted-fit-predicts-worse",
        severity=Severity.WARNING,
        summary="The weighted rewards predict held-out judgements worse than the standard ones.",
        means=(
            "Where there are clones this can be right: held-out judgements repeat them as well, and"
            " the standard fit is rewarded for that. Where there are few, the weights only put most"
            " of the mass on few responses: the fit then rests on fewer judgements."
        ),
        computed=(
            "Share of held-out judgements with a winner that each fit predicts; reported where the"
            " weighted fit loses a percentage point or more, and more than two standard errors of"
            " the difference."
        ),
        advice=(
            "With few clones, keep the standard fit, or use --weights cluster, which leaves"
            " everything but the clones as it is."
        ),
        judge=_predicts_worse,
    ),
    Rule(
        id="CR207",
        name="linear-rewards-unconstrained",
        severity=Severity.WARNING,
        summary="Vectors have as many coordinates as there are responses: linear rewards are free.",
        means=(
            "A linear reward can then take any value at every response, as a reward of its own"
            " would. It says nothing about responses that were not compared, and its agreement with"
            " held-out judgements of such responses is chance."
        ),
        computed="Coordinates of the vectors of prompt and response, in their span, are counted.",
        advice=(
            "Give more responses, or an encoder with shorter vectors (--embeddings); with many"
            " comparisons per response use --reward tabular, which says what it does."
        ),
        judge=_unconstrained,
    ),
)
