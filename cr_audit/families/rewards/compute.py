"""From a run to its rewards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.analysis.refit import refit
from cr_audit.families.rewards.facts import RewardFacts

if TYPE_CHECKING:
    from cr_audit.analysis.reward_facts import Fits
    from cr_audit.run import Run


def compute(run: Run) -> RewardFacts:
    """Both fits, or the one that was asked for."""
    asked: Fits = "both"
    if run.options.get("weighted"):
        asked = "weighted"
    elif run.options.get("standard"):
        asked = "standard"
    rewards = refit(run.analysis, fits=asked, progress=run.progress)
    return RewardFacts(run.analysis, rewards)
