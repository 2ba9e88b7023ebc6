"""The verdict as tables for people; the same care with hostile text as ``terminal``."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cr_audit.arrays import NotApplicable
from cr_audit.report.escape import shorten, visible
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
from cr_audit.report.terminal import SEVERITY_STYLE, Screen, heading, to_text
from cr_audit.report.words import name_of
from cr_audit.wording import percent, plural

MAX_PER_RULE = 3
MAX_GAINS = 6
MAX_RATES = 8


def render_gate_table(report: GateReport, screen: Screen) -> str:
    """Verdict, findings, clusters that grow, win rates that move, and what to do."""
    parts: list[RenderableType] = [_header(report), _verdict(report)]
    parts += _findings(report) + _gains(report, screen) + _rates(report)
    facts = [line for line in (agreement_line(report), graph_line(report)) if line]
    if facts:
        parts += [heading("Also"), *(Text(visible(line), style="dim") for line in facts)]
    missing = what_applied(report)
    if missing:
        parts += [heading("Not judged"), *(Text(visible(line), style="dim") for line in missing)]
    parts += _vanished(report)
    parts += _next(report)
    return to_text(Group(*parts), screen)


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="dim")


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _header(report: GateReport) -> RenderableType:
    names = ", ".join(visible(f) for f in report.batch_files[:3])
    against = ", ".join(visible(f) for f in report.baseline_files[:3])
    return Group(
        Text.assemble(("cr-audit gate", "bold"), "  ", (names, "cyan"), " → ", (against, "cyan")),
        Text(what_was_judged(report), style="dim"),
    )


def _verdict(report: GateReport) -> RenderableType:
    verdict, policy = report.verdict, report.policy
    style = "green" if verdict.passed else SEVERITY_STYLE["error"]
    made = f"profile {policy.profile}, from {visible(policy.source)}"
    if policy.source == "default":
        made = f"profile {policy.profile}"
    note = f"{made}; fails on {policy.fail_on}, confidence level {policy.confidence_level:g}"
    head, _, rest = verdict.reason.partition(": ")
    body = Text.assemble((head.upper(), style), "  ", visible(rest), "\n", (note, "dim"))
    return Padding(body, (1, 0, 0, 0))


def _findings(report: GateReport) -> list[RenderableType]:
    judged = report.verdict.judged
    if not judged:
        return [heading("Findings", "none")]
    table = _table()
    table.add_column("rule", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("finding")
    table.add_column("first row")
    seen: dict[str, int] = {}
    for j in judged:
        f = j.finding
        key = f"{f.rule} {j.bin}"
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > MAX_PER_RULE:
            continue
        dim = j.bin in ("baselined", "waived")
        table.add_row(
            Text(f.rule),
            Text(str(f.severity), style="dim" if dim else SEVERITY_STYLE[f.severity]),
            Text(BIN_WORDS[j.bin], style="dim" if dim else ""),
            Text(visible(f.message)),
            _line(visible(f.rows[0]) if f.rows else ""),
        )
    parts: list[RenderableType] = [heading("Findings", plural(len(judged), "finding")), table]
    more: dict[str, int] = {}
    for key, n in seen.items():
        rule = key.split(" ")[0]
        more[rule] = more.get(rule, 0) + max(n - MAX_PER_RULE, 0)
    rest = ", ".join(f"{n:,} more {rule}" for rule, n in sorted(more.items()) if n)
    if rest:
        parts.append(Text(f"… and {rest}", style="dim"))
    return parts


def _gains(report: GateReport, screen: Screen) -> list[RenderableType]:
    gains = shown_gains(report, MAX_GAINS)
    if not gains:
        return []
    table = _table()
    table.add_column("what")
    table.add_column("old", justify="right", no_wrap=True)
    table.add_column("new", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("weight", justify="right", no_wrap=True)
    table.add_column("a new member")
    for g in gains:
        weight = "—"
        if g.weight_after == g.weight_after:
            weight = f"{percent(g.weight_before)} → {percent(g.weight_after)}"
        table.add_row(
            Text("one prompt" if g.scope == "response" else f"{g.n_prompts:,} prompts"),
            Text(f"{g.n_old:,}"),
            Text(f"{g.new.size:,}"),
            Text(f"{percent(g.scope_share_before)} → {percent(g.scope_share_after)}"),
            Text(weight),
            _line(shorten(visible(typical(report, g)), screen.width)),
        )
    parts = [heading("Clusters that grow", "share = of the prompt's responses, or of all"), table]
    growth = report.effect.growth
    left = 0 if isinstance(growth, NotApplicable) else len(growth.gains) - len(gains)
    if left > 0:
        parts.append(Text(f"… and {left:,} more clusters", style="dim"))
    return parts


def _rates(report: GateReport) -> list[RenderableType]:
    rows = rate_rows(report, MAX_RATES)
    ranking = report.effect.ranking
    if not rows or isinstance(ranking, NotApplicable):
        return []
    unit = report.effect.unit
    weighted = rows[0].weighted_change == rows[0].weighted_change
    table = _table()
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column(unit.unit)
    table.add_column("win rate", justify="right", no_wrap=True)
    table.add_column("change ± error", justify="right", no_wrap=True)
    if weighted:
        table.add_column("weighted ± error", justify="right", no_wrap=True)
    for r in rows:
        dim = "" if r.beyond_noise else "dim"
        row: list[RenderableType] = [
            Text(f"{r.rank_before} → {r.rank_after}"),
            _line(name_of(unit, r.item, 120)),
            Text(f"{r.before:.3f} → {r.after:.3f}"),
            Text(f"{r.change:+.3f} ± {r.error:.3f}", style=dim),
        ]
        if weighted:
            row.append(Text(f"{r.weighted_change:+.3f} ± {r.weighted_error:.3f}"))
        table.add_row(*row)
    effect = ranking.effect
    legend = (
        f"{effect.n_replicates:,} resamples of {ranking.resampled.value}; a change of more than"
        f" {effect.critical_value:.2f} errors is beyond noise"
    )
    title = heading(f"Win rates by {unit.unit}", "largest changes first")
    return [title, table, Text(legend, style="dim")]


def _vanished(report: GateReport) -> list[RenderableType]:
    gone = report.verdict.vanished
    if not gone:
        return []
    lines = [f"{k.rule} {k.message}" for k in gone[:MAX_PER_RULE]]
    if len(gone) > MAX_PER_RULE:
        lines.append(f"… and {len(gone) - MAX_PER_RULE:,} more")
    note = f"{plural(len(gone), 'known finding')} of the file given"
    return [heading("No longer found", note), *(Text(visible(x), style="dim") for x in lines)]


def _next(report: GateReport) -> list[RenderableType]:
    failing = report.verdict.of("failing")
    if not failing:
        return []
    rule = failing[0].finding.rule
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text(f"  cr-audit explain {rule}"), Text("what the finding means", style="dim"))
    grid.add_row(
        Text("  [[gate.waivers]] in cr-audit.toml"), Text("accept it, until a day", style="dim")
    )
    return [heading("Next"), grid]
