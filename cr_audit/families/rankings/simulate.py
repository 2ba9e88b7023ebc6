"""[CR] Tables 2 and 3: copies of the weakest alternative change who wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cr_audit.blocks import Answer, Block, Cell, Chart, Column, Section, Series, Table
from cr_audit.commands import Option
from cr_audit.simulate.catalogue import Progress, Simulation
from cr_audit.wording import fixed

if TYPE_CHECKING:
    import numpy as np

    from cr_audit.simulate.table3 import Table3

MAX_CLONES = 99
RATES = (0.3, 0.7)  # no win rate of Table 3 lies outside, whatever the number of copies


def _compute(settings: Mapping[str, Any], rng: np.random.Generator, progress: Progress) -> Table3:
    from cr_audit.simulate.table3 import table_3

    return table_3(max_copies=settings["clones"] + 1)


def _show(t: Table3) -> list[Block]:
    """When the winner flips, then rates and rewards by the number of copies."""
    flipped = next((r.n_copies for r in t.rows if r.winner_average != t.rows[0].winner_average), 0)
    kept = len({r.winner_weighted for r in t.rows}) == 1
    first = t.rows[0].winner_average
    out: list[Block] = []
    if flipped:
        sentence = (
            f"Once c stands {flipped} times, {t.rows[flipped - 1].winner_average} wins by"
            f" average win rate instead of {first}; by weighted win rate the winner"
            f" {'stays' if kept else 'changes to'} {t.rows[-1].winner_weighted}. The two tie"
            f" where the copies of c carry {t.flip_mass:.4f} of the weight."
        )
        out.append(Answer((sentence,), "plain"))
    for title, name in (
        ("Borda count", "borda"),
        ("Average win rate", "average"),
        ("Weighted win rate", "weighted"),
        (f"Reward, standard fit (penalty {t.penalty:g})", "standard"),
        ("Reward, weighted fit", "rewards_weighted"),
    ):
        out.append(Section(title, "", (_table(t, name),)))
    return out


def _table(t: Table3, name: str) -> Table:
    """One quantity of a, b and c; all tables together are the main one."""
    rows = []
    for r in t.rows:
        values = getattr(r, name).tolist()
        winner = t.names[values.index(max(values))]
        rows.append(
            (
                Cell(str(r.n_copies), (name, r.n_copies)),
                *(Cell(fixed(v, 4), (v,)) for v in values),
                Cell(winner, (winner,)),
            )
        )
    columns = (
        Column("times c stands", "count", ("quantity", "n_copies")),
        *(Column(n, "number", (n,)) for n in t.names),
        Column("winner", "id", ("winner",)),
    )
    return Table.of(columns, rows, name="table-3", main=True)


def _pictures(t: Table3) -> Sequence[Chart]:
    copies = tuple(float(r.n_copies) for r in t.rows)
    return [
        Chart(
            "line",
            f"{name} win rate, by the number of copies of {t.names[2]}",
            f"the {name} win rates of {', '.join(t.names)} as {t.names[2]} is copied",
            f"times {t.names[2]} stands",
            "win rate",
            tuple(
                Series(item, copies, tuple(float(getattr(r, name)[k]) for r in t.rows), dots=True)
                for k, item in enumerate(t.names)
            ),
            x_names=tuple((float(r.n_copies), str(r.n_copies)) for r in t.rows),
            y_range=RATES,
        )
        for name in ("average", "weighted")
    ]


SIMULATIONS = (
    Simulation(
        "table-3",
        "[CR] Tables 2 and 3",
        "copies of the weakest alternative change who wins; weights that share one vote do not",
        compute=_compute,
        show=_show,
        pictures=_pictures,
        options=(Option("clones", "whole", 3, "How many clones.", low=0, high=MAX_CLONES),),
    ),
)
