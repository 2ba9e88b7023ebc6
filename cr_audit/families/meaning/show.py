"""The graph of meaning for people: how it was made, whether it hangs together, and on whom."""

from __future__ import annotations

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Later, Prose, Section, Table
from cr_audit.clones.health import OFTEN, MeaningHealth
from cr_audit.families.meaning.facts import MeaningFacts
from cr_audit.heads import graph_in_words
from cr_audit.wording import drawn_of, percent, plural

TITLE = "Graph of meaning"


def brief(facts: MeaningFacts) -> list[Block]:
    """Number of neighbours, index and recall; its shape and hubs. Nothing without vectors."""
    if isinstance(facts.analysis.embedding, NotApplicable):
        return []
    return [Section(TITLE, blocks=Later(lambda: _inside(facts)), folded=True)]


def _inside(facts: MeaningFacts) -> list[Block]:
    health = facts.health
    if isinstance(health, NotApplicable):
        return [Prose((health.reason,), "dim", indent=2)]
    blocks: list[Block] = [Prose(tuple(_lines(facts, health)), "dim", indent=2)]
    if health.hubs.size:
        blocks.append(_hubs(facts, health))
    return blocks


def _lines(facts: MeaningFacts, h: MeaningHealth) -> list[str]:
    record = facts.record
    assert not isinstance(record, NotApplicable)  # it has a shape
    joined = drawn_of(record.n, record.n_distinct, "different response")
    whole = "hangs together" if h.n_components == 1 else f"is {h.n_components:,} parts"
    held = f", the largest with {percent(h.largest)} of them" if h.n_components > 1 else ""
    return [
        f"graph: {joined}, {graph_in_words(record)}",
        f"by the {h.links} nearest it {whole}{held}; {percent(h.mutual)} of the links go both ways",
        f"a response is among the {h.links} nearest of {h.links} others on average, of"
        f" {h.in_degree_max:,} at most; {plural(h.n_hubs, 'hub')} of {OFTEN * h.links} or more,"
        f" {percent(h.in_none)} of none",
        f"median distance to the first {h.nearest:.2f}, to the {h.links}th {h.furthest:.2f} (unit"
        " vectors, the data's mean taken away)",
    ]


def _hubs(facts: MeaningFacts, h: MeaningHealth) -> Table:
    frame = facts.analysis.dataset.alternatives
    texts, ids = frame["text"], frame["id"]

    def cells(k: int) -> tuple[Cell, ...]:
        row, degree = facts.hubs[k], int(h.hub_degrees[k])
        return Cell(f"{degree:,}", (degree,)), Cell(texts[row] or ids[row], (ids[row],))

    return Table(
        (
            Column("near to", "count", ("in_degree",)),
            Column("hub", "line", ("response",), share=4),
        ),
        h.hubs.size,
        cells,
        name="hubs",
        limit=h.hubs.size,
        order="near to the most others",
    )
