"""Weights for people: in short, the heaviest, and schemes beside each other."""

from __future__ import annotations

from dataclasses import replace

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Later, Prose, Section, Table
from cr_audit.families.weights.facts import WeightFacts
from cr_audit.weights.compare import SchemeTable
from cr_audit.weights.estimates import Weights
from cr_audit.weights.schemes import SCHEMES
from cr_audit.wording import percent, plural

MAX_MASSES, MAX_CELLS = 8, 5
KNOWN = 2.0
VORONOI = "Voronoi weights"


def brief(facts: WeightFacts) -> list[Block]:
    """Both weightings in short, for those who ask."""
    made = section(facts.analysis)
    if isinstance(facts.analysis.weights, NotApplicable):
        return [made]
    folded = [replace(made, folded=True)]
    if SCHEMES.get(facts.analysis.weights.method).corrects and not facts.voronoi_is_used:
        folded.append(Section(VORONOI, "", Later(lambda: _voronoi(facts)), folded=True))
    return list(folded)


def section(analysis: Analysis) -> Section:
    """Scheme, scope, effective number, and how precise the estimate is."""
    weights = analysis.weights
    if isinstance(weights, NotApplicable):
        return Section("Weights", f"not computed: {weights.reason}")
    scheme = SCHEMES.get(weights.method)
    words = scheme.in_words(analysis.settings.space, weights.settings)
    lines = [
        scheme.deed(weights.settings),
        f"scope {analysis.scope.value} ({analysis.scope.reason})",
        *_estimate(weights),
    ]
    return Section("Weights", words, (Prose(tuple(lines), indent=2),))


def _estimate(weights: Weights) -> list[str]:
    """Effective number, and the precision of what was sampled."""
    lines = [
        f"effective number {weights.effective_number_corrected:,.1f} of"
        f" {plural(weights.m, 'response')}; {percent(weights.zero_share)} without weight;"
        f" {plural(weights.n_merged, 'exact duplicate')} merged"
        if weights.n_samples
        else f"effective number {weights.effective_number:,.1f} of"
        f" {plural(weights.m, 'response')}, {weights.n_cells:,} of them different"
    ]
    if weights.n_samples:
        reached = "reached" if weights.reached else "not reached"
        lines.append(
            f"{weights.n_samples:,} samples: a weight of 1/m has a relative error of"
            f" {percent(weights.max_relative_error)} (asked for {percent(weights.precision)},"
            f" {reached})"
        )
    if "left_out" in weights.settings:
        line = "a sample counts for every item with the probability of having it, given the rest"
        if weights.settings["left_out"] > 0:
            line += (
                f"; {weights.settings['n_competitors']:,} items compete, the others have"
                f" {percent(weights.settings['left_out'])} of the hits"
            )
        lines.append(line)
    return lines


def voronoi(facts: WeightFacts) -> Section:
    """The paper's weights beside those that are used: of clone groups, and its largest cells."""
    return Section(VORONOI, "", tuple(_voronoi(facts)))


def _voronoi(facts: WeightFacts) -> list[Block]:
    weights, used = facts.voronoi, facts.analysis.weights
    if isinstance(weights, NotApplicable) or isinstance(used, NotApplicable):
        reason = weights.reason if isinstance(weights, NotApplicable) else "there are no weights"
        return [Prose((f"not computed: {reason}",), indent=2)]
    where = f", on the {weights.space}" if weights.space else ""
    lines = [
        f"an alternative's share of the space of embeddings, as in [CR]{where}; no table outside"
        " this section uses them (--weights voronoi does)",
        *_estimate(weights),
    ]
    if not _tells_cells(weights):
        lines.append(
            "so few samples that no cell is known to be larger than the average, so none is listed:"
            " --sample 20000 takes some of the rows"
        )
        return [Prose(tuple(lines), indent=2)]
    blocks: list[Block] = [Prose(tuple(lines), indent=2)]
    if facts.masses:
        blocks.append(_masses(facts, used.method))
    blocks.append(_largest_cells(facts, used, weights))
    return blocks


def _tells_cells(weights: Weights) -> bool:
    """Whether some cell is larger than the average by ``KNOWN`` of its standard errors, or all are
    as precise as was asked for."""
    above = weights.weights - KNOWN * weights.standard_error
    return weights.reached or bool(above.max(initial=0.0) > 1.0 / weights.m)


def _masses(facts: WeightFacts, used: str) -> Table:
    masses = facts.masses

    def cells(k: int) -> tuple[Cell, ...]:
        mass = masses[k]
        return (
            Cell(f"{mass.members.size:,}", (int(mass.members.size),)),
            Cell(percent(mass.item_share), (mass.item_share,)),
            Cell(percent(mass.used), (mass.used,)),
            Cell(percent(mass.voronoi), (mass.voronoi,)),
            Cell(percent(mass.error), (mass.error,), "dim"),
            Cell(_text(facts.analysis, int(mass.members[0]))),
        )

    return Table(
        (
            Column("clones", "count", ("size",)),
            Column("items", "number", ("item_share",)),
            Column(used, "number", ("weight_mass",)),
            Column("voronoi", "number", ("voronoi_mass",)),
            Column("± error", "number", ("voronoi_error",)),
            Column("the first of them", "line", ("text",)),
        ),
        len(masses),
        cells,
        name="cluster-masses",
        limit=MAX_MASSES,
        more="more groups of clones",
    )


