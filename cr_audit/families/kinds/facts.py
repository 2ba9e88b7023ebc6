"""What is known of the kinds of answer of a data set."""

from __future__ import annotations

from dataclasses import dataclass

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import NamedKinds
from cr_audit.arrays import FloatArray, NotApplicable
from cr_audit.models.kinds.rates import KindRates


@dataclass(frozen=True, slots=True, eq=False)
class KindFacts:
    """The kinds of an analysis, or why there are none to look for.

    item_share : float64 (k,), of the responses; weight_share : of their weight. rates : against
    everything that is not of the kind. resampled : what goes together in their errors ("prompts",
    or "answers" of the kind where there are few prompts). level : confidence level.
    """

    analysis: Analysis
    kinds: NamedKinds | NotApplicable
    item_share: FloatArray
    weight_share: FloatArray | NotApplicable
    rates: KindRates
    resampled: str
    level: float
