"""CR401-CR411: rows that were skipped or kept with a remark, heavy rows, hidden texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from cr_audit.analysis import Analysis
from cr_audit.clones.rendered import MUCH_HIDDEN, hidden_share
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.texts import Texts
from cr_audit.wording import percent, plural, verb

MAX_ROWS = 5
HEAVY_ROW, HEAVY_SHARE = 10.0, 0.01
"""CR410: a row that weighs so many times the median and holds so much of all weight."""


def _skipped(analysis: Analysis) -> Iterator[Finding]:
    reasons = analysis.dataset.report.skipped_by_reason
    others = {reason: n for reason, n in reasons.items() if reason != "identical_pair"}
    return _told(analysis, RULES[0], others, "skipped")


def _contradictory(analysis: Analysis) -> Iterator[Finding]:
    return _noted(analysis, RULES[1], "contradictory_row")


def _duplicated(analysis: Analysis) -> Iterator[Finding]:
    return _noted(analysis, RULES[2], "duplicate_row")


def _identical(analysis: Analysis) -> Iterator[Finding]:
    reasons = analysis.dataset.report.skipped_by_reason
    these = {reason: n for reason, n in reasons.items() if reason == "identical_pair"}
    return _told(analysis, RULES[3], these, "skipped")


def _empty(analysis: Analysis) -> Iterator[Finding]:
    return _noted(analysis, RULES[4], "empty_answer")


def _ratings(analysis: Analysis) -> Iterator[Finding]:
    return _noted(analysis, RULES[5], "rating_contradicts")


def _unseen(analysis: Analysis) -> Iterator[Finding]:
    for reason in ("invisible_difference", "lookalike_difference"):
        yield from _noted(analysis, RULES[6], reason)


def _no_prompt(analysis: Analysis) -> Iterator[Finding]:
    """A note where there is no other field that could hold the prompt: such data has just one."""
    unused = any(s.unused for s in analysis.dataset.report.schemas)
    for reason in ("no_prompt", "unused_text"):
        for found in _noted(analysis, RULES[7], reason):
            yield found if unused else replace(found, severity=Severity.NOTE)


def _unused_weights(analysis: Analysis) -> Iterator[Finding]:
    return _noted(analysis, RULES[8], "weights_unused")


def _outweighs(analysis: Analysis) -> Iterator[Finding]:
    data = analysis.dataset
    parts = [f.select("mass", "file", "line") for f in (data.comparisons, data.choice_sets)]
    rows = pl.concat(parts)
    mass = rows["mass"].to_numpy().astype(np.float64)
    if not mass.size:
        return
    top, median = int(np.argmax(mass)), float(np.median(mass))
    times, share = float(mass[top] / median), float(mass[top] / mass.sum())
    if times <= HEAVY_ROW or share < HEAVY_SHARE:
        return
    yield RULES[9].finding(
        message=f"one row holds {percent(share)} of all weight, {times:,.3g} times the median row",
        subject="rows:weights",
        rows=(f"{data.report.files[rows['file'][top]].path}:{rows['line'][top]}",),
        evidence={
            "largest_share": share,
            "times_median": times,
            "n_heavy": int((mass > HEAVY_ROW * median).sum()),
            "n_effective": float(mass.sum() ** 2 / (mass**2).sum()),
        },
    )


def _hidden(analysis: Analysis) -> Iterator[Finding]:
    data = analysis.dataset
    share = hidden_share(Texts(data.alternatives["text"].fill_null("")))
    much = np.flatnonzero(share >= MUCH_HIDDEN)
    if not much.size:
        return
    n, much = int(much.size), much[np.argsort(-share[much], kind="stable")]
    found = data.provenance(much[:MAX_ROWS].tolist(), 1)
    yield RULES[10].finding(
        message=f"{plural(n, 'response')} {verb(n, 'is', 'are')} for the most part text that no"
        " reader sees",
        subject="responses:hidden",
        rows=tuple(row for rows in found for row in rows),
        evidence={
            "n_responses": n,
            "share": n / data.n_alternatives,
            "largest_share": float(share[much[0]]),
        },
    )


def _noted(analysis: Analysis, rule: Rule, reason: str) -> Iterator[Finding]:
    """A remark of the reader on rows that were kept."""
    n = analysis.dataset.report.noted.get(reason)
    return _told(analysis, rule, {} if n is None else {reason: n}, "kept")


def _told(
    analysis: Analysis, rule: Rule, counts: Mapping[str, int], what: str
) -> Iterator[Finding]:
    report = analysis.dataset.report
    for reason, n in sorted(counts.items()):
        examples = [e for e in report.examples if e.reason == reason][:MAX_ROWS]
        yield rule.finding(
            message=f"{plural(n, 'row')} {verb(n, 'was', 'were')} {what}:"
            f" {reason.replace('_', ' ')}",
            subject=f"rows:{reason}",
            rows=tuple(f"{e.file}:{e.line}" for e in examples),
            evidence={"n_rows": n, "share": n / max(report.rows_read, 1)},
        )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR401",
        name="rows-skipped",
        severity=Severity.WARNING,
        summary="Rows could not be used.",
        means="They are counted under their reason and are in no result.",
        computed="Rows for which the schema gives no comparison, list or rating.",
        advice="Look at the first examples; --schema or --map may read them.",
        judge=_skipped,
    ),
    Rule(
        id="CR402",
        name="contradictory-rows",
        severity=Severity.NOTE,
        summary="The same pair was decided both ways by the same source.",
        means="Expected between annotators; from one annotator it is noise.",
        computed="Rows with the same pair and annotator and opposite winners.",
        advice="Keep them (they are evidence about noise) but do not de-duplicate by pair.",
        judge=_contradictory,
    ),
    Rule(
        id="CR403",
        name="duplicated-rows",
        severity=Severity.NOTE,
        summary="The same judgement stands more than once.",
        means="If these are copies and not repeated judgements, they count double in training.",
        computed="Rows with the same prompt, responses, result and annotator.",
        advice="Remove them unless each is a judgement of its own.",
        judge=_duplicated,
    ),
    Rule(
        id="CR404",
        name="chosen-equals-rejected",
        severity=Severity.WARNING,
        summary="Both sides of a comparison are the same alternative.",
        means="Some loaders turn a tie into chosen == rejected; such a row says nothing.",
        computed="Equal text, and neither an author nor an identifier tells the sides apart.",
        advice="Find out whether these were ties, and write them as ties.",
        judge=_identical,
    ),
    Rule(
        id="CR405",
        name="empty-answers",
        severity=Severity.NOTE,
        summary="Some responses are empty.",
        means="They take part in comparisons as the empty answer they are.",
        computed="Responses without a character besides white space.",
        advice="Check whether the answer was lost on the way.",
        judge=_empty,
    ),
    Rule(
        id="CR406",
        name="rating-contradicts-choice",
        severity=Severity.WARNING,
        summary="The chosen response has a lower rating than the rejected one.",
        means="Either the sides were swapped on the way, or the ratings are of something else.",
        computed="Rows that hold ratings beside a choice, and whose ratings say the opposite.",
        advice="Look at the first rows: were the two sides swapped?",
        judge=_ratings,
    ),
    Rule(
        id="CR407",
        name="differs-unseen",
        severity=Severity.WARNING,
        summary="Two responses differ only in characters that cannot be seen or told apart.",
        means=(
            "No reader sees a difference between them, so a preference between them says nothing;"
            " somebody may have made copies look like different answers."
        ),
        computed=(
            "Responses to one prompt that are equal once invisible characters (zero-width, soft"
            " hyphens, variation selectors, tags, marks of direction) are taken out and look-alike"
            " letters are written one way."
        ),
        advice="Look at the first rows; drop the copies, or give them the text that they repeat.",
        judge=_unseen,
    ),
    Rule(
        id="CR408",
        name="no-prompt",
        severity=Severity.WARNING,
        summary="Rows have no prompt, or text beside the prompt that plays no role.",
        means=(
            "Rows without a prompt all stand under one, so that answers to different questions are"
            " compared, and found to be copies, as if they were answers to the same."
        ),
        computed="Rows in which no field with a name that people use for a prompt has a text.",
        advice="Say which field holds the prompt: --map prompt=FIELD (or input=FIELD).",
        judge=_no_prompt,
    ),
    Rule(
        id="CR409",
        name="weights-unused",
        severity=Severity.NOTE,
        summary="Rows have a field that is called as weights are, and it was not used.",
        means="Every row counts alike; a name alone does not say that a number is a weight.",
        computed="A field weight, sample_weight or mass that plays no role.",
        advice="If these are weights of rows, say so: --row-weights FIELD.",
        judge=_unused_weights,
    ),
    Rule(
        id="CR410",
        name="row-outweighs",
        severity=Severity.WARNING,
        summary="One row holds a large part of all weight.",
        means="One judgement decides what many others said, and no interval shows it well.",
        computed=(
            "The heaviest row, where it weighs more than ten times the median row and holds at"
            " least 1 % of the sum; n_effective is (sum of weights) squared over the sum of"
            " squares."
        ),
        advice="Check the weight, or leave --row-weights out.",
        judge=_outweighs,
    ),
    Rule(
        id="CR411",
        name="hidden-content-in-responses",
        severity=Severity.WARNING,
        summary="Responses consist for the most part of text that no reader sees.",
        means=(
            "Comments, attributes, elements that are not shown or characters that draw nothing make"
            " copies look different, and speak to models that read the source."
        ),
        computed=(
            "Responses of which at least half of the letters and digits are not on the page that"
            " their Markdown and HTML make. Whole HTML pages without a code fence count, too."
        ),
        advice="Look at the source of the first rows; put code in fences, take out the rest.",
        judge=_hidden,
    ),
)
