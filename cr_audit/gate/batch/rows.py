"""What the rows of a batch say: unreadable, contradicting, repeated, from one source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.distributions import norm
from cr_audit.findings import Finding, Severity
from cr_audit.gate.agreement import Contradictions, MassAgainst
from cr_audit.gate.boundaries import beyond_chance, exceeds
from cr_audit.gate.naming import quoted
from cr_audit.gate.rule import GateRule, Question
from cr_audit.gate.subjects import MAX_ROWS, batch_rows, subject_of
from cr_audit.readers.build import LEGITIMATE
from cr_audit.wording import percent, plural, verb

if TYPE_CHECKING:
    from cr_audit.gate.compare import BatchEffect
    from cr_audit.models.graph import Dominance


def _unreadable(q: Question) -> Iterator[Finding]:
    """Rows without a label are data, not damage (``readers.build.LEGITIMATE``)."""
    report = q.effect.batch
    lost = {k: n for k, n in report.skipped_by_reason.items() if k not in LEGITIMATE}
    if not exceeds(sum(lost.values()) / report.rows_read, q.policy.thresholds.unreadable_share):
        return
    for reason, n in sorted(lost.items()):
        rows = [f"{e.file}:{e.line}" for e in report.examples if e.reason == reason][:MAX_ROWS]
        words = reason.replace("_", " ")
        of = f"of the batch's {plural(report.rows_read, 'row')}"
        yield UNREADABLE.finding(
            f"{n:,} {of} could not be used: {words}",
            f"rows:{reason}",
            {"n_rows": n, "share": n / report.rows_read},
            tuple(rows),
        )


UNREADABLE = GateRule(
    id="CR601",
    name="batch-rows-unreadable",
    severity=Severity.WARNING,
    summary="Rows of the batch could not be used.",
    means="They are in no result; if they are many, what was judged is not what was collected.",
    computed="Share of the batch's rows without use, above thresholds.unreadable-share.",
    advice="Mend the rows named; above max-unreadable the batch is refused (exit 3).",
    thresholds=("unreadable_share",),
    judge=_unreadable,
)


def _involved(effect: BatchEffect, rows: IntArray) -> list[str]:
    """Identifiers of the responses in these comparisons."""
    ids, frame = effect.after.dataset.alternatives["id"], effect.after.dataset.comparisons
    winner, loser = frame["winner"].to_numpy()[rows], frame["loser"].to_numpy()[rows]
    return [ids[i] for i in np.unique(np.concatenate([winner, loser])).tolist()]


def _contradicts(q: Question) -> Iterator[Finding]:
    c, limit = q.effect.contradictions, q.policy.thresholds.contradiction_excess
    if isinstance(c, NotApplicable):
        return
    mass = c.by_mass
    n_tests = 1 if isinstance(mass, NotApplicable) else 2

    def beyond(of: Contradictions | MassAgainst) -> bool:
        by_chance = not beyond_chance(of.p_value, q.policy.confidence_level, n_tests)
        return not by_chance and exceeds(of.share - of.expected, limit)

    heavy = not isinstance(mass, NotApplicable) and beyond(mass)
    if not heavy and not beyond(c):
        return
    weighed: dict[str, float] = {}
    if not isinstance(mass, NotApplicable):
        weighed = {
            "weight_share": mass.share,
            "weight_expected": mass.expected,
            "weight_p_value": mass.p_value,
        }
    yield CONTRADICTS.finding(
        f"{c.n_against:,} of {plural(c.n, 'judgement')} of known pairs"
        f" {verb(c.n_against, 'goes', 'go')} against the baseline ({percent(c.share)};"
        f" {percent(c.expected)} expected)"
        + (f", {percent(weighed['weight_share'])} of their weight" if weighed else ""),
        subject_of("pairs", _involved(q.effect, c.rows)),
        {
            "n_against": c.n_against,
            "n_judged": c.n,
            "share": c.share,
            "expected": c.expected,
            "n_expected": c.n_expected,
            "p_value": c.p_value,
            **weighed,
        },
        batch_rows(q.effect, c.rows),
    )


CONTRADICTS = GateRule(
    id="CR602",
    name="contradicts-baseline",
    severity=Severity.ERROR,
    lenient=Severity.WARNING,
    summary=(
        "The batch decides known pairs the other way round, more often than the baseline"
        " contradicts itself."
    ),
    means="Labels may be flipped, the guidelines may have changed, or annotators differ.",
    computed=(
        "Decided rows of the batch whose pair (clones count as one) has a majority in the"
        " baseline: the share that goes against it, beside the share expected of the same pairs"
        " (beta-binomial, as scattered as the baseline's own repeated judgements). One-sided"
        " test, exact up to 20,000 rows, and an excess above thresholds.contradiction-excess. Where"
        " rows have weights, also the share of weight (binomial over the effective number of rows),"
        " each test at half the level."
    ),
    advice="Look at the first rows: are the two sides swapped?",
    thresholds=("contradiction_excess",),
    telling=3,
    judge=_contradicts,
)


def _repeats(q: Question) -> Iterator[Finding]:
    r = q.effect.repeats
    if isinstance(r, NotApplicable) or not exceeds(
        r.n_repeated / r.n, q.policy.thresholds.repeated_share
    ):
        return
    yield REPEATS.finding(
        f"{r.n_repeated:,} of {plural(r.n, 'judgement')}"
        f" {verb(r.n_repeated, 'stands', 'stand')} in the baseline already",
        subject_of("pairs", _involved(q.effect, r.rows)),
        {"n_repeated": r.n_repeated, "n_rows": r.n, "share": r.n_repeated / r.n},
        batch_rows(q.effect, r.rows),
    )


REPEATS = GateRule(
    id="CR603",
    name="repeats-baseline",
    severity=Severity.WARNING,
    lenient=Severity.NOTE,
    summary="The batch holds judgements that the baseline holds already.",
    means="If the file was merged before, merging it again counts every judgement twice.",
    computed="Rows with the same pair, result, annotator and order as a row of the baseline.",
    advice="Find out whether the batch, or a part of it, is in the baseline.",
    thresholds=("repeated_share",),
    judge=_repeats,
)


def _dominates(
    q: Question, sides: tuple[Dominance | NotApplicable, Dominance | NotApplicable]
) -> tuple[Dominance, Dominance] | None:
    """The largest share before and in the batch, where the batch's is large and beyond chance."""
    before, batch = sides
    if isinstance(batch, NotApplicable) or isinstance(before, NotApplicable):
        return None
    if before.n_distinct < 2 or batch.share < q.policy.thresholds.dominant_share:
        return None
    error = np.sqrt(before.share * (1 - before.share) / q.effect.added.sum())
    chance = float(norm.sf((batch.share - before.share) / max(error, 1e-12)))
    return (before, batch) if beyond_chance(chance, q.policy.confidence_level) else None


