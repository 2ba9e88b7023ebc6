"""The verdict as Markdown, for a comment under a pull request. Every text is escaped."""

from __future__ import annotations

from cr_audit.report.gate import (
    BIN_WORDS,
    SHARES,
    GateReport,
    agreement_line,
    graph_line,
    rate_rows,
    shown_gains,
    typical,
    what_applied,
    what_was_judged,
    where,
)
from cr_audit.report.gate_advice import acceptance, advice, commands
from cr_audit.wording import percent, plural, verb
from cr_audit.write.escape import markdown, shorten

MAX_FINDINGS = 20
MAX_GAINS = 10
MAX_RATES = 10
TEXT = 80
CODE = "    "


def render_gate_markdown(report: GateReport) -> str:
    """Verdict, findings, clusters, win rates, what could not be judged."""
    verdict = report.verdict
    files = ", ".join(markdown(f) for f in report.batch_files)
    lines = [
        f"## cr-audit gate: {'pass' if verdict.passed else 'fail'}",
        "",
        markdown(verdict.reason.partition(": ")[2]),
        "",
        f"{files}: {markdown(what_was_judged(report))}",
        "",
    ]
    lines += _next(report) + _findings(report) + _gains(report) + _rates(report)
    facts = [agreement_line(report), graph_line(report)]
    facts += [f"not judged: {line}" for line in what_applied(report)]
    facts += [f"no longer found: {k.rule} {k.message}" for k in verdict.vanished]
    lines += [f"- {markdown(fact)}" for fact in facts if fact]
    return "\n".join(lines).rstrip() + "\n"


def _next(report: GateReport) -> list[str]:
    """What to do. Commands stand in a block of code, which nothing inside can end: they are one
    line each."""
    if report.verdict.passed:
        return []
    lines = ["### What to do", ""]
    for sentence in advice(report):
        lines += [markdown(sentence), ""]
    lines += [f"{CODE}{command}  # {what}" for command, what in commands(report)]
    return [*lines, "", markdown(acceptance(report)), ""]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _findings(report: GateReport) -> list[str]:
    judged = report.verdict.judged
    if not judged:
        return []
    n = len(report.verdict.of("failing"))
    lines = [f"### Findings: {n:,} of {len(judged):,} {verb(n, 'fails', 'fail')}", ""]
    lines.append(_row("rule", "severity", "", "finding", "first row", "fingerprint"))
    lines.append(_row("---", "---", "---", "---", "---", "---"))
    for j in judged[:MAX_FINDINGS]:
        f = j.finding
        row = markdown(f.rows[0]) if f.rows else ""
        word = BIN_WORDS[j.bin]
        cells = (f.rule, str(f.severity), word, markdown(f.message), row, f.fingerprint)
        lines.append(_row(*cells))
    if len(judged) > MAX_FINDINGS:
        left = len(judged) - MAX_FINDINGS
        are = verb(left, "is", "are")
        lines += ["", f"{plural(left, 'more finding')} {are} in the JSON report."]
    return [*lines, ""]


def _gains(report: GateReport) -> list[str]:
    gains = shown_gains(report, MAX_GAINS)
    if not gains:
        return []
    lines = ["### Clusters that grow", ""]
    lines.append(_row("prompt", "old", "new", "baseline", "batch", "weight", "a new copy"))
    lines.append(_row("---", "---:", "---:", "---:", "---:", "---:", "---"))
    for g in gains:
        weight = "—"
        if g.weight_after == g.weight_after:
            weight = f"{percent(g.weight_before)} → {percent(g.weight_after)}"
        lines.append(
            _row(
                markdown(shorten(where(report, g), TEXT)),
                f"{g.n_old:,}",
                f"{g.new.size:,}",
                percent(g.scope_share_before),
                percent(g.batch_share),
                weight,
                markdown(shorten(typical(report, g), TEXT)),
            )
        )
    return [*lines, "", markdown(SHARES), ""]


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
