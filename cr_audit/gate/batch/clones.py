"""What the copies in a batch say: clusters that grow, and how often copies come."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding, Severity
from cr_audit.gate.boundaries import at_least, beyond_chance, exceeds
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.growth import CloneRate, ClusterGain
from cr_audit.gate.naming import response, to_prompt
from cr_audit.gate.rule import PAPER, Evidence, GateRule, Question
from cr_audit.gate.subjects import cluster_subject, new_rows, subject_of
from cr_audit.wording import percent, plural, verb

N_RATES = 2
"""Copies under one prompt, and one answer under many prompts: two tests."""


def _gains(effect: BatchEffect) -> tuple[ClusterGain, ...]:
    return () if isinstance(effect.growth, NotApplicable) else effect.growth.gains


def _about(effect: BatchEffect, rule: GateRule, gain: ClusterGain, message: str) -> Finding:
    return rule.finding(
        f"{message}: {response(effect, int(gain.new[0]))}",
        cluster_subject(effect, gain),
        _evidence(gain),
        new_rows(effect, gain.new),
    )


def _evidence(gain: ClusterGain) -> Evidence:
    out: Evidence = {
        "n_new": int(gain.new.size),
        "n_old": gain.n_old,
        "n_texts": gain.n_texts,
        "diameter": gain.diameter,
        "n_rows_new": gain.n_rows_new,
        "item_share_before": gain.item_share_before,
        "item_share_after": gain.item_share_after,
        "scope_share_before": gain.scope_share_before,
        "scope_share_after": gain.scope_share_after,
        "batch_share": gain.batch_share,
        "chance": gain.chance,
    }
    if np.isfinite(gain.weight_after):
        out["weight_before"] = gain.weight_before
        out["weight_after"] = gain.weight_after
        out["weight_error"] = gain.weight_error
    return out


def _under_many_prompts(gain: ClusterGain) -> str:
    copies = plural(gain.new.size, "new near-copy", "new near-copies")
    return f"{copies} of one answer, now under {plural(gain.n_prompts, 'prompt')}"


def _of_baseline(q: Question) -> Iterator[Finding]:
    for gain in _gains(q.effect):
        if gain.n_old == 0:
            continue
        what = _under_many_prompts(gain)
        if gain.scope != "boilerplate":
            copies = plural(gain.new.size, "new near-copy", "new near-copies")
            old = "a" if gain.n_old == 1 else f"{gain.n_old:,}"
            noun = "baseline response" + verb(gain.n_old, "", "s")
            what = f"{copies} of {old} {noun}{to_prompt(q.effect, int(gain.new[0]))}"
        yield _about(q.effect, OF_BASELINE, gain, what)


OF_BASELINE = GateRule(
    id="CR604",
    name="clones-of-baseline",
    severity=Severity.WARNING,
    lenient=Severity.NOTE,
    summary="The batch adds near-copies of responses that the baseline holds.",
    means="Whoever beats the copied response is counted once more per copy.",
    computed="Clone clusters (rule CR101) with members in the baseline and new ones.",
    advice=(
        "Drop the rows of the copies, or give each copy the text and model name of the response"
        " to the same prompt that it repeats; or train with clone-robust weights."
    ),
    source=f"{PAPER} (approximate clones)",
    copies="cluster",
    judge=_of_baseline,
)


def _within_batch(q: Question) -> Iterator[Finding]:
    for gain in _gains(q.effect):
        if gain.n_old:
            continue
        what = _under_many_prompts(gain)
        if gain.scope != "boilerplate":
            to = to_prompt(q.effect, int(gain.new[0]))
            what = f"{gain.new.size:,} new responses{to} are near-identical"
        yield _about(q.effect, WITHIN_BATCH, gain, what)


WITHIN_BATCH = GateRule(
    id="CR605",
    name="clones-within-batch",
    severity=Severity.NOTE,
    strict=Severity.WARNING,
    summary="The batch holds near-copies of its own responses.",
    means="As CR604, for responses that are all new.",
    computed="Clone clusters (rule CR101) whose members are all new.",
    advice=(
        "Keep one of them; drop the rows of the others, or give those to the same prompt its"
        " text and model name."
    ),
    source=f"{PAPER} (approximate clones)",
    copies="cluster",
    judge=_within_batch,
)


def _rate_rises(q: Question) -> Iterator[Finding]:
    growth = q.effect.growth
    if isinstance(growth, NotApplicable):
        return
    for scope, r in growth.rates.items():
        if (
            not isinstance(r, NotApplicable)
            and at_least(r.n_copied_new, q.policy.thresholds.new_copies)
            and beyond_chance(r.p_value, q.policy.confidence_level, N_RATES)
        ):
            yield _rate(q.effect, r, [g for g in growth.gains if g.scope == scope])


def _rate(effect: BatchEffect, r: CloneRate, gains: list[ClusterGain]) -> Finding:
    """Names the cluster with the most new members, and its rows."""
    ids = effect.after.dataset.alternatives["id"]
    copied = np.unique(np.concatenate([g.new for g in gains]))
    n, old = r.n_copied_new, percent(r.n_copied_old / r.n_old)
    what = verb(n, "has a near-copy", "have a near-copy")
    if gains[0].scope == "boilerplate":
        what = f"{verb(n, 'repeats', 'repeat')} an answer given under many prompts"
    return RATE_RISES.finding(
        f"{n:,} of the batch's {plural(r.n_new, 'new response')} {what}"
        f" ({percent(n / r.n_new)}; in the baseline {old}); most copied:"
        f" {response(effect, int(gains[0].new[0]))}",
        subject_of("copies", (ids[i] for i in copied.tolist())),
        {
            "n_copied_new": r.n_copied_new,
            "n_new": r.n_new,
            "n_copied_old": r.n_copied_old,
            "n_old": r.n_old,
            "expected": r.expected,
            "p_value": r.p_value,
            "cluster": cluster_subject(effect, gains[0]),
        },
        new_rows(effect, gains[0].new),
    )


RATE_RISES = GateRule(
    id="CR606",
    name="clone-rate-rises",
    severity=Severity.ERROR,
    summary="New responses are copies more often than the baseline's are.",
    means="The batch was not drawn as the baseline was: something in it repeats.",
    computed=(
        "Two shares, of responses with a near-copy under their prompt and of responses that"
        " repeat one answer under many prompts, among the new ones and among the old ones;"
        " beta-binomial, as the baseline's prompts differ, and a known prompt by its own share;"
        " exact up to 20,000 responses, one-sided, at half the level each; and at least"
        " thresholds.new-copies of them."
    ),
    advice=(
        "Drop the rows of the copies that CR604 and CR605 name, or keep one of each;"
        " `cr-audit clones` on baseline and batch shows them."
    ),
    source=f"{PAPER} (approximate clones)",
    thresholds=("new_copies",),
    telling=5,
    copies="all",
    sums=True,
    judge=_rate_rises,
)


def _outgrows(q: Question) -> Iterator[Finding]:
    """Against the batch, not the sum: else the same batch passes once the baseline is large."""
    growth, limits = q.effect.growth, q.policy.thresholds
    if isinstance(growth, NotApplicable):
        return
    for gain in growth.gains:
        n = gain.new.size
        if (
            at_least(n, limits.new_copies)
            and not gain.scope_is_new
            and (gain.n_old > 0 or gain.scope == "boilerplate" or n > limits.new_copies)
            and exceeds(gain.batch_share - gain.scope_share_before, limits.cluster_gain)
            and beyond_chance(gain.chance, q.policy.confidence_level, growth.n_tests)
        ):
            yield _about(q.effect, OUTGROWS, gain, _larger_share(q.effect, gain))


def _larger_share(effect: BatchEffect, gain: ClusterGain) -> str:
    of = f"{gain.new.size:,} of the batch's {plural(gain.n_scope_new, 'new response')}"
    shares = f"{percent(gain.batch_share)}; in the baseline {percent(gain.scope_share_before)}"
    if gain.scope == "boilerplate":
        what = f"{of} repeat one answer, now under {plural(gain.n_prompts, 'prompt')}"
    else:
        what = f"{of}{to_prompt(effect, int(gain.new[0]))} are copies of one answer"
    return f"{what} ({shares})"


OUTGROWS = GateRule(
    id="CR607",
    name="cluster-outgrows",
    severity=Severity.ERROR,
    summary="One cluster of copies is a much larger share of the batch than of the baseline.",
    means="One answer gets many entries: whoever meets it is judged by it.",
    computed=(
        "At least thresholds.new-copies new members; their share of the batch's new responses"
        " (to the prompt; for an answer under many prompts, of all) exceeds the cluster's share"
        " in the baseline by more than thresholds.cluster-gain; and"
        " at the rate at which the baseline's responses have copies this many would be chance"
        " with a probability below the level."
    ),
    advice=(
        "Drop the rows of the copies, or keep one per prompt; `cr-audit clones` on baseline and"
        " batch shows them."
    ),
    source=f"{PAPER} (approximate clones)",
    thresholds=("new_copies", "cluster_gain"),
    telling=4,
    tells=("CR604", "CR605"),
    copies="cluster",
    sums=True,
    judge=_outgrows,
)

RULES = (OF_BASELINE, WITHIN_BATCH, RATE_RISES, OUTGROWS)
