"""What ``cr-audit refit`` prints for people. Escaping as in ``report.screen``."""

from __future__ import annotations

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cr_audit.analysis.facts import Analysis
from cr_audit.analysis.reward_facts import MOVED, HeldOut, Rewards, Subjects
from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding
from cr_audit.models.rewards.changes import Changes
from cr_audit.report.escape import shorten, visible
from cr_audit.report.reward_words import (
    chart_items,
    fits_of,
    reward_answer,
    shown_order,
    subject_name,
)
from cr_audit.report.screen import (
    SEVERITY_STYLE,
    Screen,
    data_table,
    heading,
    number_columns,
    one_line,
    to_text,
)
from cr_audit.report.slope_chart import Slope, braille_rows, svg
from cr_audit.report.terminal import finding_section, report_header
from cr_audit.report.win_rate_tables import win_rate_section
from cr_audit.wording import percent, plural

MAX_ITEMS = 15
MAX_WIN_RATES = 8
ABOUT_REWARDS = ("CR203", "CR204", "CR205", "CR206", "CR207")
MAX_CAUSES = 6
MAX_EFFECTS = 3
MAX_SLOPES = 16
MAX_SVG_SLOPES = 60
CHART_WIDTH = 24


def render_refit(analysis: Analysis, findings: tuple[Finding, ...], screen: Screen) -> str:
    """Header, answer, win rates, rewards, chart, causes, how sure, findings."""
    parts: list[RenderableType] = [report_header(analysis, "refit"), _answer(analysis, findings)]
    unit = analysis.units[0]
    if not isinstance(unit.shift, NotApplicable):
        parts += win_rate_section(unit, screen, limit=MAX_WIN_RATES)
    r = analysis.rewards
    if not isinstance(r, NotApplicable):
        parts += reward_section(r, screen, limit=MAX_ITEMS)
        parts += chart_section(r, screen)
        parts += cause_section(r, screen)
        parts += decision_section(r)
        parts += sure_section(r)
        parts += curve_section(r)
    parts += finding_section(findings)
    return to_text(Group(*parts), screen)


def _answer(analysis: Analysis, findings: tuple[Finding, ...]) -> RenderableType:
    worst = next((f.severity for f in findings if f.rule in ABOUT_REWARDS), None)
    body = Text("\n").join(Text(sentence) for sentence in reward_answer(analysis))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column()
    grid.add_row(Text("▌\n" * 1, style=SEVERITY_STYLE[worst] if worst else "green"), body)
    return Padding(grid, (1, 0, 0, 0))


def reward_section(r: Rewards, screen: Screen, *, limit: int) -> list[RenderableType]:
    """Rank and reward in both fits, the interval of the shift, how sure a change of sides is."""
    note = f"{r.reward_model}: {r.reward_choice.reason}"
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        reason = c.reason if isinstance(c, NotApplicable) else ""
        return [heading("Rewards", note), Text(f"no ranking: {reason}", style="dim")]
    both = not isinstance(r.weighted, NotApplicable)
    table = data_table()
    number_columns(table, "rank")
    table.add_column(s.unit)
    number_columns(table, "reward", "shift" if both else "interval")
    if both:
        number_columns(table, "sure")
    if screen.width >= 110:
        number_columns(table, "first", "comparisons")
    order = shown_order(r, c, s)
    for i in order[:limit]:
        table.add_row(*_reward_row(r, c, s, i, both, screen.width >= 110))
    parts: list[RenderableType] = [heading(f"Rewards by {s.unit}", note), table]
    if len(order) > limit:
        several = both and s.n_components > 1
        first = "surest changes" if several else "best"
        parts.append(Text(f"… and {len(order) - limit:,} more ({first} first)", style="dim"))
    parts.append(Text(_legend(r, c, s, both), style="dim"))
    return parts


def _legend(r: Rewards, c: Changes, s: Subjects, both: bool) -> str:
    level = percent(c.confidence_level)
    text = f"log-odds{'' if s.what == s.unit + 's' else ' (' + s.what + ')'}"
    text += f", {level} intervals from {plural(c.n_replicates, 'replicate')}: {r.intervals}"
    if both:
        text += (
            f"; sure = share in which it changes sides with some other {s.unit} as shown, ▲▼ ="
            f" surely (at most {percent(1 - c.confidence_level)} of those marked are chance)"
        )
    if s.n_components > 1:
        text += f"; ranks are within {s.n_components:,} separate components"
    silent = int((s.components < 0).sum())
    if silent:
        text += f"; {plural(silent, s.unit)} without comparisons: no data"
    return text


