"""The report as Markdown, for a pull request or a notebook. Data text is escaped cell by cell."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding
from cr_audit.report.escape import markdown, shorten
from cr_audit.report.markdown_rewards import reward_lines
from cr_audit.report.reward_words import reward_answer
from cr_audit.report.words import answer, what_was_read
from cr_audit.wording import percent

MAX_ROWS = 20
TEXT = 80


def render_markdown(analysis: Analysis, findings: tuple[Finding, ...], command: str) -> str:
    """Header, answer, clusters, win rates, findings."""
    files = ", ".join(markdown(f.path) for f in analysis.dataset.report.files)
    lines = [f"## cr-audit {command}: {files}", "", markdown(what_was_read(analysis)), ""]
    refit = not isinstance(analysis.rewards, NotApplicable)
    sentences = reward_answer(analysis) if refit else answer(analysis, findings)
    lines += [markdown(" ".join(sentences)), ""]
    lines += _clones(analysis)
    for unit in analysis.units[:1]:
        lines += _win_rates(unit)
    lines += reward_lines(analysis)
    lines += _findings(findings)
    return "\n".join(lines).rstrip() + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _clones(analysis: Analysis) -> list[str]:
    clones = analysis.clones
    if isinstance(clones, NotApplicable) or not clones.clusters:
        return []
    lines = ["### Clones", "", _row("scope", "kind", "size", "diameter", "typical member")]
    lines.append(_row("---", "---", "---:", "---:", "---"))
    for c in [c for c in clones.clusters if c.kind != "loose"][:MAX_ROWS]:
        frame = analysis.dataset.prompts if c.scope == "prompt" else analysis.dataset.alternatives
        text = markdown(shorten(frame["text"][c.medoid] or "", TEXT))
        lines.append(_row(c.scope, c.kind, f"{c.size:,}", f"{c.diameter:.2f}", text))
    return [*lines, ""]


def _win_rates(unit: UnitResult) -> list[str]:
    if isinstance(unit.shift, NotApplicable):
        return []
    r, s = unit.win_rates, unit.shift
    weighted = not isinstance(unit.items.weights, NotApplicable)
    lines = [f"### Win rates by {unit.unit}", ""]
    lines.append(_row("rank", "weighted", unit.unit, "win rate", "weighted", "rank differs"))
    lines.append(_row("---:", "---:", "---", "---:", "---:", "---:"))
    known = np.flatnonzero(r.n_opponents > 0)
    order = known[np.lexsort((known, np.round(-r.average[known], 12)))]
    lines += [
        _row(
            str(int(r.rank_average[i])),
            str(int(r.rank_weighted[i])) if weighted else "—",
            markdown(shorten(unit.items.names[i], TEXT)),
            f"{r.average[i]:.3f}",
            f"{r.weighted[i]:.3f}" if weighted else "—",
            percent(float(s.probability_differs[i])) if weighted else "—",
        )
        for i in order[:MAX_ROWS].tolist()
    ]
    return [*lines, ""]


def _findings(findings: tuple[Finding, ...]) -> list[str]:
    if not findings:
        return ["No findings."]
    lines = ["### Findings", "", _row("rule", "severity", "finding", "rows")]
    lines.append(_row("---", "---", "---", "---"))
    for f in findings[:MAX_ROWS]:
        rows = ", ".join(markdown(r) for r in f.rows[:3])
        lines.append(_row(f.rule, str(f.severity), markdown(f.message), rows))
    if len(findings) > MAX_ROWS:
        lines += ["", f"{len(findings) - MAX_ROWS:,} more findings are in the JSON report."]
    return lines
