"""From a run to its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit import engine
from cr_audit.analysis.fit_weights import weights_by
from cr_audit.arrays import NotApplicable
from cr_audit.families.weights.facts import WeightFacts
from cr_audit.weights.estimates import Weights
from cr_audit.weights.schemes import PAPER

if TYPE_CHECKING:
    from cr_audit.run import Run


def compute(run: Run) -> WeightFacts:
    """The weights of the analysis, and a promise of the paper's."""
    analysis = run.analysis

    def voronoi() -> Weights | NotApplicable:
        if analysis.settings.weights == PAPER or "weights" in run.left_out:
            return analysis.weights
        if run.command == "gate":
            return NotApplicable(
                "a gate samples them only as --weights voronoi; a scan always does"
            )
        run.progress("sampling Voronoi cells", 0, 0)
        with engine.shelved(run.shelf):
            return weights_by(analysis, PAPER, run.kept)

    return WeightFacts(analysis, run.later(voronoi))
