"""From a run to the facts about its kinds of answer."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis.kinds import kinds_of
from cr_audit.analysis.units import MANY_GROUPS
from cr_audit.arrays import FloatArray, NotApplicable
from cr_audit.families.kinds.facts import KindFacts
from cr_audit.models.kinds.rates import kind_rates
from cr_audit.run import Run


def compute(run: Run) -> KindFacts:
    """Kinds, their shares of responses and weight, and their win rates against the others."""
    analysis, settings = run.analysis, run.settings
    if settings.unit == "kind":
        kinds = analysis.kinds
    else:
        run.progress("finding kinds", 0, 0)
        kinds = kinds_of(analysis.dataset, settings, analysis.embedding, analysis.graph, run.kept)
    m = analysis.dataset.n_alternatives
    n = 0 if isinstance(kinds, NotApplicable) else kinds.n
    labels = np.full(m, -1, np.int64) if isinstance(kinds, NotApplicable) else kinds.found.labels
    known = np.flatnonzero(labels >= 0)
    comparisons = analysis.dataset.comparison_arrays()
    prompts = np.unique(comparisons.prompt)
    by_prompt = prompts.size >= MANY_GROUPS and int(prompts[0]) >= 0
    weights = analysis.weights
    given = None if isinstance(weights, NotApplicable) else weights.weights
    mass: FloatArray | NotApplicable
    if isinstance(weights, NotApplicable):
        mass = weights
    else:
        held = np.bincount(labels[known], weights=weights.weights[known], minlength=n)
        mass = held.astype(np.float64)
    return KindFacts(
        analysis=analysis,
        kinds=kinds,
        item_share=np.bincount(labels[known], minlength=n) / max(m, 1),
        weight_share=mass,
        rates=kind_rates(
            comparisons,
            labels,
            n,
            given,
            clusters=comparisons.prompt if by_prompt else None,
            level=settings.confidence_level,
        ),
        resampled="prompts" if by_prompt else "answers",
        level=settings.confidence_level,
    )