def _reward_row(
    r: Rewards, c: Changes, s: Subjects, i: int, both: bool, wide: bool
) -> list[RenderableType]:
    before, after = int(c.rank_standard[i]), int(c.rank_weighted[i])
    one, two = float(c.reward_standard[i]), float(c.reward_weighted[i])
    real = both and bool(c.flagged[i])
    up = c.reward_weighted[i] > c.reward_standard[i] if before == after else after < before
    style = ("green" if up else "red") if real else ""
    mark = ("▲" if up else "▼") if real else " "
    low, high = (c.interval_shift if both else c.interval_standard)[i]
    row: list[RenderableType] = [
        Text(f"{before} → {after} {mark}" if both else str(before), style=style),
        one_line(subject_name(s, i, 120), style),
        Text(f"{one:+.2f} → {two:+.2f}" if both else f"{one:+.2f}"),
        Text(
            f"{two - one:+.2f} [{low:+.2f}, {high:+.2f}]" if both else f"[{low:+.2f}, {high:+.2f}]",
            style="dim" if both and low <= 0 <= high else "",
        ),
    ]
    if both:
        row.append(Text(f"{c.probability_flip[i]:.2f}"))
    if wide:
        first = f"{c.probability_first_standard[i]:.2f}"
        row.append(Text(f"{first} → {c.probability_first_weighted[i]:.2f}" if both else first))
        row.append(Text(f"{int(s.n_comparisons[i]):,}"))
    return row


def slopes_of(r: Rewards, limit: int, width: int) -> tuple[list[Slope], str]:
    """The chart's lines and a note; empty without two rankings."""
    c, s = r.changes, r.subjects
    if (
        isinstance(c, NotApplicable)
        or isinstance(s, NotApplicable)
        or isinstance(r.weighted, NotApplicable)
    ):
        return [], ""
    items, note = chart_items(r, c, s, limit)
    right = sorted(items, key=lambda i: (int(c.rank_weighted[i]), items.index(i)))
    place = {i: k for k, i in enumerate(right)}
    slopes = [
        Slope(subject_name(s, i, width), k, place[i], bool(c.flagged[i]))
        for k, i in enumerate(items)
    ]
    return slopes, note


