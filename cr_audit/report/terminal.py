"""Tables for people. Every text from the data goes through ``visible`` and into a ``Text``, so that
neither the terminal nor rich's markup ever sees it raw.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding, Rule
from cr_audit.geometry.clones import Cluster
from cr_audit.geometry.compare import SchemeTable
from cr_audit.report.diff import Run, word_diff
from cr_audit.report.escape import no_commands, shorten, visible
from cr_audit.report.places import Place
from cr_audit.report.words import answer, name_of, what_was_read
from cr_audit.wording import percent, plural

SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "note": "cyan"}
MAX_CLUSTERS = 8
MAX_ITEMS = 15
MAX_SECONDARY = 6
MAX_PER_RULE = 3
MAX_MEMBERS = 20
MAX_DIFF = 400
# The end of a line: blanks, and codes of colour among them.
_LINE_END = re.compile(r"(?:\s|\x1b\[[0-9;]*m)+$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# One word of a command as shlex.quote writes it.
_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")
_SCOPES = ("response", "boilerplate", "prompt")


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a table goes: columns, and whether colours may be used."""

    width: int
    colour: bool

    @classmethod
    def of_stdout(cls) -> Screen:
        """The terminal on stdout; piped output is plain and 100 columns wide (or COLUMNS)."""
        tty = sys.stdout.isatty()
        width = shutil.get_terminal_size((100, 24)).columns
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        return cls(width=max(width, 40), colour=tty and not plain)


def to_text(renderable: RenderableType, screen: Screen) -> str:
    """Render to a string; the same input and screen give the same bytes."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=screen.width,
        force_terminal=screen.colour,
        color_system="standard" if screen.colour else None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(renderable)
    lines = out.getvalue().splitlines()
    return no_commands("\n".join(_LINE_END.sub(_without_blanks, line) for line in lines)) + "\n"


def _without_blanks(end: re.Match[str]) -> str:
    return "".join(_COLOUR.findall(end[0]))


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


def heading(title: str, note: str = "") -> RenderableType:
    return Padding(
        Text.assemble((title, "bold"), ("  " + note if note else "", "dim")), (1, 0, 0, 0)
    )


def data_table() -> Table:
    """An empty table in the one style of all reports."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="dim")


def one_line(text: str, style: str = "") -> Text:
    """One line that is cut with an ellipsis where its column is too narrow.

    Columns of such lines are left wrappable, so that rich narrows them first and never a number.
    """
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def render_part(
    analysis: Analysis, command: str, sections: list[RenderableType], screen: Screen
) -> str:
    """The header and some sections, for the commands that show one part in depth."""
    return to_text(Group(report_header(analysis, command), *sections), screen)


def clone_section(
    analysis: Analysis, screen: Screen, *, limit: int, diffs: int, members: bool = False
) -> list[RenderableType]:
    """Clusters, the heaviest in items first, and word diffs of the largest ones."""
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return [heading("Clones", f"not computed: {clones.reason}")]
    shown = [c for c in clones.clusters if not _is_nested(c, clones.clusters)]
    shown.sort(key=lambda c: (_SCOPES.index(c.scope), -c.size))
    if not shown:
        return [heading("Clones", f"none within {clones.radius:.3g} of each other")]
    wide = screen.width >= 110
    table = data_table()
    table.add_column("what")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("items", justify="right", no_wrap=True)
    table.add_column("weight", justify="right", no_wrap=True)
    table.add_column("apart", justify="right", no_wrap=True)
    if wide:
        table.add_column("link", justify="right", no_wrap=True)
    table.add_column("the most typical member")
    for cluster in shown[:limit]:
        table.add_row(*_cluster_row(analysis, cluster, wide, screen.width))
    recall = clones.neighbours.recall_estimate
    found = f"{clones.neighbours.index} search"
    if not isinstance(recall, NotApplicable):
        found += f", recall {recall:.3f} on {clones.neighbours.n_recall_sample:,} sampled texts"
    parts = [heading("Clones", f"near = distance up to {clones.radius:.3g}; {found}"), table]
    if len(shown) > limit:
        parts.append(Text(f"… and {len(shown) - limit:,} more clusters", style="dim"))
    if members:
        parts.extend(_members(analysis, c, k) for k, c in enumerate(shown[:limit], 1))
    differing = [c for c in shown if c.diameter > 0 and _has_text(analysis, c)]
    parts.extend(_diff(analysis, cluster, screen) for cluster in differing[:diffs])
    return parts


