"""[CR] Figures 1 and 2: Voronoi cells of three points, and what a near-clone does to them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cr_audit.blocks import Answer, Block, Cell, Cells, Column, Section, Table
from cr_audit.simulate.catalogue import Progress, Simulation
from cr_audit.wording import fixed

if TYPE_CHECKING:
    import numpy as np

    from cr_audit.simulate.voronoi_figures import Figure, VoronoiFigures


def _compute(
    settings: Mapping[str, Any], rng: np.random.Generator, progress: Progress
) -> VoronoiFigures:
    from cr_audit.simulate.voronoi_figures import voronoi_figures

    return voronoi_figures(rng=rng)


def _show(v: VoronoiFigures) -> list[Block]:
    """What a near-clone takes, then exact and sampled weights, then ever nearer clones."""
    last = v.steps[-1]
    sentence = (
        f"A clone {last.distance:g} away leaves its original {last.original:.2g} of the weight"
        f" and takes {last.clone:.3f}: single weights of a pair are arbitrary. Their sum,"
        f" {last.both:.4f}, is that of the point alone, {v.without_clone:g}."
    )
    out: list[Block] = [Answer((sentence,), "plain")]
    out += [Section(f.title, f"{f.n_samples:,} samples", (_weights(f),)) for f in v.figures]
    steps = [
        (
            Cell(f"{s.distance:g}", (s.distance,)),
            *(Cell(fixed(x, 5), (x,)) for x in (s.original, s.clone, s.both)),
        )
        for s in v.steps
    ]
    columns = (
        Column("distance of the clone", "number", ("distance",)),
        *(Column(name, "number", (name,)) for name in ("original", "clone", "both")),
    )
    nearer = Table.of(columns, steps, name="nearer-clone")
    return [*out, Section("A nearer clone", "exact weights", (nearer,))]


def _weights(figure: Figure) -> Table:
    """Of each point; the tables of both figures are the main one."""
    rows = []
    for point, exact, sampled, error in zip(
        figure.points.tolist(),
        figure.exact.tolist(),
        figure.sampled.tolist(),
        figure.standard_error.tolist(),
        strict=True,
    ):
        off = (sampled - exact) / error if error > 0 else math.nan
        rows.append(
            (
                Cell(f"({point[0]:g}, {point[1]:g})", (figure.title, *point)),
                *(Cell(fixed(x, 5), (x,)) for x in (exact, sampled, error)),
                Cell(fixed(off, 1), (off,)),
            )
        )
    columns = (
        Column("point", "id", ("figure", "x", "y")),
        Column("exact", "number", ("exact",)),
        Column("sampled", "number", ("sampled",)),
        Column("± error", "number", ("standard_error",)),
        Column("off by, in errors", "number", ("errors_off",)),
    )
    return Table.of(columns, rows, name="voronoi-figures", main=True)


def _pictures(v: VoronoiFigures) -> Sequence[Cells]:
    return [
        Cells(
            f"{f.title}: exact weight (sampled)",
            f"the cells of {len(f.cells)} points of the unit square and their weights",
            tuple((x, y) for x, y in f.points.tolist()),
            tuple(tuple((x, y) for x, y in cell.tolist()) for cell in f.cells),
            tuple(
                f"{exact:.3f} ({sampled:.3f})"
                for exact, sampled in zip(f.exact.tolist(), f.sampled.tolist(), strict=True)
            ),
        )
        for f in v.figures
    ]


SIMULATIONS = (
    Simulation(
        "voronoi-figures",
        "[CR] Figures 1 and 2",
        "cells of three points and of a near-clone, exact and sampled",
        compute=_compute,
        show=_show,
        pictures=_pictures,
    ),
)
