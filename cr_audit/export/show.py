"""An export for people: what was written, how it was weighed, what was left out and why."""

from __future__ import annotations

from cr_audit.blocks import Answer, Block, Cell, Column, Prose, Section, Table
from cr_audit.export.outcome import Exported
from cr_audit.wording import plural

SHOWN_PLACES = 3


def blocks(done: Exported) -> list[Block]:
    """The files, the weights, the reasons."""
    n_left = sum(r.n_rows for r in done.left_out.values())
    answer = [
        f"{plural(done.n_written, 'row')} of {done.n_read:,} written to {done.files[0]}."
        if n_left
        else f"{plural(done.n_written, 'row')} written to {done.files[0]}."
    ]
    if done.n_rewritten:
        rows = plural(done.n_rewritten, "row")
        answer.append(f"In {rows} the text of a copy was replaced by that of its medoid.")
    out: list[Block] = [Answer(tuple(answer))]
    if len(done.files) > 1:
        out.append(Prose(tuple(f"also written: {f}" for f in done.files[1:]), "dim"))
    w = done.weighting
    if w is not None:
        lines = [
            w.reason,
            f"weight of a row: {w.formula}",
            f"source: {w.source}",
            f"effective size {w.effective_size:,.1f} of {plural(w.n_rows, 'row')}",
        ]
        if done.columns:
            lines.append(f"columns: {', '.join(done.columns)}")
        out.append(Section("Weights", w.scheme, (Prose(tuple(lines), indent=2),)))
    if done.left_out:
        out.append(_left_out(done, n_left))
    if done.notes:
        out.append(Section("Notes", "", (Prose(done.notes, indent=2),)))
    return out


def _left_out(done: Exported, n_left: int) -> Block:
    rows = [
        (
            Cell(reason.replace("_", " "), (reason,)),
            Cell(f"{r.n_rows:,}", (r.n_rows,)),
            Cell(", ".join(r.places[:SHOWN_PLACES]), (" ".join(r.places),)),
        )
        for reason, r in sorted(done.left_out.items())
    ]
    table = Table.of(
        (
            Column("reason", "line", ("reason",)),
            Column("rows", "count", ("n_rows",)),
            Column("first", "place", ("places",)),
        ),
        rows,
        name="left-out",
        main=True,
    )
    return Section("Left out", plural(n_left, "row"), (table,))
