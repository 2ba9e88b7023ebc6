"""The verdict as Markdown, for a comment under a pull request. Every text is escaped."""

from __future__ import annotations

from cr_audit.report.escape import markdown, shorten
from cr_audit.report.gate import (
    BIN_WORDS,
    GateReport,
    agreement_line,
    graph_line,
    rate_rows,
    shown_gains,
    typical,
    what_applied,
    what_was_judged,
)
from cr_audit.wording import percent

MAX_FINDINGS = 20
MAX_GAINS = 10
MAX_RATES = 10
TEXT = 80


def render_gate_markdown(report: GateReport) -> str:
    """Verdict, findings, clusters, win rates, what could not be judged."""
    verdict = report.verdict
    files = ", ".join(markdown(f) for f in report.batch_files)
    lines = [
        f"## cr-audit gate: {'pass' if verdict.passed else 'fail'}",
        "",
        f"{files}: {markdown(verdict.reason)}",
        "",
        markdown(what_was_judged(report)),
        "",
    ]
    lines += _findings(report) + _gains(report) + _rates(report)
    facts = [agreement_line(report), graph_line(report)]
    facts += [f"not judged: {line}" for line in what_applied(report)]
    facts += [f"no longer found: {k.rule} {k.message}" for k in verdict.vanished]
    lines += [f"- {markdown(fact)}" for fact in facts if fact]
    return "\n".join(lines).rstrip() + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _findings(report: GateReport) -> list[str]:
    judged = report.verdict.judged
    if not judged:
        return []
    lines = [_row("rule", "severity", "", "finding", "first row", "fingerprint")]
    lines.append(_row("---", "---", "---", "---", "---", "---"))
    for j in judged[:MAX_FINDINGS]:
        f = j.finding
        row = markdown(f.rows[0]) if f.rows else ""
        word = BIN_WORDS[j.bin]
        cells = (f.rule, str(f.severity), word, markdown(f.message), row, f.fingerprint)
        lines.append(_row(*cells))
    if len(judged) > MAX_FINDINGS:
        lines += ["", f"{len(judged) - MAX_FINDINGS:,} more findings are in the JSON report."]
    return [*lines, ""]


def _gains(report: GateReport) -> list[str]:
    gains = shown_gains(report, MAX_GAINS)
    if not gains:
        return []
    lines = ["### Clusters that grow", ""]
    lines.append(_row("scope", "old", "new", "share of scope", "weight", "a new member"))
    lines.append(_row("---", "---:", "---:", "---:", "---:", "---"))
    for g in gains:
        weight = "—"
        if g.weight_after == g.weight_after:
            weight = f"{percent(g.weight_before)} → {percent(g.weight_after)}"
        share = f"{percent(g.scope_share_before)} → {percent(g.scope_share_after)}"
        text = markdown(shorten(typical(report, g), TEXT))
        lines.append(_row(g.scope, f"{g.n_old:,}", f"{g.new.size:,}", share, weight, text))
    return [*lines, ""]


def _rates(report: GateReport) -> list[str]:
    rows = rate_rows(report, MAX_RATES)
    if not rows:
        return []
    unit = report.effect.unit
    weighted = rows[0].weighted_change == rows[0].weighted_change
    lines = [f"### Win rates by {unit.unit}, largest changes", ""]
    lines.append(_row("rank", unit.unit, "win rate", "change", "weighted change"))
    lines.append(_row("---:", "---", "---:", "---:", "---:"))
    for r in rows:
        change = f"{r.change:+.3f} ± {r.error:.3f}"
        lines.append(
            _row(
                f"{r.rank_before} → {r.rank_after}",
                markdown(shorten(unit.items.names[r.item], TEXT)),
                f"{r.before:.3f} → {r.after:.3f}",
                change if r.beyond_noise else f"{change} (noise)",
                f"{r.weighted_change:+.3f} ± {r.weighted_error:.3f}" if weighted else "—",
            )
        )
    return [*lines, ""]
