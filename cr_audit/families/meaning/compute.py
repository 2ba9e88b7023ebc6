"""From a run to the facts about its graph of meaning."""

from __future__ import annotations

from cr_audit.families.meaning.facts import MeaningFacts
from cr_audit.run import Run


def compute(run: Run) -> MeaningFacts:
    """A promise of the graph that kinds and the map are made from, and of its shape."""
    return MeaningFacts(run.analysis)
