"""Paraphrases for people: what the threshold is, what it costs, and the clusters."""

from __future__ import annotations

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Prose, Section, Table
from cr_audit.clones.paraphrase import Paraphrases
from cr_audit.families.paraphrases.facts import ParaphraseFacts
from cr_audit.wording import percent, plural

MAX_BRIEF = 5


def answer(facts: ParaphraseFacts) -> list[str]:
    """One sentence, where paraphrases were asked for."""
    found = facts.found
    if not facts.asked or isinstance(found, NotApplicable):
        return []
    return [
        f"{found.n_found:,} of {plural(found.n_pairs, 'pair')} of answers to one prompt are as"
        f" alike in meaning as {percent(facts.asked)} of independent answers are."
    ]


def brief(facts: ParaphraseFacts) -> list[Block]:
    """The largest clusters, or why there are none."""
    return section(facts, limit=MAX_BRIEF) if facts.asked else []


def section(facts: ParaphraseFacts, *, limit: int) -> list[Block]:
    """Threshold, rates with their counts, clusters; nothing where nobody asked."""
    found = facts.found
    if not facts.asked:
        return []
    if isinstance(found, NotApplicable):
        return [Section("Paraphrases", f"not looked for: {found.reason}")]
    note = f"{plural(len(found.clusters), 'cluster')}, score above {found.threshold:.2f}"
    return [Section("Paraphrases", note, (_table(facts, found, limit), _how(found)))]


def _how(found: Paraphrases) -> Prose:
    lines = [
        f"the threshold: {found.n_above:,} of {plural(found.n_independent, 'pair')} of answers of"
        f" different models lie above it ({percent(found.fpr)} asked for)"
    ]
    held = found.held_out
    if isinstance(held, NotApplicable):
        lines.append(f"on held-out prompts: not measured, {held.reason}")
    else:
        lines.append(f"on held-out prompts: {held.n_above:,} of {held.n:,} ({percent(held.rate)})")
    lines.append(
        f"pairs not known to be independent: {found.n_other_found:,} of {found.n_other:,} lie above"
    )
    if not found.with_vectors:
        lines.append("without vectors: content words and numbers alone")
    return Prose(tuple(lines), "dim")


def _table(facts: ParaphraseFacts, found: Paraphrases, limit: int) -> Table:
    frame = facts.analysis.dataset.alternatives
    texts, ids = frame["text"], frame["id"]

    def cells(k: int) -> tuple[Cell, ...]:
        c = found.clusters[k]
        one, other = c.furthest
        least = 1.0 - c.diameter
        return (
            Cell(f"{c.members.size:,}", (c.members.size,)),
            Cell(f"{least:.2f}", (least,)),
            Cell(texts[one] or "", (ids[one],)),
            Cell(texts[other] or "", (ids[other],)),
        )

    return Table(
        (
            Column("size", "count", ("n_responses",)),
            Column("score", "number", ("least_score",)),
            Column("one of the two least alike", "line", ("first",), share=2),
            Column("the other", "line", ("second",), share=2),
        ),
        len(found.clusters),
        cells,
        name="paraphrases",
        limit=limit,
        more="more clusters",
        order="larger clusters",
    )