def _has_text(analysis: Analysis, cluster: Cluster) -> bool:
    data = analysis.dataset
    frame = data.prompts if cluster.scope == "prompt" else data.alternatives
    return all(frame["text"][i] is not None for i in cluster.furthest)


def _members(analysis: Analysis, cluster: Cluster, number: int) -> RenderableType:
    """Who is in a cluster, with the first row of each member."""
    data = analysis.dataset
    grid = data_table()
    grid.add_column(f"cluster {number}", no_wrap=True)
    grid.add_column("model", no_wrap=True, overflow="ellipsis", max_width=24)
    grid.add_column("first row")
    grid.add_column("text")
    listed = cluster.members[:MAX_MEMBERS].tolist()
    of_prompts = cluster.scope == "prompt"
    frame = data.prompts if of_prompts else data.alternatives
    rows = [()] * len(listed) if of_prompts else data.provenance(listed, 1)
    for i, first in zip(listed, rows, strict=True):
        model = "" if of_prompts else frame["model"][i] or frame["key"][i] or ""
        grid.add_row(
            Text(frame["id"][i]),
            Text(visible(model)),
            Place(first[0] if first else ""),
            one_line(shorten(visible(frame["text"][i] or ""), 200)),
        )
    left = cluster.size - len(listed)
    more = [Text(f"… and {left:,} more members", style="dim")] if left > 0 else []
    return Group(grid, *more)


def heaviest_section(analysis: Analysis, *, limit: int) -> list[RenderableType]:
    """The alternatives with the largest weights, with standard errors."""
    weights = analysis.weights
    if isinstance(weights, NotApplicable):
        return []
    frame = analysis.dataset.alternatives
    order = np.lexsort((np.arange(weights.m), -np.round(weights.weights, 15)))[:limit].tolist()
    table = data_table()
    table.add_column("times 1/m", justify="right", no_wrap=True)
    table.add_column("± error", justify="right", no_wrap=True)
    table.add_column("id")
    table.add_column("response")
    for i in order:
        text = frame["text"][i] or frame["model"][i] or frame["key"][i] or ""
        table.add_row(
            Text(f"{weights.weights[i] * weights.m:.2f}"),
            Text(f"{weights.standard_error[i] * weights.m:.2f}"),
            Text(frame["id"][i]),
            one_line(shorten(visible(text), 200)),
        )
    return [heading("Heaviest", f"{len(order):,} of {weights.m:,} responses"), table]


def comparison_section(table: SchemeTable, groups: str) -> list[RenderableType]:
    """METHODS' table of schemes on the user's data; the seconds are the machine's, not a result."""
    grid = data_table()
    grid.add_column("weights")
    for header in (
        "effective",
        "zero",
        "exact clone",
        "moved",
        "near-clones",
        "half gone",
        "noise",
        "s",
    ):
        grid.add_column(header, justify="right", no_wrap=True)
    for row in table.rows:
        name = row.scheme + (f" {row.space}" if row.space else "")
        grid.add_row(
            Text(name + (" !" if row.cautions else "")),
            Text(percent(row.effective_share)),
            Text(percent(row.zero_share)),
            *(
                Text(f"{x:.3f}", style="dim" if x <= row.noise else "")
                for x in (row.exact_clone, row.continuity, row.near_clone, row.topic_clone)
            ),
            Text(f"{row.noise:.3f}", style="dim"),
            Text(f"{row.seconds:.1f}", style="dim"),
        )
    of = (
        f"{table.n_used:,} of {table.n_items:,} items"
        if table.n_used < table.n_items
        else (plural(table.n_items, "item"))
    )
    width = (
        f"neighbours within {table.sharing_width:.3g} at {table.sharing_strength:.0%}"
        if table.sharing_width
        else "clones alone"
    )
    legend = (
        f"L1 shift (0 to 2) of the weight of {table.n_groups:,} groups ({groups}) when one item is"
        " added again word for word; when one is moved a little; when the largest group is added"
        " again with small changes; when half of it is taken away. Shifts up to the noise say"
        f" nothing. ! = a caution applies. Sharing: {width}."
    )
    return [heading("Schemes compared", of), grid, Text(legend, style="dim")]


