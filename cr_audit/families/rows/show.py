"""Lists as they stand in the data, for people. Rows that were skipped are findings."""

from __future__ import annotations

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Prose, Section
from cr_audit.readers.advice import pairing_step
from cr_audit.wording import percent, plural, verb

_HARM: tuple[tuple[str, tuple[str, str]], ...] = (
    ("duplicate_row", ("repeats another one", "repeat other ones")),
    ("contradictory_row", ("decides a pair both ways", "decide a pair both ways")),
)
"""Remarks of the reader that stand in the first paragraph, the most harmful first."""


def answer(analysis: Analysis) -> list[str]:
    """Rows that repeat or contradict others or have no prompt; how lists are read as pairs."""
    report, out = analysis.dataset.report, list[str]()
    noted = report.noted
    for reason, what in _HARM:
        if noted.get(reason, 0):
            n = noted[reason]
            out.append(
                f"{plural(n, 'row')} ({percent(n / max(report.rows_read, 1))}) {verb(n, *what)}."
            )
    n = report.noted.get("no_prompt", 0)
    if n:
        unused = sorted({f for s in report.schemas for f in s.unused})
        named = f"; fields without a role: {', '.join(unused[:6])}" if unused else ""
        every = "No row has" if n >= report.rows_read else f"{plural(n, 'row')} of"
        whole = "" if n >= report.rows_read else f" {report.rows_read:,} have no"
        out.append(
            f"{every}{whole or ' a'} prompt, so all such rows stand under one{named}."
            + (" Name it with --map prompt=FIELD." if unused else "")
        )
    step = pairing_step(analysis.dataset)
    if step is not None:
        out.append(f"There is nothing to rank as it stands: {step}.")
    return out


def brief(analysis: Analysis) -> list[Block]:
    """What lists there are; nothing where there are none."""
    c = analysis.choice_sets
    if isinstance(c, NotApplicable):
        return []
    sizes = ", ".join(f"{n:,} of {s}" for s, n in c.sizes[:8])
    lines = (
        sizes,
        f"{c.n_single_choice:,} with one choice, {c.n_full_rankings:,} full and"
        f" {c.n_partial_rankings:,} partial rankings, {c.n_with_ties:,} with ties",
        "kept as lists; --expand-choices reads them as pairs",
    )
    return [Section("Lists", plural(c.n, "choice set"), (Prose(lines, indent=2),))]
