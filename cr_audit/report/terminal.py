"""The report of ``cr-audit scan`` for people, and the header of its parts. Escaping as in
``report.screen``.
"""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cr_audit.analysis.facts import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding
from cr_audit.report.clone_tables import clone_section
from cr_audit.report.escape import visible
from cr_audit.report.places import Place
from cr_audit.report.screen import SEVERITY_STYLE, Screen, data_table, heading, step_lines, to_text
from cr_audit.report.weight_tables import weight_section
from cr_audit.report.win_rate_tables import win_rate_section
from cr_audit.report.words import answer, what_was_read
from cr_audit.wording import plural

MAX_CLUSTERS = 8
MAX_ITEMS = 15
MAX_SECONDARY = 6
MAX_PER_RULE = 3


def render_scan(
    analysis: Analysis, findings: tuple[Finding, ...], command: str, screen: Screen
) -> str:
    """What ``cr-audit scan`` prints: header, answer, tables, findings, next steps."""
    return to_text(scan_report(analysis, findings, command, screen), screen)


def scan_report(
    analysis: Analysis, findings: tuple[Finding, ...], command: str, screen: Screen
) -> Group:
    """The same, not yet rendered (for a picture, say)."""
    parts: list[RenderableType] = [report_header(analysis, command), _answer(analysis, findings)]
    parts += clone_section(analysis, screen, limit=MAX_CLUSTERS, diffs=1)
    parts += weight_section(analysis)
    for k, unit in enumerate(analysis.units):
        if k == 0 or not isinstance(unit.shift, NotApplicable):
            parts += win_rate_section(unit, screen, limit=MAX_ITEMS if k == 0 else MAX_SECONDARY)
    parts += choice_set_section(analysis)
    parts += finding_section(findings)
    parts += next_section(analysis, screen)
    return Group(*parts)


def render_part(
    analysis: Analysis, command: str, sections: list[RenderableType], screen: Screen
) -> str:
    """The header and some sections, for the commands that show one part in depth."""
    return to_text(Group(report_header(analysis, command), *sections), screen)


def report_header(analysis: Analysis, command: str) -> RenderableType:
    """The command, its files, and what was read."""
    files = [f.path for f in analysis.dataset.report.files]
    names = ", ".join(visible(f) for f in files[:3]) + (
        f" and {len(files) - 3} more" if len(files) > 3 else ""
    )
    return Group(
        Text.assemble(("cr-audit " + command, "bold"), "  ", (names, "cyan")),
        Text(what_was_read(analysis), style="dim"),
    )


def _answer(analysis: Analysis, findings: tuple[Finding, ...]) -> RenderableType:
    worst = next((f.severity for f in findings if f.severity != "note"), None)
    style = SEVERITY_STYLE[worst] if worst else "green"
    body = Text("\n").join(Text(sentence) for sentence in answer(analysis, findings))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column()
    grid.add_row(Text("▌\n" * 1, style=style), body)
    return Padding(grid, (1, 0, 0, 0))


def choice_set_section(analysis: Analysis) -> list[RenderableType]:
    c = analysis.choice_sets
    if isinstance(c, NotApplicable):
        return []
    sizes = ", ".join(f"{n:,} of {s}" for s, n in c.sizes[:8])
    lines = (
        f"{sizes}\n{c.n_single_choice:,} with one choice, {c.n_full_rankings:,} full and"
        f" {c.n_partial_rankings:,} partial rankings, {c.n_with_ties:,} with ties\n"
        "kept as lists; --expand-choices reads them as pairs"
    )
    return [heading("Lists", plural(c.n, "choice set")), Padding(Text(lines), (0, 0, 0, 2))]


def finding_section(findings: tuple[Finding, ...]) -> list[RenderableType]:
    """At most three findings of a rule; the rest is counted."""
    if not findings:
        return [heading("Findings", "none")]
    table = data_table()
    table.add_column("rule", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("finding")
    table.add_column("first row")
    seen: dict[str, int] = {}
    for f in findings:
        seen[f.rule] = seen.get(f.rule, 0) + 1
        if seen[f.rule] <= MAX_PER_RULE:
            table.add_row(
                Text(f.rule),
                Text(str(f.severity), style=SEVERITY_STYLE[f.severity]),
                Text(visible(f.message)),
                Place(f.rows[0] if f.rows else ""),
            )
    more = {rule: n - MAX_PER_RULE for rule, n in seen.items() if n > MAX_PER_RULE}
    parts: list[RenderableType] = [heading("Findings", plural(len(findings), "finding")), table]
    if more:
        rest = ", ".join(f"{n:,} more {rule}" for rule, n in sorted(more.items()))
        parts.append(Text(f"… and {rest}", style="dim"))
    return parts


def next_section(analysis: Analysis, screen: Screen) -> list[RenderableType]:
    """What to do now; the commands can be copied as they are."""
    files = " ".join(_shell(f.path) for f in analysis.dataset.report.files[:3])
    steps = []
    if not isinstance(analysis.clones, NotApplicable) and analysis.clones.clusters:
        steps.append((f"cr-audit clones {files}", "every cluster with its members"))
    if not isinstance(analysis.weights, NotApplicable):
        steps.append((f"cr-audit weights {files} --compare", "other schemes and spaces"))
    if analysis.units and not isinstance(analysis.units[0].shift, NotApplicable):
        steps.append((f"cr-audit winrates {files}", "all items with intervals"))
    steps.append(("cr-audit explain RULE", "what a finding means"))
    return [heading("Next"), *step_lines(steps, screen)]


def _shell(path: str) -> str:
    import shlex

    return shlex.quote(visible(path))