def chart_section(r: Rewards, screen: Screen) -> list[RenderableType]:
    """The two rankings as a slope chart; flagged changes in colour, or with ▲▼."""
    label = max(10, min(40, (screen.width - CHART_WIDTH - 8) // 2))
    slopes, note = slopes_of(r, MAX_SLOPES, label)
    if len(slopes) < 2:
        return []
    rows = braille_rows(slopes, CHART_WIDTH)
    by_right = {slope.right: slope for slope in slopes}

    def style(slope: Slope) -> str:
        return ("green" if slope.rises else "red") if slope.marked else ""

    def mark(slope: Slope) -> str:
        return ("▲" if slope.rises else "▼") if slope.marked else " "

    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right")
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(Text("standard", "dim"), "", Text("  weighted", "dim"))
    for k, slope in enumerate(slopes):
        line = Text()
        for character, owner in rows[k]:
            line.append(character, style=(style(slopes[owner]) or "dim") if owner >= 0 else "")
        after = by_right[k]
        grid.add_row(
            one_line(slope.label, style(slope)),
            line,
            one_line(f"{mark(after)} {after.label}", style(after)),
        )
    return [heading("Ranks", note), Padding(grid, (0, 0, 0, 1))]


def render_svg(analysis: Analysis) -> str | NotApplicable:
    """The slope chart as SVG, or why there is none."""
    r = analysis.rewards
    if isinstance(r, NotApplicable):
        return r
    slopes, note = slopes_of(r, MAX_SVG_SLOPES, 34)
    if len(slopes) < 2:
        return NotApplicable("there are no two rankings to draw")
    files = ", ".join(visible(f.path) for f in analysis.dataset.report.files)
    level = "" if isinstance(r.changes, NotApplicable) else percent(r.changes.confidence_level)
    footer = (
        f"green up, red down: changes sides with another, {level} sure"
        if any(slope.marked for slope in slopes)
        else f"no change of sides is {level} sure"
    )
    title = f"Ranks by standard and weighted rewards: {shorten(files, 70)}"
    return svg(slopes, title, "standard", "weighted", "; ".join(x for x in (footer, note) if x))


def cause_section(r: Rewards, screen: Screen) -> list[RenderableType]:
    """The clone groups whose weights make the changes, and how much of them."""
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        return []
    if isinstance(r.groups, NotApplicable) or not r.groups:
        return []
    found = [
        (k, i)
        for i in range(s.n)
        if r.causes and (c.flagged[i] or not c.flagged.any())
        for k in r.causes[i][:1]
    ]
    if not found:
        return _effect_section(r, s)
    table = data_table()
    table.add_column("clones", ratio=1)
    number_columns(table, "size", "items", "weight")
    table.add_column("explains of the change of", ratio=1)
    groups: dict[int, list[tuple[float, int]]] = {}
    for cause, i in found:
        groups.setdefault(cause.group, []).append((cause.share, i))
    moved = np.abs(c.reward_weighted - c.reward_standard)
    shown = sorted(groups, key=lambda g: (-len(groups[g]), g))
    for g in shown[:MAX_CAUSES]:
        group = r.groups[g]
        top = sorted(groups[g], key=lambda x: (-moved[x[1]], x[1]))[:3]
        table.add_row(
            one_line(shorten(visible(group.name), 200)),
            Text(f"{group.members.size:,}"),
            Text(percent(group.item_share)),
            Text(percent(group.weight_mass)),
            Text(", ".join(f"{share:.0%} {subject_name(s, i, 24)}" for share, i in top)),
        )
    kind = "flagged changes" if c.flagged.any() else "changes (none is beyond its noise)"
    parts: list[RenderableType] = [heading("Where it comes from", f"{kind}, by clones"), table]
    if len(shown) > MAX_CAUSES:
        parts.append(Text(f"… and {len(shown) - MAX_CAUSES:,} more clusters", style="dim"))
    parts.append(
        Text(
            "the weighted fit again with these items back at the average weight: the share of the"
            " change that this takes back",
            style="dim",
        )
    )
    return parts + _effect_section(r, s)


def _effect_section(r: Rewards, s: Subjects) -> list[RenderableType]:
    """What the weights of the largest groups move, whether or not it is beyond the noise."""
    if isinstance(r.groups, NotApplicable) or not r.effects:
        return []
    lines = []
    for effect in sorted(r.effects, key=lambda e: (-abs(e.shift), e.group))[:MAX_EFFECTS]:
        group = r.groups[effect.group]
        lines.append(
            f"{shorten(visible(group.name), 50)}: {subject_name(s, effect.subject, 30)}"
            f" {effect.shift:+.2f}; {plural(effect.n_moved, s.unit)} by {MOVED:g} or more"
        )
    tried, known = len(r.effects), len(r.groups)
    some = f"; of {known:,} clusters the {tried:,} whose weight changed most were tried"
    text = f"what the weights of these clones move most, in log-odds{some if tried < known else ''}"
    return [
        Text(text + ":", style="dim"),
        Padding(Text("\n".join(lines)), (0, 0, 0, 2)),
    ]


def decision_section(r: Rewards) -> list[RenderableType]:
    h, d = r.held_out, r.decisions
    lines = []
    if not isinstance(d, NotApplicable):
        lines.append(
            f"the fits order {percent(d.differs)} of {plural(d.n_pairs, 'compared pair')}"
            f" differently; resampling alone turns {percent(d.noise_standard.value)} in the"
            f" standard and {percent(d.noise_weighted.value)} in the weighted fit"
        )
    if not isinstance(h, NotApplicable):
        lines += _held_out_lines(h)
    if not lines:
        return []
    return [heading("Decisions"), Padding(Text("\n".join(lines)), (0, 0, 0, 2))]


def _held_out_lines(h: HeldOut) -> list[str]:
    return [
        f"{plural(h.n_comparisons, 'comparison')} held out in {h.n_folds} folds of {h.held_out}"
        + (f"; {h.n_unpredicted:,} not predicted" if h.n_unpredicted else ""),
        f"they name a different winner in {percent(h.differs.value)}"
        f" ± {percent(h.differs.standard_error)}",
        f"agreement with {plural(h.n_decided, 'judgement')}: standard"
        f" {h.agreement_standard.value:.3f} ± {h.agreement_standard.standard_error:.3f}, weighted"
        f" {h.agreement_weighted.value:.3f} ± {h.agreement_weighted.standard_error:.3f}, difference"
        f" {h.gain.value:+.3f} ± {h.gain.standard_error:.3f}",
    ]


def sure_section(r: Rewards) -> list[RenderableType]:
    """Fits, the certificate, agreement of the rankings, sandwich against bootstrap."""
    lines = []
    for name, fit in fits_of(r):
        state = fit.status.name.lower().replace("_", " ")
        residual = "" if np.isnan(fit.gradient_norm) else f", residual {fit.gradient_norm:.1e}"
        lines.append(
            f"{name} fit, weights {fit.scheme}: {state}, {plural(fit.iterations, 'iteration')}"
            f"{residual}"
        )
        if not fit.converged:
            lines.append(f"  {fit.status}")
    if not isinstance(r.weighted, NotApplicable):
        lines.append(f"which weights: {r.weights_choice.reason}")
    lines.append(
        f"penalty {r.penalty:g} ({r.penalty_choice.reason}), the same for both fits; as printed in"
        f" the paper's Eq. 1: {r.lambda_eq1:g}"
    )
    k = r.certificate
    if not isinstance(k, NotApplicable):
        lines.append(
            f"largest shift {k.measured:.3f}; certified at most {k.residual_bound:.3g} from the"
            f" standard fit and the weights, {k.bound:.3g} before any fit"
        )
    elif not isinstance(r.weighted, NotApplicable):
        lines.append(f"no certificate: {k.reason}")
    c = r.changes
    if not isinstance(c, NotApplicable) and not isinstance(r.weighted, NotApplicable):
        tau, top = c.kendall_tau_interval, c.top_overlap_interval
        several = not isinstance(r.subjects, NotApplicable) and r.subjects.n_components > 1
        largest = " (largest component)" if several else ""
        lines.append(
            f"Kendall's tau of the two rankings{largest} {c.kendall_tau:.3f}"
            f" [{tau[0]:.3f}, {tau[1]:.3f}];"
            f" {percent(c.top_overlap)} [{percent(float(top[0]))}, {percent(float(top[1]))}] of the"
            f" first {c.top_k} are the same"
        )
    if not isinstance(r.win_counts, NotApplicable):
        w = r.win_counts
        each = f" (median of {w.n_components:,} components, lowest {w.lowest:.3f})"
        lines.append(
            f"Spearman's correlation of the standard rewards with wins per comparison"
            f" {w.rate_median:.3f}, with win counts {w.median:.3f}"
            + (each if w.n_components > 1 else "")
        )
    if not isinstance(r.errors, NotApplicable):
        ratios = ", ".join(
            f"{name} {e.width_ratio:.2f} ({e.ratio:.2f})"
            for name, e in zip(("standard", "weighted"), r.errors, strict=False)
        )
        lines.append(
            "sandwich over bootstrap, width of the intervals (and of standard errors), median:"
            f" {ratios}"
        )
    return [heading("How sure"), Padding(Text("\n".join(lines)), (0, 0, 0, 2))]


def curve_section(r: Rewards) -> list[RenderableType]:
    """Cross-validated log-likelihood against the penalty."""
    if isinstance(r.curves, NotApplicable):
        return []
    one, two = r.curves
    table = data_table()
    number_columns(table, "penalty", "standard", "± error")
    if not isinstance(two, NotApplicable):
        number_columns(table, "weighted")
    for k, penalty in enumerate(one.penalties.tolist()):
        row = [
            f"{penalty:.3g}{' ◀' if penalty == one.best else '  '}",
            f"{one.log_likelihood[k]:.4f}",
            f"{one.standard_error[k]:.4f}",
        ]
        if not isinstance(two, NotApplicable):
            row.append(f"{two.log_likelihood[k]:.4f}")
        table.add_row(*row)
    note = f"log-likelihood per held-out comparison, {one.n_folds} folds; knowing nothing: -0.6931"
    return [heading("Penalty", note), table]
