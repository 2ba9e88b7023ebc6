"""[IIA]'s figures, thought experiments and change of format."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cr_audit.blocks import Answer, Block, Cell, Chart, Column, Prose, Section, Series, Table
from cr_audit.commands import Option
from cr_audit.simulate.catalogue import Progress, Simulation
from cr_audit.wording import percent

if TYPE_CHECKING:
    import numpy as np

    from cr_audit.simulate.formats import Formats
    from cr_audit.simulate.perverse_incentives import Curves

NAMES: dict[str, str] = {
    "rlpo": "reward learning, then policy optimisation",
    "dpo": "direct preference optimisation",
    "il": "inclusive learning",
    "slic": "sequence likelihood calibration",
}
MAX_SETS = 100_000
Compute = Callable[..., "Curves"]


def _rewards(algorithm: str) -> Compute:
    def compute(
        settings: Mapping[str, Any], rng: np.random.Generator, progress: Progress
    ) -> Curves:
        from cr_audit.simulate.perverse_incentives import reward_curves

        return reward_curves(algorithm, n_sets=settings["sets"], liked=settings["liked"], rng=rng)

    return compute


def _messages(algorithm: str) -> Compute:
    def compute(
        settings: Mapping[str, Any], rng: np.random.Generator, progress: Progress
    ) -> Curves:
        from cr_audit.simulate.perverse_incentives import message_curves

        return message_curves(algorithm, n_sets=settings["sets"], liked=settings["liked"], rng=rng)

    return compute


def _number(value: float, digits: int = 4) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _show_rewards(c: Curves) -> list[Block]:
    """Where the order turns, the curves, then the thought experiments."""
    turned = [t.size for t in c.thresholds if t.psi > 1e-12]
    edge = [t.size for t in c.thresholds if math.isnan(t.limit)]
    sentence = (
        f"{percent(c.liked)} of the annotators want M₁, and lists offer it in"
        f" {percent(c.setting.base)}. Pairs teach that; "
    )
    if turned:
        sentence += f"lists of {turned[0]} or more teach the opposite."
    else:
        sentence += "so do all sizes shown."
    if edge:
        sentence += f" Lists of {edge[0]} are the boundary: F equals {c.liked:g} there."
    rows = [
        (
            Cell(str(t.size), (t.size,)),
            Cell(_number(t.f), (t.f,)),
            Cell("0" if math.isnan(t.limit) else f"{t.psi:+.4f}", (t.psi,)),
            Cell("no limit" if math.isnan(t.limit) else f"{t.limit:.0f}", (t.limit,)),
        )
        for t in c.thresholds
    ]
    thresholds = Table.of(
        (
            Column("size", "count", ("size",)),
            Column("F(ζ, size)", "number", ("threshold",)),
            Column("reward of M₂ − M₁", "number", ("psi",)),
            Column("P(M₁) goes to", "number", ("limit",)),
        ),
        rows,
        name="thresholds",
        legend="the reward prefers M₂ where fewer than F want M₁",
    )
    experiments = Table.of(
        (
            Column("offered of M₁, M₂", "id", ("k_first", "k_second")),
            Column("want M₁", "number", ("liked",)),
            Column("reward of M₂ − M₁", "number", ("psi",)),
            Column("implied P(M₂ beats M₁)", "number", ("pairwise_second",)),
        ),
        [
            (
                Cell(f"{e.k_first}, {e.k_second}", (e.k_first, e.k_second)),
                Cell(percent(e.liked), (e.liked,)),
                Cell(f"{e.psi:+.4f}", (e.psi,)),
                Cell(_number(e.pairwise_second), (e.pairwise_second,)),
            )
            for e in c.experiments
        ],
        name="thought-experiments",
    )
    return [
        Answer((sentence,), "plain"),
        Section("Endless data", "", (thresholds,)),
        Section("Simulated", f"{c.n_sets:,} data sets a point", (_points(c, "list size"),)),
        Section("Thought experiments", "every list the same", (experiments,)),
    ]


def _show_messages(c: Curves) -> list[Block]:
    """How P(M₁) falls with the number of messages in M₂."""
    last = max((p for p in c.points), key=lambda p: (p.curve, p.n_data))
    sentence = (
        f"{percent(c.liked)} of the annotators want M₁, of which there are"
        f" {c.setting.n_first} messages. With {last.curve:,} messages in M₂ and"
        f" {last.n_data:,} pairs, {NAMES[c.algorithm]} gives M₁ a chance of {last.mean:.3f}"
        f" ({last.closed:.3f} with endless data)."
    )
    return [
        Answer((sentence,), "plain"),
        Section("Simulated", f"{c.n_sets:,} data sets a point", (_points(c, "messages in M₂"),)),
    ]


def _points(c: Curves, curve: str) -> Table:
    rows = [
        (
            Cell(f"{p.curve:,}", (p.curve,)),
            Cell(f"{p.n_data:,}", (p.n_data,)),
            Cell(f"{p.mean:.4f} ± {_number(p.error)}", (p.mean, p.error)),
            Cell(_number(p.closed), (p.closed,)),
            Cell(percent(p.below_half), (p.below_half,)),
            Cell(percent(p.no_minimiser), (p.no_minimiser,)),
        )
        for p in c.points
    ]
    return Table.of(
        (
            Column(curve, "count", ("curve",)),
            Column("lists", "count", ("n_data",)),
            Column("P(M₁) ± error", "number", ("mean", "standard_error")),
            Column("closed form", "number", ("closed_form",)),
            Column("below ½", "number", ("share_below_half",)),
            Column("no minimiser", "number", ("share_without_minimiser",), wide=True),
        ),
        rows,
        name=c.algorithm,
        main=True,
    )


def _pictures(c: Curves) -> Sequence[Chart]:
    curve = "lists of" if c.thresholds else "|M₂| ="
    series: list[Series] = []
    for value in dict.fromkeys(p.curve for p in c.points):
        points = [p for p in c.points if p.curve == value]
        x = tuple(float(p.n_data) for p in points)
        series.append(Series(f"{curve} {value:,}", x, tuple(p.mean for p in points), dots=True))
        exact = tuple(p.closed for p in points)
        if not any(math.isnan(v) for v in exact):
            series.append(Series("closed form", x, exact, dashed=True))
    return [
        Chart(
            "line",
            f"Chance of a liked message, {c.algorithm.upper()}",
            "P(M₁) by the number of lists, one line per curve, closed forms dashed",
            "lists in the data set",
            "P(M₁)",
            tuple(series),
            x_log=True,
            y_range=(0.0, 1.0),
        )
    ]


def _oppenheimer(
    settings: Mapping[str, Any], rng: np.random.Generator, progress: Progress
) -> Formats:
    from cr_audit.simulate.formats import section_6

    return section_6(n_seeds=settings["seeds"], rng=rng)


def _show_formats(f: Formats) -> list[Block]:
    by = {(r.format, r.model): r for r in f.rows}
    two, four = by["lists of 2", "linear"], by["lists of 4", "linear"]
    sentence = (
        f"{percent(f.want_informative)} of the annotators want an informative answer. A linear"
        f" reward puts it first in {percent(two.informative_first)} of test pairs after lists of"
        f" two, and in {percent(four.informative_first)} after lists of one concise and three"
        f" informative answers."
    )
    rows = [
        (
            Cell(r.format, (r.format,)),
            Cell(r.model, (r.model,)),
            Cell(percent(r.accuracy), (r.accuracy,)),
            Cell(
                f"{percent(r.informative_first)} ± {100 * r.error:.1f}",
                (r.informative_first, r.error),
            ),
        )
        for r in f.rows
    ]
    table = Table.of(
        (
            Column("trained on", "line", ("format",)),
            Column("reward", "id", ("model",)),
            Column("test accuracy", "number", ("accuracy",)),
            Column("informative first", "number", ("informative_first", "standard_error")),
        ),
        rows,
        name="formats",
        main=True,
        legend="test pairs: one concise and one informative answer that training did not see;"
        f" means over {f.n_seeds:,} seeds",
    )
    chosen = "; ".join(f"{name}: {percent(share)}" for name, share in f.chosen_informative)
    lines = (
        f"question: {f.question}",
        f"concise: {f.examples[0]}",
        f"informative: {f.examples[1]}",
        f"informative among the choices: {chosen}",
    )
    return [
        Answer((sentence,), "plain"),
        Section("Rewards by format", "", (table,)),
        Section("Data", "", (Prose(lines, indent=2),)),
    ]


def _pictures_formats(f: Formats) -> Sequence[Chart]:
    names = list(dict.fromkeys(r.format for r in f.rows))
    return [
        Chart(
            "bars",
            "Informative answer ahead, by lists",
            "share of test pairs with the informative answer first, by format and reward model",
            "trained on",
            "informative first",
            tuple(
                Series(
                    model,
                    tuple(float(names.index(r.format)) for r in f.rows if r.model == model),
                    tuple(r.informative_first for r in f.rows if r.model == model),
                )
                for model in ("linear", "network")
            ),
            x_names=tuple((float(i), name) for i, name in enumerate(names)),
            y_range=(0.0, 1.0),
        )
    ]


def _sample(options: Mapping[str, Any]) -> bytes:
    from cr_audit.simulate.formats import sample

    return sample(options.get("lists") or 800, options.get("size") or 4, options.get("seed") or 0)


_CURVES = (
    Option("sets", "whole", 100, "Simulated data sets a point.", low=2, high=MAX_SETS),
    Option("liked", "number", 0.6, "Share of annotators who want M₁.", low=0.01, high=0.99),
)
SIMULATIONS = (
    Simulation(
        "rlpo",
        "[IIA] Figure 2, Proposition 4, Equations 12 and 13",
        "rewards fitted to lists of more than three prefer what most annotators reject",
        compute=_rewards("rlpo"),
        show=_show_rewards,
        pictures=_pictures,
        options=_CURVES,
    ),
    Simulation(
        "dpo",
        "[IIA] Figure 2, Proposition 5, Lemma 13",
        "the same without a reward model; it differs only where no minimiser exists",
        compute=_rewards("dpo"),
        show=_show_rewards,
        pictures=_pictures,
        options=_CURVES,
    ),
    Simulation(
        "il",
        "[IIA] Figure 3, Proposition 6, Equations 15 and 16",
        "the more messages say the disliked thing, the more often it is said",
        compute=_messages("il"),
        show=_show_messages,
        pictures=_pictures,
        options=_CURVES,
    ),
    Simulation(
        "slic",
        "[IIA] Proposition 7",
        "the same for sequence likelihood calibration, with margin 1",
        compute=_messages("slic"),
        show=_show_messages,
        pictures=_pictures,
        options=_CURVES,
    ),
    Simulation(
        "oppenheimer",
        "[IIA] section 6, Figure 4",
        "lists of four instead of two turn a reward model round; with --write, such lists",
        compute=_oppenheimer,
        show=_show_formats,
        pictures=_pictures_formats,
        options=(
            Option("seeds", "whole", 3, "Repetitions.", low=1, high=100),
            Option("lists", "whole", 800, "Lists that --write writes.", low=1, high=10**6),
            Option("size", "whole", 4, "Members of each of them.", low=2, high=100),
        ),
        data=_sample,
    ),
)
