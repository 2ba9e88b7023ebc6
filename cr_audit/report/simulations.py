"""Tables of the simulations for people, and the JSON that all of them share."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cr_audit import __version__
from cr_audit.report.json_v1 import SCHEMA
from cr_audit.report.json_values import clean
from cr_audit.report.screen import Screen, heading, to_text
from cr_audit.simulate.case_study import CLONES, CaseRow, CaseStudy
from cr_audit.simulate.catalogue import CATALOGUE, Facts
from cr_audit.simulate.robustness import ExampleRates, RobustnessRate
from cr_audit.simulate.table3 import Table3
from cr_audit.simulate.voronoi_figures import VoronoiFigures
from cr_audit.wording import percent


def simulation_list(screen: Screen) -> str:
    """What there is, a line each."""
    grid = table("name", "from", "shows")
    for s in CATALOGUE:
        grid.add_row(Text(s.name, no_wrap=True), Text(s.source), Text(s.shows))
    more = Text("Run one with: cr-audit simulate NAME", style="dim")
    return to_text(Group(grid, more), screen)


def render_simulation(facts: Facts, screen: Screen) -> str:
    """The facts as tables with one sentence that says what they show."""
    if isinstance(facts, Table3):
        parts = _table_3(facts)
    elif isinstance(facts, VoronoiFigures):
        parts = _voronoi(facts)
    elif isinstance(facts, RobustnessRate):
        parts = _rates(facts)
    else:
        parts = _case_study(facts, screen)
    return to_text(Group(*parts), screen)


def render_simulation_json(facts: Any, command: str, settings: Mapping[str, Any]) -> str:
    """One object in the order of the contract: schema, command, version, settings, facts."""
    document = {
        "schema": SCHEMA,
        "command": command,
        "version": __version__,
        "settings": settings,
        "simulation": plain_values(facts),
    }
    text = json.dumps(clean(document), ensure_ascii=True, indent=1, allow_nan=False)
    return text.replace("\x7f", "\\u007f").replace("##", "#\\u0023") + "\n"


def plain_values(value: Any) -> Any:
    """Records and arrays as dictionaries and lists; derived properties are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain_values(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {k: plain_values(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(v) for v in value]
    return value


def table(*columns: str, right: int | None = None) -> Table:
    """A plain table; the columns from number ``right`` on hold numbers."""
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="dim")
    for k, name in enumerate(columns):
        number = right is not None and k >= right
        out.add_column(name, justify="right" if number else "left", no_wrap=number)
    return out


def sentence(text: str) -> RenderableType:
    return Padding(Text(text), (1, 0, 0, 0))


def numbers(values: Sequence[float], digits: int = 3) -> list[Text]:
    return [Text("—" if np.isnan(v) else fixed(v, digits)) for v in values]


def fixed(value: float, digits: int) -> str:
    """Rounded, and no minus sign before a zero."""
    return f"{round(float(value), digits) + 0.0:.{digits}f}"


def _table_3(t: Table3) -> list[RenderableType]:
    flipped = next((r.n_copies for r in t.rows if r.winner_average != t.rows[0].winner_average), 0)
    kept = len({r.winner_weighted for r in t.rows}) == 1
    first = t.rows[0].winner_average
    parts: list[RenderableType] = []
    if flipped:
        parts.append(
            sentence(
                f"Once c stands {flipped} times, {t.rows[flipped - 1].winner_average} wins by"
                f" average win rate instead of {first}; by weighted win rate the winner"
                f" {'stays' if kept else 'changes to'} {t.rows[-1].winner_weighted}. The two tie"
                f" where the copies of c carry {t.flip_mass:.4f} of the weight."
            )
        )
    for title, name, digits in (
        ("Borda count", "borda", 4),
        ("Average win rate", "average", 4),
        ("Weighted win rate", "weighted", 4),
        (f"Reward, standard fit (penalty {t.penalty:g})", "standard", 4),
        ("Reward, weighted fit", "rewards_weighted", 4),
    ):
        grid = table("times c stands", *t.names, "winner", right=0)
        for r in t.rows:
            values = getattr(r, name)
            winner = t.names[int(values.argmax())]
            grid.add_row(str(r.n_copies), *numbers(values, digits), winner)
        parts += [heading(title), grid]
    return parts


def _voronoi(v: VoronoiFigures) -> list[RenderableType]:
    last = v.steps[-1]
    parts: list[RenderableType] = [
        sentence(
            f"A clone {last.distance:g} away leaves its original {last.original:.2g} of the weight"
            f" and takes {last.clone:.3f}: single weights of a pair are arbitrary. Their sum,"
            f" {last.both:.4f}, is that of the point alone, {v.without_clone:g}."
        )
    ]
    for figure in v.figures:
        grid = table("point", "exact", "sampled", "± error", "off by, in errors", right=1)
        rows = zip(figure.points, figure.exact, figure.sampled, figure.standard_error, strict=True)
        for point, exact, sampled, error in rows:
            off = (sampled - exact) / error if error > 0 else np.nan
            name = f"({point[0]:g}, {point[1]:g})"
            grid.add_row(name, *numbers([exact, sampled, error], 5), *numbers([off], 1))
        parts += [heading(figure.title, f"{figure.n_samples:,} samples"), grid]
    grid = table("distance of the clone", "original", "clone", "both", right=0)
    for step in v.steps:
        row = numbers([step.original, step.clone, step.both], 5)
        grid.add_row(f"{step.distance:g}", *row)
    return [*parts, heading("A nearer clone", "exact weights"), grid]


def _rates(facts: RobustnessRate) -> list[RenderableType]:
    worst = max(r.weighted / r.certificate for e in facts.examples for r in e.rows)
    slopes = ", ".join(f"{e.slope_weighted:.3f}" for e in facts.examples)
    parts: list[RenderableType] = [
        sentence(
            "As a clone comes nearer the weighted rewards settle in proportion to its distance"
            f" (slopes {slopes}); the standard ones keep a shift. The certificate holds"
            f" everywhere; the shift is at most {percent(worst)} of it."
        )
    ]
    for e in facts.examples:
        parts += _rate_table(e)
    return parts


def _rate_table(e: ExampleRates) -> list[RenderableType]:
    grid = table("distance ε", "standard shift", "weighted shift", "certificate", right=0)
    for r in e.rows:
        grid.add_row(
            f"{r.epsilon:g}", f"{r.standard:.3e}", f"{r.weighted:.3e}", f"{r.certificate:.3e}"
        )
    grid.add_row(
        Text("slope", style="bold"), fixed(e.slope_standard, 3), fixed(e.slope_weighted, 3), ""
    )
    note = (
        f"λ = {e.example.penalty:g}, K = {e.lipschitz:.3g};"
        f" an exact clone moves the standard fit by {e.standard_limit:.4f}"
    )
    return [heading(e.example.name, note), grid]


def scheme_name(row: CaseRow) -> str:
    if row.scheme == "uniform":
        return "standard"
    return f"{row.scheme} {row.space}" if row.space else row.scheme


def _case_study(c: CaseStudy, screen: Screen) -> list[RenderableType]:
    exact = [r for r in c.rows if r.n_comparisons == 0]
    kept = {s: sum(_cell(exact, s, k).kept == 1 for k in CLONES) for s in _schemes(exact)}
    moved = {s: sum(_cell(exact, s, k).share for k in CLONES) for s in kept}
    best = min((s for s in kept if s != "standard"), key=lambda s: (-kept[s], moved[s]))
    shares = ", ".join(f"{_cell(exact, best, k).share:.2f} ({k})" for k in CLONES)
    parts: list[RenderableType] = [
        sentence(
            f"Without clones {c.winner} leads. Exactly fitted, it still leads with"
            f" {kept['standard']} of {len(CLONES)} kinds of clones under standard rewards and with"
            f" {kept[best]} under {best}, which clones move by these shares of the standard shift:"
            f" {shares}."
        )
    ]
    for n in dict.fromkeys(r.n_comparisons for r in c.rows):
        parts += _case_table(c, [r for r in c.rows if r.n_comparisons == n], n, screen)
    parts += _topic_table(c)
    added = "; ".join(f"{k}: {n:,}" for k, n in c.added.items())
    parts.append(
        Text(
            f"{c.per_topic:,} texts on each of {', '.join(c.topics)}; clones added: {added}."
            f" Contexts: {c.encoder}; {c.reward} rewards, penalty {c.penalty:g}."
            " kept = the topic that leads without clones still does.",
            style="dim",
        )
    )
    return parts


def _schemes(rows: list[CaseRow]) -> list[str]:
    return list(dict.fromkeys(scheme_name(r) for r in rows))


def _cell(rows: list[CaseRow], scheme: str, clones: str) -> CaseRow:
    return next(r for r in rows if scheme_name(r) == scheme and r.clones == clones)


def _case_table(c: CaseStudy, rows: list[CaseRow], n: int, screen: Screen) -> list[RenderableType]:
    """Shift per kind of clones, as a share of the standard fit's where there is room."""
    wide = screen.width >= (110 if n else 100)
    headers = [h for k in CLONES for h in (k, *(["share"] if wide else []), "kept")]
    grid = table("weights", *headers, right=1)
    for scheme in _schemes(rows):
        cells: list[Text] = []
        for kind in CLONES:
            r = _cell(rows, scheme, kind)
            shift = f"{r.shift:.3f}" + (f"±{r.error_shift:.3f}" if n else "")
            cells.append(Text(shift, style="dim" if n and r.shift < 2 * r.error_shift else ""))
            if wide:
                cells.append(Text(f"{r.share:.2f}"))
            cells.append(Text(percent(r.kept) if n else ("yes" if r.kept else "no")))
        grid.add_row(Text(scheme), *cells)
    title = "Exact preferences" if n == 0 else f"{n:,} comparisons"
    note = (
        "largest change of a topic's mean reward"
        if n == 0
        else f"mean of {c.n_draws} draws ± standard deviation of one; dim = below two of them"
    )
    return [heading(title, note), grid]


def _topic_table(c: CaseStudy) -> list[RenderableType]:
    """Mean reward per topic of the standard and the sharing fit: the paper's figures as numbers."""
    grid = table("pairs", "weights", "clones", *c.topics, right=3)
    for column in grid.columns:
        column.no_wrap = True
    for n in dict.fromkeys(r.n_comparisons for r in c.rows):
        for scheme in ("standard", "voronoi sphere", "sharing"):
            row = _cell([r for r in c.rows if r.n_comparisons == n], scheme, CLONES[0])
            label = f"{n:,}" if n else "exact"
            means = _means(row.before, row.error_before, n)
            grid.add_row(label, scheme.removeprefix("voronoi "), "none", *means)
            for kind in CLONES:
                row = _cell([r for r in c.rows if r.n_comparisons == n], scheme, kind)
                grid.add_row("", "", kind, *_means(row.after, row.error_after, n))
    return [heading("Mean reward per topic"), grid]


def _means(values: Any, errors: Any, n: int) -> list[Text]:
    best = int(np.argmax(values))
    return [
        Text(f"{v:+.3f}" + (f"±{e:.3f}" if n else ""), style="bold" if k == best else "")
        for k, (v, e) in enumerate(zip(values, errors, strict=True))
    ]
