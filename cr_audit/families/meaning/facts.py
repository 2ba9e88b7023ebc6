"""What is known of the graph of meaning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.clones.health import FEWEST, MeaningHealth, health
from cr_audit.clones.meaning import GraphRecord

FEW = NotApplicable(f"fewer than {FEWEST} different texts")


@dataclass(frozen=True, eq=False)
class MeaningFacts:
    """How the graph was made and what shape it has, worked out when it is first asked for: where
    kinds are known from an earlier run nobody else may need it."""

    analysis: Analysis

    @cached_property
    def record(self) -> GraphRecord | NotApplicable:
        """How it was made, or why there is none."""
        joined = self.analysis.graph()
        return joined if isinstance(joined, NotApplicable) else joined.record

    @cached_property
    def health(self) -> MeaningHealth | NotApplicable:
        """Its shape, or why it has none."""
        joined = self.analysis.graph()
        if isinstance(joined, NotApplicable):
            return joined
        return health(joined.graph) if joined.graph.n >= FEWEST else FEW

    @cached_property
    def hubs(self) -> tuple[int, ...]:
        """Rows of the alternatives that are hubs, those with the most links first."""
        joined, shape = self.analysis.graph(), self.health
        if isinstance(joined, NotApplicable) or isinstance(shape, NotApplicable):
            return ()
        return tuple(joined.rows[shape.hubs].tolist())
