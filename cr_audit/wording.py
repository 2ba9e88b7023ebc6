"""Numbers in sentences, the same in findings and in reports."""

from __future__ import annotations

import re

SURE = "sure s = of the changes with s or more, at most 1 - s are chance"
"""What the column of that name means, under every table that marks changes (``models.marks``)."""

SURE_OF_SIDES = (
    "sure: that it changes sides with another, not that its reward moves; of those marked at s,"
    " at most 1 - s are chance"
)
"""The same under rewards, where a reward may surely move and nobody be passed."""


def percent(share: float) -> str:
    """18%, 0.4%, <0.1%: two significant digits below 10 %, none below a tenth of a percent."""
    value = 100 * share
    if value == 0:
        return "0%"
    if value < 0.1:
        return "<0.1%"
    tenths = round(value, 1)
    digits = 0 if tenths >= 10 or tenths == round(value) else 1
    return f"{value:.{digits}f}%"


def plural(n: int, noun: str, many: str | None = None) -> str:
    """1 row, 2 rows; ``many`` where the plural takes more than an s."""
    return f"{n:,} {noun if n == 1 else many or noun + 's'}"


def drawn_of(n: int, n_all: int, noun: str) -> str:
    """800 rows, or 4,000 rows drawn of 9,000."""
    return plural(n, noun) + (f" drawn of {n_all:,}" if n < n_all else "")


def left_out(n: int, more: str) -> str:
    """… and 3 more rows, … and 1 more row. more : "more rows"."""
    what = re.sub(r"^(more [\w-]+?)s\b", r"\1", more) if n == 1 else more
    return f"… and {n:,} {what}"


def verb(n: int, one: str, many: str) -> str:
    """The verb of a subject that is ``n`` things."""
    return one if n == 1 else many


def comparisons_in_median(median: float, of: str) -> str:
    """1 comparison each (median), 2.5 comparisons per model (median)."""
    return f"{median:,.10g} {'comparison' if median == 1 else 'comparisons'} {of} (median)"


def fixed(value: float, digits: int) -> str:
    """Rounded, without a minus sign before a zero; a dash for NaN."""
    return "—" if value != value else f"{round(float(value), digits) + 0.0:.{digits}f}"