def _is_nested(cluster: Cluster, clusters: Sequence[Cluster]) -> bool:
    """An exact cluster inside a near one says nothing new; loose ones are not shown."""
    if cluster.kind == "loose":
        return True
    if cluster.kind != "exact":
        return False
    return any(
        other.kind == "near"
        and other.scope == cluster.scope
        and other.size >= cluster.size
        and bool(np.isin(cluster.members, other.members).all())
        for other in clusters
    )


def _cluster_row(
    analysis: Analysis, cluster: Cluster, wide: bool, width: int
) -> list[RenderableType]:
    data = analysis.dataset
    of_prompts = cluster.scope == "prompt"
    frame = data.prompts if of_prompts else data.alternatives
    share = weight = "—"
    if not of_prompts:
        share = percent(cluster.size / data.n_alternatives)
        if not isinstance(analysis.weights, NotApplicable):
            weight = percent(float(analysis.weights.weights[cluster.members].sum()))
    text = frame["text"][cluster.medoid]
    if text is None:
        names = ("key",) if of_prompts else ("model", "key", "id")
        text = next(n for k in names if (n := frame[k][cluster.medoid]) is not None)
    text = text or "(empty)"
    what = {"response": "", "prompt": "prompts ", "boilerplate": "boilerplate "}[cluster.scope]
    row: list[RenderableType] = [
        Text(what + cluster.kind),
        Text(f"{cluster.size:,}"),
        Text(share),
        Text(weight),
        Text(f"{cluster.diameter:.2f}"),
    ]
    if wide:
        row.append(Text(f"{cluster.weakest_link:.2f}"))
    row.append(one_line(shorten(visible(text), width)))
    return row


