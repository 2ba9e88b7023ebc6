"""What is known of the graph of meaning."""

from __future__ import annotations

from dataclasses import dataclass

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.clones.health import MeaningHealth
from cr_audit.clones.meaning import GraphRecord


@dataclass(frozen=True, slots=True, eq=False)
class MeaningFacts:
    """How the graph was made and what shape it has, or why there is none. hubs : rows of the
    alternatives, those that the most others name first."""

    analysis: Analysis
    record: GraphRecord | NotApplicable
    health: MeaningHealth | NotApplicable
    hubs: tuple[int, ...]
