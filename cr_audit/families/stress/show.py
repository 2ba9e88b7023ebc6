"""A stress test for people: an answer in words, then how far rewards move per scheme."""

from __future__ import annotations

from collections.abc import Sequence

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import (
    Answer,
    Block,
    Cell,
    Column,
    Header,
    Prose,
    Section,
    Table,
    Tone,
)
from cr_audit.heads import named
from cr_audit.simulate.clone_weights import STANDARD
from cr_audit.simulate.flips import CloneFlip, RemovalFlip
from cr_audit.simulate.stress import Stress, StressRow
from cr_audit.wording import percent, plural

MAX_ROWS_LISTED = 10


def blocks(facts: Stress, files: Sequence[str]) -> list[Block]:
    """Header, answer, a table per target, and the flips where they were asked for."""
    left = f"; {facts.n_left_out:,} outside it left out" if facts.n_left_out else ""
    about = (
        f"{plural(len(facts.names), facts.unit)} in the largest ranking{left};"
        f" {plural(facts.n_comparisons, 'comparison')}; penalty {facts.penalty:g}"
        f" ({facts.penalty_reason}); {facts.reason}."
    )
    gives_way = any(r.leader_changes for r in facts.rows if r.scheme in (STANDARD, facts.main))
    out: list[Block] = [
        Header("stress", tuple(files), about),
        Answer((answer(facts),), "warning" if gives_way else "good"),
    ]
    out += [
        _target(facts, [r for r in facts.rows if r.target == target])
        for target in dict.fromkeys(r.target for r in facts.rows)
    ]
    legend = (
        "shift = largest change of an old reward, at most the bound; ranks = largest change of a"
        " rank; mass = weight of the cloned item, then with its clones. Clones have the"
        " preferences of their original."
    )
    if facts.edited is not None:
        legend = f"No edited copies: {facts.edited.reason}. {legend}"
    return [*out, Prose((legend,), "dim"), *_clone_flips(facts), *_removal_flips(facts)]


def item_name(facts: Stress, item: int, width: int = 40) -> str:
    """A short name of an item of the ranking."""
    return named(facts.names[item], facts.unit, width)


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
            f" ranking changes its leader ({_before_after(facts, a)}); the weighted one"
            f" ({facts.main.name}) {weighted}."
        )
    flipped = next((r for r in main if r.leader_changes), None)
    if flipped is not None:
        return (
            f"With {n} of {_whose(facts, flipped)} the weighted ranking ({facts.main.name})"
            f" changes its leader ({_before_after(facts, flipped)}); the standard one does not."
        )
    return (
        f"{n} of the leader, of the runner-up or of a random {facts.unit} change the leader of"
        f" neither ranking ({item_name(facts, standard[0].before)} stays first)."
    )


def _before_after(facts: Stress, row: StressRow) -> str:
    return f"{item_name(facts, row.before)} to {item_name(facts, row.after)}"


def _target_name(facts: Stress, row: StressRow) -> str:
    return f"a random {facts.unit}" if row.target == "random" else f"the {row.target}"


def _whose(facts: Stress, row: StressRow) -> str:
    return f"{_target_name(facts, row)} ({item_name(facts, row.item, 30)})"


def _target(facts: Stress, rows: Sequence[StressRow]) -> Section:
    """What clones of one target do under each scheme."""

    def cells(k: int) -> tuple[Cell, ...]:
        r = rows[k]
        main: Tone = "strong" if r.scheme in (STANDARD, facts.main) else "plain"
        after = item_name(facts, r.after, 30) if r.leader_changes else "same"
        masses = (r.mass_before, r.mass_after)
        return (
            Cell(r.scheme.name, (r.target, facts.ids[r.item], r.scheme.name), main),
            Cell(r.kind, (r.kind, r.n_clones)),
            Cell(f"{r.reward_shift:.3f}", (r.reward_shift,)),
            Cell(f"{r.certificate:.2f}", (r.certificate,)),
            Cell(str(r.rank_shift), (r.rank_shift,)),
            Cell(" → ".join(percent(mass) for mass in masses), masses),
            Cell(
                after,
                (facts.ids[r.after], r.leader_changes),
                "bad" if r.leader_changes else "dim",
            ),
        )

    table = Table(
        (
            Column("weights", "id", ("target", "id", "scheme")),
            Column("clones", "id", ("kind", "n_clones")),
            Column("shift", "number", ("reward_shift",)),
            Column("bound", "number", ("certificate",)),
            Column("ranks", "count", ("rank_shift",)),
            Column("mass", "number", ("mass_before", "mass_after")),
            Column("leader after", "line", ("leader_after", "leader_changes")),
        ),
        len(rows),
        cells,
        name="injections",
        main=True,
    )
    different = max(r.n_variants for r in rows)
    note = item_name(facts, rows[0].item)
    if 0 < different < facts.n_clones:
        note += f"; {different} different edits"
    title = f"{plural(facts.n_clones, 'clone')} of {_target_name(facts, rows[0])}"
    return Section(title, note, (table,))


def _clone_flips(facts: Stress) -> list[Block]:
    if isinstance(facts.clone_flips, NotApplicable):
        return []
    lines = tuple(_clone_flip(facts, flip) for flip in facts.clone_flips)
    return [Section("Fewest clones that change the leader", "", (Prose(lines, indent=2),))]


def _clone_flip(facts: Stress, f: CloneFlip) -> str:
    fit = f"{f.scheme.name}: "
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


def _removal_flips(facts: Stress) -> list[Block]:
    if isinstance(facts.removal_flips, NotApplicable):
        return []
    lines: list[Block] = []
    for f, rows in zip(facts.removal_flips, facts.removed, strict=True):
        lines.append(Prose((_removal_flip(facts, f),), indent=2))
        if rows:
            more = ", …" if f.n_removed > MAX_ROWS_LISTED else ""
            lines.append(Prose((_places(rows[:MAX_ROWS_LISTED]) + more,), indent=4))
    title = "Fewest comparisons whose removal changes the leader"
    return [Section(title, "", tuple(lines))]


def _places(rows: tuple[str, ...]) -> str:
    """Lines by file: "a.jsonl: 3, 8; b.jsonl: 1"."""
    by_file: dict[str, list[str]] = {}
    for row in rows:
        path, _, line = row.rpartition(":")
        by_file.setdefault(path, []).append(line)
    return "; ".join(f"{path}: {', '.join(lines)}" for path, lines in by_file.items())


def _removal_flip(facts: Stress, f: RemovalFlip) -> str:
    fit = f"{f.scheme.name}: "
    if f.n_removed == 0:
        return fit + f"none found; at least {f.lower:,} of {f.n_comparisons:,} would be needed"
    share = percent(f.n_removed / f.n_comparisons)
    least = (
        "and no fewer"
        if f.lower == f.n_removed
        else f"at least {f.lower:,} are proved to be needed"
    )
    return (
        fit + f"{f.n_removed:,} of {f.n_comparisons:,} ({share}), confirmed by refitting, {least}:"
        f" {item_name(facts, f.before, 30)} gives way to {item_name(facts, f.after, 30)}"
    )
