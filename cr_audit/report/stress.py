"""What ``cr-audit stress`` prints: an answer in words, then how far rewards move per scheme."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from cr_audit.arrays import NotApplicable
from cr_audit.report.screen import Screen, heading, to_text
from cr_audit.report.simulations import sentence, table
from cr_audit.simulate.clone_weights import STANDARD
from cr_audit.simulate.flips import CloneFlip, RemovalFlip
from cr_audit.simulate.stress import Stress, StressRow
from cr_audit.wording import percent, plural
from cr_audit.write.escape import shorten, visible

MAX_ROWS_LISTED = 10


def item_name(facts: Stress, item: int, width: int = 40) -> str:
    text = shorten(visible(facts.names[item]), width)
    return text if facts.unit == "model" else f"“{text}”"


def answer(facts: Stress) -> str:
    """One sentence: does it matter, under either fit?"""
    main = [r for r in facts.rows if r.scheme == facts.main]
    standard = [r for r in facts.rows if r.scheme == STANDARD]
    n = plural(facts.n_clones, "clone")
    for a, b in zip(standard, main, strict=True):
        if not a.leader_changes:
            continue
        edited = "edited " if a.kind == "edited" else ""
        weighted = "does too" if b.leader_changes else "does not"
        return (
            f"With {n.replace('clone', edited + 'clone')} of {_whose(facts, a)} the standard"
            f" ranking changes its leader ({item_name(facts, a.before)} to"
            f" {item_name(facts, a.after)}); the weighted one ({facts.main.name}) {weighted}."
        )
    flipped = next((r for r in main if r.leader_changes), None)
    if flipped is not None:
        return (
            f"With {n} of {_whose(facts, flipped)} the weighted ranking ({facts.main.name})"
            f" changes its leader ({item_name(facts, flipped.before)} to"
            f" {item_name(facts, flipped.after)}); the standard one does not."
        )
    return (
        f"{n} of the leader, of the runner-up or of a random {facts.unit} change the leader of"
        f" neither ranking ({item_name(facts, standard[0].before)} stays first)."
    )


def _whose(facts: Stress, row: StressRow) -> str:
    who = f"a random {facts.unit}" if row.target == "random" else f"the {row.target}"
    return f"{who} ({item_name(facts, row.item, 30)})"


def render_stress(facts: Stress, files: list[str], screen: Screen) -> str:
    """Header, answer, a table per target, and the flips where they were asked for."""
    names = ", ".join(visible(f) for f in files[:3])
    left = f"; {facts.n_left_out:,} outside it left out" if facts.n_left_out else ""
    parts: list[RenderableType] = [
        Text.assemble(("cr-audit stress", "bold"), "  ", (names, "cyan")),
        Text(
            f"{plural(len(facts.names), facts.unit)} in the largest ranking{left};"
            f" {plural(facts.n_comparisons, 'comparison')}; penalty {facts.penalty:g}"
            f" ({facts.penalty_reason}); {facts.reason}.",
            style="dim",
        ),
        sentence(answer(facts)),
    ]
    for target in dict.fromkeys(r.target for r in facts.rows):
        parts += _target_table(facts, [r for r in facts.rows if r.target == target], screen)
    if facts.edited is not None:
        parts.append(Text(f"No edited copies: {facts.edited.reason}.", style="dim"))
    parts.append(
        Text(
            "shift = largest change of an old reward, at most the bound; ranks = largest change of"
            " a rank; mass = weight of the cloned item, then with its clones. Clones have the"
            " preferences of their original.",
            style="dim",
        )
    )
    parts += _clone_flips(facts) + _removal_flips(facts)
    return to_text(Group(*parts), screen)


def _target_table(facts: Stress, rows: list[StressRow], screen: Screen) -> list[RenderableType]:
    wide = screen.width >= 100
    headers = ["shift", "bound", "ranks", "mass", *(["with clones"] if wide else [])]
    grid = table("weights", "clones", *headers, "leader after", right=2)
    grid.columns[-1].justify, grid.columns[-1].no_wrap = "left", False
    for r in rows:
        mass = percent(r.mass_before) if wide else f"{percent(r.mass_before)}→"
        after = percent(r.mass_after)
        same = "same" if not r.leader_changes else item_name(facts, r.after, 30)
        style = "bold" if r.scheme in (STANDARD, facts.main) else ""
        grid.add_row(
            Text(r.scheme.name, style=style, no_wrap=True),
            Text(r.kind, no_wrap=True),
            f"{r.reward_shift:.3f}",
            f"{r.certificate:.2f}",
            f"{r.rank_shift}",
            *([mass, after] if wide else [mass + after]),
            Text(same, style="red" if r.leader_changes else "dim", overflow="ellipsis"),
        )
    who = item_name(facts, rows[0].item)
    different = max(r.n_variants for r in rows)
    note = f"{who}" + (f"; {different} different edits" if 0 < different < facts.n_clones else "")
    return [heading(f"{plural(facts.n_clones, 'clone')} of {_short(facts, rows[0])}", note), grid]


def _short(facts: Stress, row: StressRow) -> str:
    return f"a random {facts.unit}" if row.target == "random" else f"the {row.target}"


def _clone_flips(facts: Stress) -> list[RenderableType]:
    if isinstance(facts.clone_flips, NotApplicable):
        return []
    lines = [_clone_flip(facts, f) for f in facts.clone_flips]
    return [heading("Fewest clones that change the leader"), Text("\n".join(lines))]


def _clone_flip(facts: Stress, f: CloneFlip) -> str:
    fit = f"  {f.scheme.name}: "
    if f.n_clones == 0:
        return (
            fit + f"none up to {plural(f.max_clones, f'{f.kind} clone')} of any of the"
            f" {plural(f.n_targets, facts.unit)} tried"
        )
    checked = "refitted with and without the last one" if f.verified else "not confirmed"
    return (
        fit + f"{plural(f.n_clones, f'{f.kind} clone')} of {item_name(facts, f.item, 30)}:"
        f" {item_name(facts, f.before, 30)} gives way to {item_name(facts, f.after, 30)}"
        f" ({checked})"
    )


def _removal_flips(facts: Stress) -> list[RenderableType]:
    if isinstance(facts.removal_flips, NotApplicable):
        return []
    lines = []
    for f, rows in zip(facts.removal_flips, facts.removed, strict=True):
        lines.append(_removal_flip(facts, f))
        if rows:
            more = ", …" if f.n_removed > MAX_ROWS_LISTED else ""
            lines.append("    " + _places(rows[:MAX_ROWS_LISTED]) + more)
    return [heading("Fewest comparisons whose removal changes the leader"), Text("\n".join(lines))]


def _places(rows: tuple[str, ...]) -> str:
    """Lines by file: "a.jsonl: 3, 8; b.jsonl: 1"."""
    by_file: dict[str, list[str]] = {}
    for row in rows:
        path, _, line = row.rpartition(":")
        by_file.setdefault(path, []).append(line)
    return "; ".join(f"{visible(path)}: {', '.join(lines)}" for path, lines in by_file.items())


def _removal_flip(facts: Stress, f: RemovalFlip) -> str:
    fit = f"  {f.scheme.name}: "
    if f.n_removed == 0:
        return fit + f"none up to half of the {f.n_comparisons:,} comparisons"
    share = percent(f.n_removed / f.n_comparisons)
    foretold = f", influences alone foretold {f.predicted:,}" if f.predicted else ""
    return (
        fit + f"{f.n_removed:,} of {f.n_comparisons:,} ({share}), confirmed by refitting{foretold}:"
        f" {item_name(facts, f.before, 30)} gives way to {item_name(facts, f.after, 30)}"
    )