def _largest(
    rule: GateRule, noun: str, name: str, id_: str, of: tuple[Dominance, Dominance]
) -> Finding:
    before, batch = of
    return rule.finding(
        f"the {noun} {quoted(name)} takes {percent(batch.share)} of the batch"
        f" (in the baseline none takes more than {percent(before.share)})",
        f"{noun}:{id_}",
        {"share": batch.share, "n_rows": batch.n_comparisons, "share_before": before.share},
    )


def _annotator_dominates(q: Question) -> Iterator[Finding]:
    found = _dominates(q, q.effect.annotators)
    if found is not None:
        name = q.effect.after.dataset.annotators[found[1].index]
        yield _largest(ANNOTATOR_DOMINATES, "annotator", name or "", name, found)


def _prompt_dominates(q: Question) -> Iterator[Finding]:
    found = _dominates(q, q.effect.prompts)
    if found is not None:
        prompts, index = q.effect.after.dataset.prompts, found[1].index
        text = prompts["text"][index] or ""
        yield _largest(PROMPT_DOMINATES, "prompt", text, prompts["id"][index], found)


ANNOTATOR_DOMINATES = GateRule(
    id="CR614",
    name="annotator-dominates-batch",
    severity=Severity.WARNING,
    summary="One annotator gave a large share of the batch, unlike in the baseline.",
    means="The batch is largely one person's (or one judge model's) taste.",
    computed=(
        "Share of the batch's rows from thresholds.dominant-share on, more than the"
        " baseline's largest share by a binomial test."
    ),
    advice="Report results with and without this annotator.",
    thresholds=("dominant_share",),
    judge=_annotator_dominates,
)


PROMPT_DOMINATES = GateRule(
    id="CR615",
    name="prompt-dominates-batch",
    severity=Severity.NOTE,
    summary="One prompt takes a large share of the batch, unlike in the baseline.",
    means="The batch says much about one prompt and little about the rest.",
    computed="As CR614, for prompts.",
    advice="Check that the batch was meant to cover one prompt.",
    thresholds=("dominant_share",),
    judge=_prompt_dominates,
)

RULES = (UNREADABLE, CONTRADICTS, REPEATS, ANNOTATOR_DOMINATES, PROMPT_DOMINATES)
