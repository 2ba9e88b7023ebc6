"""``cr-audit simulate strong-preferences``: [SP] Figures 1 and 2, Example 1, section 4 in small."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cr_audit.blocks import Block, Cell, Chart, Column, Prose, Section, Series, Table
from cr_audit.commands import Option
from cr_audit.simulate.catalogue import Simulation

if TYPE_CHECKING:
    import numpy as np

    from cr_audit.simulate.animals import Experiment

THRESHOLDS = (1.01, 2.0, 3.0, 5.0, 10.0)
# [SP] Figure 2 is drawn at these.
ALPHA, BETA = 1.01, 0.99
POINTS = 200
# [SP] Example 1: the data, and what two models learned of it.
EXAMPLE = ((0.99, 0.02), (0.9999, 0.02), (0.9801, 0.02))


@dataclass(frozen=True, slots=True)
class Region:
    """At one M: the areas of the regions of [SP] Propositions 1 and 2 (by p_uv and by p_vu), and
    points of their edges: (p_kj, γ₀) on both sides, (p_uv, low, high) and (p_vu, low, high)."""

    threshold: float
    area: float
    area_uv: float
    area_vu: float
    edge: tuple[tuple[float, float], ...]
    edge_uv: tuple[tuple[float, float, float], ...]
    edge_vu: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """p_ik, p_kj, what follows for p_ij, and ∂p_ij/∂p_ik."""

    p_ik: float
    p_kj: float
    p_ij: float
    sensitivity: float


@dataclass(frozen=True, slots=True, eq=False)
class StrongPreferences:
    """alpha, beta : of Figure 2."""

    alpha: float
    beta: float
    regions: tuple[Region, ...]
    example: tuple[ExampleRow, ...]
    experiment: Experiment


def _compute(
    settings: Mapping[str, Any],
    rng: np.random.Generator,
    progress: Callable[[str, int, int], None],
) -> StrongPreferences:
    from cr_audit.models.sensitivity.pairwise import chained, sensitivity
    from cr_audit.simulate.animals import experiment

    progress("networks", 0, 0)
    return StrongPreferences(
        alpha=ALPHA,
        beta=BETA,
        regions=tuple(_region(m) for m in THRESHOLDS),
        example=tuple(
            ExampleRow(a, b, float(chained(a, b)), float(sensitivity(a, b))) for a, b in EXAMPLE
        ),
        experiment=experiment(n_votes=settings["votes"], n_runs=settings["runs"], rng=rng),
    )


def _region(m: float) -> Region:
    import numpy as np

    from cr_audit.models.sensitivity import pairwise, plackett_luce

    end = 1.0 / (1.0 + m)
    low = end * (np.arange(POINTS) + 0.5) / POINTS
    kj = np.concatenate([low, 1.0 - low[::-1]])
    edge = tuple(zip(kj.tolist(), pairwise.region_edge(kj, m).tolist(), strict=True))
    areas = plackett_luce.areas(ALPHA, BETA, m)
    inner = plackett_luce.edge_of_region(ALPHA, BETA, m)
    steps = (inner * (np.arange(POINTS) + 0.5) / POINTS).tolist()

    def edges(
        interval: Callable[[float, float, float, float], tuple[float, float] | None],
    ) -> tuple[tuple[float, float, float], ...]:
        found = [(t, interval(t, ALPHA, BETA, m)) for t in steps]
        return tuple((t, *ends) for t, ends in found if ends is not None)

    return Region(
        threshold=m,
        area=pairwise.area(m),
        area_uv=areas[0],
        area_vu=areas[1],
        edge=edge,
        edge_uv=edges(plackett_luce.interval_of_p_vu),
        edge_vu=edges(plackett_luce.interval_of_p_uv),
    )


def _show(facts: StrongPreferences) -> list[Block]:
    return [_areas(facts), _example(facts), _experiment(facts)]


def _areas(facts: StrongPreferences) -> Section:
    columns = (
        Column("M", "number", ("threshold",)),
        Column("pairs, by p_ik", "number", ("area",)),
        Column("rankings, by p_uv", "number", ("area_uv",)),
        Column("rankings, by p_vu", "number", ("area_vu",)),
    )
    rows = [
        (
            Cell(f"{r.threshold:g}", (r.threshold,)),
            Cell(f"{r.area:.5f}", (r.area,)),
            Cell(f"{r.area_uv:.5f}", (r.area_uv,)),
            Cell(f"{r.area_vu:.5f}", (r.area_vu,)),
        )
        for r in facts.regions
    ]
    warning = (
        "The areas are in different coordinates: that the first is the larger (Theorem 2) does not"
        " say that longer rankings are more robust."
    )
    table = Table.of(columns, rows, name="areas", legend=f"α = {ALPHA:g}, β = {BETA:g}")
    return Section("Areas of the M-sensitive regions", "", (table, Prose((warning,))))


def _example(facts: StrongPreferences) -> Section:
    columns = (
        Column("p_ik", "number", ("p_ik",)),
        Column("p_kj", "number", ("p_kj",)),
        Column("p_ij", "number", ("p_ij",)),
        Column("∂p_ij/∂p_ik", "number", ("sensitivity",)),
    )
    rows = [
        (
            Cell(f"{r.p_ik:g}", (r.p_ik,)),
            Cell(f"{r.p_kj:g}", (r.p_kj,)),
            Cell(f"{r.p_ij:.4f}", (r.p_ij,)),
            Cell(f"{r.sensitivity:.2f}", (r.sensitivity,)),
        )
        for r in facts.example
    ]
    note = "the paper prints 0.96 and 0.95 where 0.9951 stands"
    return Section("Example 1", note, (Table.of(columns, rows, name="example-1"),))


def _experiment(facts: StrongPreferences) -> Section:
    e = facts.experiment
    columns = (
        Column("p(2≻3) given", "number", ("given",)),
        Column("p(1≻3) by the chain", "number", ("chain", "sensitivity")),
        Column("Bradley-Terry fit", "number", ("fit_13", "fit_23")),
        Column("network", "number", ("network_13", "spread_13")),
        Column("network p(2≻3)", "number", ("network_23", "spread_23")),
    )

    def row(k: int) -> tuple[Cell, ...]:
        return (
            Cell(f"{e.given[k]:.2f}", (float(e.given[k]),)),
            Cell(f"{e.chain[k]:.3f}", (float(e.chain[k]), float(e.sensitivity[k]))),
            Cell(f"{e.fit_13[k]:.3f}", (float(e.fit_13[k]), float(e.fit_23[k]))),
            Cell(
                f"{e.network_13[k]:.3f} ± {e.spread_13[k]:.3f}",
                (float(e.network_13[k]), float(e.spread_13[k])),
            ),
            Cell(
                f"{e.network_23[k]:.3f} ± {e.spread_23[k]:.3f}",
                (float(e.network_23[k]), float(e.spread_23[k])),
            ),
        )

    table = Table(
        columns,
        e.given.shape[0],
        row,
        name="shift",
        legend=f"p(1≻2) = {e.p_12:g}, 1 and 3 never compared; {e.n_votes:,} votes a pair;"
        f" {e.n_runs} networks for each of {e.n_orders} orders of the animals, ± their deviation",
        main=True,
    )
    return Section("What is learned of a pair that was not compared", "", (table, _difference(e)))


def _difference(e: Experiment) -> Prose:
    """Where the network departs from the model with one reward per animal."""
    away = abs(e.network_13 - e.chain)
    worst = int(away.argmax())
    own = float(abs(e.network_23 - e.given).max())
    return Prose(
        (
            f"The network keeps what it was given (p(2≻3) within {own:.2f}), but of the pair that"
            f" it was not given it says something else than the chain: at p(2≻3) ="
            f" {e.given[worst]:.2f} it is {away[worst]:.2f} away. It has no reward per animal; how"
            " it combines two preferences is its own.",
        )
    )


def _pictures(facts: StrongPreferences) -> Sequence[Chart]:
    return [*_regions(facts), _never_compared(facts.experiment)]


def _regions(facts: StrongPreferences) -> list[Chart]:
    """Where a prediction is M-sensitive."""
    half = len(facts.regions[0].edge) // 2

    def both(r: Region) -> list[Series]:
        sides = (r.edge[:half], r.edge[half:])
        return [
            Series(
                f"M = {r.threshold:g}",
                tuple(p for _, p in side),
                tuple(q for q, _ in side),
            )
            for k, side in enumerate(sides)
        ]

    def loop(points: tuple[tuple[float, float, float], ...], label: str) -> Series:
        x = tuple(t for t, _, _ in points)
        low, high = tuple(a for _, a, _ in points), tuple(b for _, _, b in points)
        return Series(label, (*x, *x[::-1]), (*low, *high[::-1]))

    return [
        Chart(
            "line",
            "M-sensitive regions of p_ij, Bradley-Terry",
            "edges of the regions in which p_ij moves M times as far as p_ik: two corners of the"
            " unit square where p_ik and p_kj are strong and cancel",
            "p_ik",
            "p_kj",
            tuple(s for r in facts.regions for s in both(r)),
            y_range=(0.0, 1.0),
        ),
        Chart(
            "line",
            "M-sensitive regions of a ranking, by p_uv",
            "edges of the regions in which the probability of a ranking moves M times as far as"
            " p_uv: both probabilities near 0",
            "p_uv",
            "p_vu",
            tuple(loop(r.edge_uv, f"M = {r.threshold:g}") for r in facts.regions),
        ),
        Chart(
            "line",
            "M-sensitive regions of a ranking, by p_vu",
            "the same by p_vu",
            "p_vu",
            "p_uv",
            tuple(loop(r.edge_vu, f"M = {r.threshold:g}") for r in facts.regions),
        ),
    ]


def _never_compared(e: Experiment) -> Chart:
    """What is predicted for a pair from the two preferences on the way."""
    given = tuple(e.given.tolist())
    return Chart(
        "line",
        "p(1≻3), never compared",
        "p(1≻3) against the p(2≻3) of the data: by the chain, by a Bradley-Terry fit, and by"
        " small networks, with p(1≻2) fixed and strong",
        "p(2≻3) in the data",
        "p(1≻3) learned",
        (
            Series("chain", given, tuple(e.chain.tolist()), dashed=True),
            Series("Bradley-Terry fit", given, tuple(e.fit_13.tolist())),
            Series(
                "networks",
                given,
                tuple(e.network_13.tolist()),
                low=tuple((e.network_13 - e.spread_13).tolist()),
                high=tuple((e.network_13 + e.spread_13).tolist()),
                dots=True,
            ),
        ),
        y_range=(0.0, 1.0),
    )


SIMULATIONS = (
    Simulation(
        "strong-preferences",
        "[SP] Figures 1 and 2, Example 1, section 4",
        "where a prediction moves faster than the preferences behind it, and what a fit and small"
        " networks say of a pair that was never compared",
        compute=_compute,
        show=_show,
        pictures=_pictures,
        options=(
            Option("votes", "whole", 2000, "Votes on each of the two pairs.", low=8, high=10**7),
            Option("runs", "whole", 2, "Networks per order of the animals.", low=1, high=100),
        ),
    ),
)
