"""The rewards of a refit as Markdown. Data text is escaped cell by cell."""

from __future__ import annotations

from cr_audit.analysis.facts import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.report.reward_words import shown_order
from cr_audit.write.escape import markdown, shorten

MAX_ROWS = 20
TEXT = 80


def reward_lines(analysis: Analysis) -> list[str]:
    """The table of rewards and the settings that made it; nothing where there was no refit."""
    r = analysis.rewards
    if isinstance(r, NotApplicable):
        return []
    about = f"{r.reward_model} rewards ({r.reward_choice.reason}), penalty {r.penalty:g}"
    lines = ["### Rewards", "", markdown(f"{about} ({r.penalty_choice.reason})."), ""]
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        return lines
    both = not isinstance(r.weighted, NotApplicable)
    heads = ["rank", "weighted", s.unit, "reward", "weighted", "shift", "sure"]
    aligned = ["---:", "---:", "---", "---:", "---:", "---:", "---:"]
    columns = range(7) if both else (0, 2, 3)
    lines += [_row([heads[k] for k in columns]), _row([aligned[k] for k in columns])]
    for i in shown_order(r, c, s)[:MAX_ROWS]:
        low, high = c.interval_shift[i]
        before, after = int(c.rank_standard[i]), int(c.rank_weighted[i])
        mark = (" ▲" if after < before else " ▼") if c.flagged[i] else ""
        cells = [
            str(before),
            f"{after}{mark}",
            markdown(shorten(s.names[i], TEXT)),
            f"{c.reward_standard[i]:+.2f}",
            f"{c.reward_weighted[i]:+.2f}",
            f"{c.reward_weighted[i] - c.reward_standard[i]:+.2f} ({low:+.2f} to {high:+.2f})",
            f"{c.probability_flip[i]:.2f}",
        ]
        lines.append(_row([cells[k] for k in columns]))
    return [*lines, ""]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
