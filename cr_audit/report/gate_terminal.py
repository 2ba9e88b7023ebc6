"""The verdict as tables for people; the same care with hostile text as ``terminal``."""

from __future__ import annotations

from collections import Counter

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cr_audit.arrays import NotApplicable
from cr_audit.gate.verdict import Judged
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
from cr_audit.report.places import Place
from cr_audit.report.screen import (
    SEVERITY_STYLE,
    Screen,
    heading,
    number_columns,
    one_line,
    step_lines,
    to_text,
)
from cr_audit.report.words import name_of
from cr_audit.wording import percent, plural, verb
from cr_audit.write.escape import shorten, visible

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
    parts += _next(report, screen)
    return to_text(Group(*parts), screen)


def _table() -> Table:
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), header_style="dim"
    )


def _indented(table: Table) -> RenderableType:
    return Padding(table, (0, 0, 0, 1))


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
    table.add_column("finding, and its first row")
    shown, rest = _shown(judged)
    for j in shown:
        f = j.finding
        dim = j.bin in ("baselined", "waived")
        message = Text(visible(f.message))
        table.add_row(
            Text(f.rule),
            Text(str(f.severity), style="dim" if dim else SEVERITY_STYLE[f.severity]),
            Text(BIN_WORDS[j.bin], style="dim" if dim else ""),
            Group(message, Place(f.rows[0], "dim")) if f.rows else message,
        )
    n = len(report.verdict.of("failing"))
    note = f"{n:,} of {len(judged):,} {verb(n, 'fails', 'fail')}"
    left = [Text(f"… and {', '.join(rest)}", style="dim")] if rest else []
    return [heading("Findings", note), _indented(table), *left]


def _shown(judged: tuple[Judged, ...]) -> tuple[list[Judged], list[str]]:
    """A few findings of a rule and bin, and what is left out in words. That a cluster holds copies
    is not told again where CR607 tells it, unless it fails and CR607 does not."""
    outgrown = {j.finding.subject: j.bin for j in judged if j.finding.rule == "CR607"}
    shown: list[Judged] = []
    seen: Counter[tuple[str, str]] = Counter()
    left: Counter[str] = Counter()
    n_told = 0
    for j in judged:
        rule, told = j.finding.rule, outgrown.get(j.finding.subject)
        repeats = rule in ("CR604", "CR605") and told is not None
        if repeats and (told == "failing" or j.bin != "failing"):
            n_told += 1
            continue
        seen[rule, j.bin] += 1
        if seen[rule, j.bin] > MAX_PER_RULE:
            left[rule] += 1
        else:
            shown.append(j)
    rest = [f"{n:,} more {rule}" for rule, n in sorted(left.items())]
    if n_told:
        rest.append(f"{n_told:,} of CR604 or CR605 about the clusters of CR607")
    return shown, rest


def _gains(report: GateReport, screen: Screen) -> list[RenderableType]:
    gains = shown_gains(report, MAX_GAINS)
    if not gains:
        return []
    table = _table()
    table.add_column("prompt")
    number_columns(table, "old", "new", "baseline", "batch", "weight")
    table.add_column("a new copy")
    for g in gains:
        weight = "—"
        if g.weight_after == g.weight_after:
            weight = f"{percent(g.weight_before)} → {percent(g.weight_after)}"
        table.add_row(
            one_line(shorten(visible(where(report, g)), screen.width // 4)),
            Text(f"{g.n_old:,}"),
            Text(f"{g.new.size:,}"),
            Text(percent(g.scope_share_before)),
            Text(percent(g.batch_share)),
            Text(weight),
            one_line(shorten(visible(typical(report, g)), screen.width)),
        )
    parts = [heading("Clusters that grow"), _indented(table), Text(SHARES, style="dim")]
    growth = report.effect.growth
    left = 0 if isinstance(growth, NotApplicable) else len(growth.gains) - len(gains)
    if left > 0:
        parts.append(Text(f"… and {plural(left, 'more cluster')}", style="dim"))
    return parts


def _rates(report: GateReport) -> list[RenderableType]:
    rows = rate_rows(report, MAX_RATES)
    ranking = report.effect.ranking
    if not rows or isinstance(ranking, NotApplicable):
        return []
    unit = report.effect.unit
    weighted = rows[0].weighted_change == rows[0].weighted_change
    table = _table()
    number_columns(table, "rank")
    table.add_column(unit.unit)
    number_columns(table, "win rate", "change ± error")
    if weighted:
        number_columns(table, "weighted ± error")
    for r in rows:
        dim = "" if r.beyond_noise else "dim"
        row: list[RenderableType] = [
            Text(f"{r.rank_before} → {r.rank_after}"),
            one_line(name_of(unit, r.item, 120)),
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
    return [title, _indented(table), Text(legend, style="dim")]


def _vanished(report: GateReport) -> list[RenderableType]:
    gone = report.verdict.vanished
    if not gone:
        return []
    lines = [f"{k.rule} {k.message}" for k in gone[:MAX_PER_RULE]]
    if len(gone) > MAX_PER_RULE:
        lines.append(f"… and {len(gone) - MAX_PER_RULE:,} more")
    note = f"{plural(len(gone), 'known finding')} of the file given"
    return [heading("No longer found", note), *(Text(visible(x), style="dim") for x in lines)]


def _next(report: GateReport, screen: Screen) -> list[RenderableType]:
    sentences = advice(report)
    if not sentences:
        return []
    parts: list[RenderableType] = [Text(f"{visible(line)}\n") for line in sentences]
    parts += step_lines(commands(report), screen)
    parts.append(Text(f"\n{visible(acceptance(report))}", style="dim"))
    return [heading("Next"), *parts]
