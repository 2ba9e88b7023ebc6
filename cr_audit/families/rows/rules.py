"""CR401-CR408: rows that were skipped or kept with a remark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from cr_audit.analysis import Analysis
from cr_audit.findings import Finding, Rule, Severity

MAX_ROWS = 5


def _skipped(analysis: Analysis) -> Iterator[Finding]:
    reasons = analysis.dataset.report.skipped_by_reason
    others = {reason: n for reason, n in reasons.items() if reason != "identical_pair"}
    return _told(analysis, RULES[0], others, "were skipped")


def _contradictory(analysis: Analysis) -> Iterator[Finding]:
    return _noted(analysis, RULES[1], "contradictory_row")


def _duplicated(analysis: Analysis) -> Iterator[Finding]:
    return _noted(analysis, RULES[2], "duplicate_row")


def _identical(analysis: Analysis) -> Iterator[Finding]:
    reasons = analysis.dataset.report.skipped_by_reason
    these = {reason: n for reason, n in reasons.items() if reason == "identical_pair"}
    return _told(analysis, RULES[3], these, "were skipped")


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


def _noted(analysis: Analysis, rule: Rule, reason: str) -> Iterator[Finding]:
    """A remark of the reader on rows that were kept."""
    n = analysis.dataset.report.noted.get(reason)
    return _told(analysis, rule, {} if n is None else {reason: n}, "were kept")


def _told(
    analysis: Analysis, rule: Rule, counts: Mapping[str, int], what: str
) -> Iterator[Finding]:
    report = analysis.dataset.report
    for reason, n in sorted(counts.items()):
        examples = [e for e in report.examples if e.reason == reason][:MAX_ROWS]
        yield rule.finding(
            message=f"{n:,} rows {what}: {reason.replace('_', ' ')}",
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
)