def _largest_cells(facts: WeightFacts, used: Weights, weights: Weights) -> Table:
    order = weights.heaviest().tolist()

    def cells(k: int) -> tuple[Cell, ...]:
        i = order[k]
        times, error, plain = (
            float(x[i] * weights.m) for x in (weights.weights, weights.standard_error, used.weights)
        )
        return (
            Cell(f"{times:.2f}", (times,)),
            Cell(f"{error:.2f}", (error,), "dim"),
            Cell(f"{plain:.2f}", (plain,)),
            Cell(_text(facts.analysis, i)),
        )

    return Table(
        (
            Column("voronoi, times 1/m", "number", ("voronoi_times_m",)),
            Column("± error", "number", ("voronoi_error_times_m",)),
            Column(used.method, "number", ("weight_times_m",)),
            Column("response", "line", ("text",)),
        ),
        weights.m,
        cells,
        name="largest-cells",
        limit=MAX_CELLS,
        legend="the largest cells: whatever lies far from everything has one, odd answers too",
    )


def _text(analysis: Analysis, i: int) -> str:
    frame = analysis.dataset.alternatives
    text: str = frame["text"][i] or frame["model"][i] or frame["key"][i] or "(empty)"
    return text


def heaviest(facts: WeightFacts, *, limit: int) -> list[Block]:
    """The alternatives with the largest weights, the paper's beside them."""
    weights, paper = facts.analysis.weights, facts.voronoi
    if isinstance(weights, NotApplicable):
        return []
    frame = facts.analysis.dataset.alternatives
    order = weights.heaviest().tolist()
    same = facts.voronoi_is_used

    def cells(k: int) -> tuple[Cell, ...]:
        i, m = order[k], weights.m
        out = []
        if not same:
            used = float(weights.weights[i] * m)
            out.append(Cell(f"{used:.2f}", (used,)))
        if not isinstance(paper, NotApplicable):
            times, error = float(paper.weights[i] * m), float(paper.standard_error[i] * m)
            out += [Cell(f"{times:.2f}", (times,)), Cell(f"{error:.2f}", (error,), "dim")]
        return (
            *out,
            Cell(frame["id"][i]),
            Cell(_text(facts.analysis, i)),
        )

    columns = []
    if not same:
        columns.append(Column(f"{weights.method}, times 1/m", "number", ("weight_times_m",)))
    if not isinstance(paper, NotApplicable):
        columns += [
            Column("voronoi", "number", ("voronoi_times_m",)),
            Column("± error", "number", ("voronoi_error_times_m",)),
        ]
    table = Table(
        (
            *columns,
            Column("id", "id", ("id",)),
            Column("response", "line", ("text",)),
        ),
        weights.m,
        cells,
        name="weights",
        limit=limit,
        more="more responses",
        main=True,
    )
    return [Section("Heaviest", f"{min(limit, weights.m):,} of {weights.m:,} responses", (table,))]


def comparison(table: SchemeTable, groups: str) -> Section:
    """METHODS' table of schemes on the user's data; the seconds are the machine's, not a result."""
    rows = []
    for row in table.rows:
        name = row.scheme + (f" {row.space}" if row.space else "")
        shifts = (row.exact_clone, row.continuity, row.near_clone, row.topic_clone)
        rows.append(
            (
                Cell(name + (" !" if row.cautions else ""), (row.scheme, row.space)),
                Cell(percent(row.effective_share), (row.effective_share,)),
                Cell(percent(row.zero_share), (row.zero_share,)),
                *(Cell(f"{x:.3f}", (x,), "dim" if x <= row.noise else "plain") for x in shifts),
                Cell(f"{row.noise:.3f}", (row.noise,), "dim"),
                Cell(f"{row.seconds:.1f}", (), "dim"),
            )
        )
    of = (
        f"{table.n_used:,} of {table.n_items:,} items"
        if table.n_used < table.n_items
        else plural(table.n_items, "item")
    )
    width = (
        f"neighbours within {table.sharing_width:.3g} at {percent(table.sharing_strength)}"
        if table.sharing_width
        else "clones alone"
    )
    legend = (
        f"L1 shift (0 to 2) of the weight of {table.n_groups:,} groups ({groups}) when one item is"
        " added again word for word; when one is moved a little; when the largest group is added"
        " again with small changes; when half of it is taken away. Shifts up to the noise say"
        f" nothing. ! = a caution applies. Sharing: {width}."
    )
    columns = (
        Column("weights", fields=("scheme", "space")),
        *(
            Column(title, "number", (field,))
            for title, field in (
                ("effective", "effective_share"),
                ("zero", "zero_share"),
                ("exact clone", "exact_clone"),
                ("moved", "continuity"),
                ("near-clones", "near_clone"),
                ("half gone", "topic_clone"),
                ("noise", "noise"),
                ("s", "seconds"),
            )
        ),
    )
    made = Table.of(columns, rows, name="schemes", legend=legend)
    return Section("Schemes compared", of, (made,))
