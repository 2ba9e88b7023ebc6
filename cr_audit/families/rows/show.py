"""Lists as they stand in the data, for people. Rows that were skipped are findings."""

from __future__ import annotations

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Prose, Section
from cr_audit.wording import plural


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
