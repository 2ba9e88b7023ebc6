"""From a run to the facts about its graph of meaning."""

from __future__ import annotations

from cr_audit.arrays import NotApplicable
from cr_audit.clones.health import FEWEST, health
from cr_audit.families.meaning.facts import MeaningFacts
from cr_audit.run import Run

FEW = NotApplicable(f"fewer than {FEWEST} different texts")


def compute(run: Run) -> MeaningFacts:
    """The graph that kinds and the map were made from, and its shape."""
    joined = run.analysis.graph()
    if isinstance(joined, NotApplicable):
        return MeaningFacts(run.analysis, joined, joined, ())
    if joined.graph.n < FEWEST:
        return MeaningFacts(run.analysis, joined.record, FEW, ())
    shape = health(joined.graph)
    rows = joined.rows[shape.hubs]
    return MeaningFacts(run.analysis, joined.record, shape, tuple(rows.tolist()))
