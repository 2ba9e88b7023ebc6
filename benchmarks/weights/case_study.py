"""The texts of ``cr_audit.simulate.case_study`` at full size, by the names the benchmarks use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.simulate.case_study import CLONED, paris, topic_preferences
from cr_audit.simulate.descriptions import TOPICS as EVERY_TOPIC

__all__ = ["CLONED", "TOPICS", "Study", "preferences", "study"]

TOPICS = EVERY_TOPIC[:3]


@dataclass(frozen=True, slots=True)
class Study:
    """Texts with their topic; ``base`` marks the data set without clones, the two others what is
    added to it: fresh texts on the cloned topic, and edited copies of that topic's texts."""

    texts: list[str]
    topic: np.ndarray
    base: np.ndarray
    topic_clones: np.ndarray
    near_clones: np.ndarray


def study(seed: int, *, per_topic: int = 300) -> Study:
    """Without the restaurants, which come last."""
    data = paris(per_topic=per_topic, rng=np.random.default_rng(seed))
    n = int((~data.added["restaurants"]).sum())
    return Study(
        data.texts[:n],
        data.topic[:n],
        data.base[:n],
        data.added["topic"][:n],
        data.added["copies"][:n],
    )


def preferences() -> np.ndarray:
    """p[a, b]: share of the population that prefers topic a to topic b, exact."""
    return topic_preferences()[:3, :3]
