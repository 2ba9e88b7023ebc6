"""What a refit leaves: the base facts it started from, and the rewards."""

from __future__ import annotations

from dataclasses import dataclass

from cr_audit.analysis import Analysis
from cr_audit.analysis.reward_facts import Rewards


@dataclass(frozen=True, slots=True, eq=False)
class RewardFacts:
    """analysis : of the data set, with the weights of its win rates. rewards : of its main unit."""

    analysis: Analysis
    rewards: Rewards