def _diff(analysis: Analysis, cluster: Cluster, screen: Screen) -> RenderableType:
    """The two furthest members side by side, changed words marked."""
    data = analysis.dataset
    frame = data.prompts if cluster.scope == "prompt" else data.alternatives
    i, j = cluster.furthest
    left, right = word_diff(frame["text"][i] or "", frame["text"][j] or "")
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="dim")
    for k in (i, j):
        title = frame["id"][k]
        if cluster.scope != "prompt" and frame["model"][k]:
            title = frame["model"][k]
        grid.add_column(Text(shorten(visible(title), screen.width // 2 - 4)), ratio=1)
    grid.add_row(_runs(left, "red", "-", screen), _runs(right, "green", "+", screen))
    return Group(
        Text(f"the two furthest of the cluster of {cluster.size:,}:", style="dim"),
        grid,
    )


def _runs(runs: list[Run], style: str, mark: str, screen: Screen) -> Text:
    """Colour where there is colour; marks such as {+word+} where there is none."""
    out = Text()
    for run in runs:
        if len(out) > MAX_DIFF:
            out.append(" …", style="dim")
            break
        text = shorten(visible(run.text), MAX_DIFF)
        if run.kind == "skipped":
            out.append(f" {text} ", style="dim")
        elif run.kind == "same":
            out.append(text)
        elif screen.colour:
            out.append(text, style=f"bold {style}")
        else:
            out.append("{" + mark + text.rstrip() + mark + "} ")
    return out


def weight_section(analysis: Analysis) -> list[RenderableType]:
    weights = analysis.weights
    if isinstance(weights, NotApplicable):
        return [heading("Weights", f"not computed: {weights.reason}")]
    note = weights.method + (f" on the {weights.space}" if weights.space else "")
    lines = [
        f"scope {analysis.scope.value} ({analysis.scope.reason})",
        f"effective number {weights.effective_number_corrected:,.1f} of"
        f" {plural(weights.m, 'response')}; {percent(weights.zero_share)} without weight;"
        f" {plural(weights.n_merged, 'exact duplicate')} merged",
    ]
    if weights.n_samples:
        reached = "reached" if weights.reached else "not reached"
        lines.append(
            f"{weights.n_samples:,} samples: a weight of 1/m has a relative error of"
            f" {percent(weights.max_relative_error)} (asked for {percent(weights.precision)},"
            f" {reached})"
        )
    body = Text("\n".join(lines))
    return [heading("Weights", note), Padding(body, (0, 0, 0, 2))]


def win_rate_section(unit: UnitResult, screen: Screen, *, limit: int) -> list[RenderableType]:
    """Rank and win rate before and after, with the error of the shift."""
    title = f"Win rates by {unit.unit}"
    note = unit.reason
    if unit.comparisons.n == 0:
        return [heading(title, "there are no comparisons")]
    if isinstance(unit.shift, NotApplicable):
        return [heading(title, f"{note}; no ranking: {unit.shift.reason}"), *_graph_line(unit)]
    shift = unit.shift
    weighted = not isinstance(unit.items.weights, NotApplicable)
    wide = screen.width >= 110
    many = unit.graph.n_components > 1
    table = data_table()
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column(unit.unit)
    table.add_column("win rate", justify="right", no_wrap=True)
    if weighted:
        table.add_column("shift ± error", justify="right", no_wrap=True)
        table.add_column("rank differs", justify="right", no_wrap=True)
    if wide or not weighted:
        table.add_column("opponents", justify="right", no_wrap=True)
        table.add_column("comparisons", justify="right", no_wrap=True)
    order = _order(unit, weighted, many)
    for i in order[:limit]:
        table.add_row(*_win_rate_row(unit, i, weighted, wide))
    level = percent(1 - shift.confidence_level)
    parts: list[RenderableType] = [heading(title, note), table]
    left = len(order) - limit
    if left > 0:
        parts.append(
            Text(f"… and {left:,} more ({'largest shifts' if many else 'best'} first)", style="dim")
        )
    legend = (
        f"{shift.n_replicates:,} resamples of {unit.resampled.value}; error = one standard error;"
        f" ▲▼ = change of rank beyond noise (at most {level} of those marked are chance)"
    )
    if many:
        legend += f"; ranks are within {unit.graph.n_components:,} separate components"
    parts.append(Text(legend, style="dim"))
    if not isinstance(unit.closest, NotApplicable) and unit.unit == "model":
        c = unit.closest
        parts.append(
            Text(
                f"closest models: {visible(c.first)} and {visible(c.second)}, distance"
                f" {c.distance:.3f} (median pair {c.median_distance:.3f},"
                f" {plural(c.n_shared_prompts, 'shared prompt')})",
                style="dim",
            )
        )
    return [*parts, *_graph_line(unit)]


def _order(unit: UnitResult, weighted: bool, many: bool) -> list[int]:
    """Best first; with many components, the largest shifts first."""
    rates, shift = unit.win_rates, unit.shift
    known = np.flatnonzero(rates.n_opponents > 0)
    if many and weighted and not isinstance(shift, NotApplicable):
        key = np.round(-np.abs(shift.shift[known]), 12)
    else:
        key = np.round(-rates.average[known], 12)
    return [int(i) for i in known[np.lexsort((known, key))]]


def _win_rate_row(unit: UnitResult, i: int, weighted: bool, wide: bool) -> list[RenderableType]:
    rates, shift = unit.win_rates, unit.shift
    assert not isinstance(shift, NotApplicable)
    before, after = int(rates.rank_average[i]), int(rates.rank_weighted[i])
    real = weighted and bool(shift.flagged[i])
    better = after < before
    style = ("green" if better else "red") if real else ""
    rank = f"{before} → {after} {('▲' if better else '▼') if real else ' '}"
    rate = f"{rates.average[i]:.3f}"
    row: list[RenderableType] = [
        Text(rank if weighted else str(before), style=style),
        one_line(name_of(unit, i, 120), style),
        Text(f"{rate} → {rates.weighted[i]:.3f}" if weighted else rate),
    ]
    if weighted:
        dim = "dim" if shift.within_noise[i] else ""
        row.append(Text(f"{shift.shift[i]:+.3f} ± {shift.standard_error[i]:.3f}", style=dim))
        row.append(Text(f"{shift.probability_differs[i]:.2f}"))
    if wide or not weighted:
        row.append(Text(f"{int(rates.n_opponents[i]):,}"))
        row.append(Text(f"{int(rates.n_comparisons[i]):,}"))
    return row


def _graph_line(unit: UnitResult) -> list[RenderableType]:
    g = unit.graph
    if unit.comparisons.n == 0:
        return []
    triads = (
        ""
        if isinstance(g.triads, NotApplicable)
        else f"; {percent(g.triads.share)} of triads are cycles"
    )
    within = (
        f"; {plural(unit.n_within, 'comparison')} within one {unit.unit}" if unit.n_within else ""
    )
    return [
        Text(
            f"graph: {plural(g.n_components, 'component')},"
            f" {g.comparisons_per_item.median:g} comparisons per {unit.unit} (median),"
            f" {g.undefeated.size:,} undefeated, {g.winless.size:,} winless{triads}{within}",
            style="dim",
        )
    ]


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


def step_lines(steps: Sequence[tuple[str, str]], screen: Screen) -> list[RenderableType]:
    """Commands and what they show, beside each other where the screen is wide enough."""
    if 6 + max(len(c) for c, _ in steps) + max(len(w) for _, w in steps) > screen.width:
        return [
            Text(f"  {_continued(command, screen.width - 2)}\n", overflow="fold").append(
                f"    {what}", style="dim"
            )
            for command, what in steps
        ]
    grid = Table.grid(padding=(0, 2))
    for command, what in steps:
        grid.add_row(Text("  " + command), Text(what, style="dim"))
    return [grid]


def _continued(command: str, width: int) -> str:
    """A command on as many lines as it needs, so that it can be copied: broken between words."""
    lines = [""]
    for word in _WORD.findall(command):
        if lines[-1] and len(lines[-1]) + len(word) + 3 > width:
            lines.append("  ")
        lines[-1] += word if not lines[-1].strip() else f" {word}"
    return " \\\n  ".join(lines)


def _shell(path: str) -> str:
    import shlex

    return shlex.quote(visible(path))


def rule_text(rule: Rule, screen: Screen) -> str:
    """One rule in full, for ``cr-audit explain``."""
    parts: list[RenderableType] = [
        Text.assemble(
            (rule.id, "bold"),
            "  ",
            (rule.name, "bold"),
            "  ",
            (str(rule.severity), SEVERITY_STYLE[rule.severity]),
        ),
        Text(rule.summary),
    ]
    for title, body in (
        ("What it means", rule.means),
        ("How it is computed", rule.computed),
        ("What to do", rule.advice),
        ("Source", rule.source),
    ):
        if body:
            parts += [heading(title), Padding(Text(body), (0, 0, 0, 2))]
    return to_text(Group(*parts), Screen(min(screen.width, 88), screen.colour))


def rule_list(rules: Sequence[Rule], screen: Screen) -> str:
    """All rules, one per line."""
    table = data_table()
    table.add_column("rule", min_width=5, no_wrap=True)
    table.add_column("name")
    table.add_column("severity", min_width=8, no_wrap=True)
    table.add_column("finds", ratio=1)
    for rule in rules:
        table.add_row(
            rule.id,
            rule.name,
            Text(str(rule.severity), style=SEVERITY_STYLE[rule.severity]),
            rule.summary,
        )
    return to_text(Group(table, Text("cr-audit explain CR101 says more", style="dim")), screen)
