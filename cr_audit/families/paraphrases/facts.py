"""What is known about paraphrases in a data set."""

from __future__ import annotations

from dataclasses import dataclass

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.clones.paraphrase import Paraphrases
from cr_audit.engine.tails import binom


@dataclass(frozen=True, slots=True, eq=False)
class ParaphraseFacts:
    """asked : the false-positive rate, 0 = not looked for."""

    analysis: Analysis
    asked: float
    found: Paraphrases | NotApplicable

    @property
    def p_value(self) -> float:
        """Chance of as many paraphrases among pairs that are not known to be independent, were
        they called at the rate found on held-out independent ones, or at that asked for where it
        is higher; 1 without such pairs."""
        found = self.found
        if isinstance(found, NotApplicable) or not found.n_other_found:
            return 1.0
        rate = self.asked
        if not isinstance(found.held_out, NotApplicable):
            rate = max(rate, found.held_out.rate)
        return float(binom.sf(found.n_other_found - 1, found.n_other, rate))
