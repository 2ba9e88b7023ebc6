"""What happens exactly at a limit: one small function per kind of limit, each with its test."""

from __future__ import annotations

from datetime import date

PROFILES = ("lenient", "default", "strict")
"""From the least to the most strict; a policy lies over one of them."""
_HAIR = 1e-12
"""So that 0.3 - 0.2 does not exceed 0.1."""


def exceeds(value: float, limit: float) -> bool:
    """A share or a difference at its limit is still allowed."""
    return value > limit + _HAIR


def at_least(count: int, limit: int) -> bool:
    """A count at its limit is enough."""
    return count >= limit


def beyond_chance(p_value: float, confidence_level: float, n_tests: int = 1) -> bool:
    """At the corrected level itself chance is still an explanation (Bonferroni over n_tests)."""
    return p_value < (1.0 - confidence_level) / max(n_tests, 1) - _HAIR


def expired(expires: date, today: date) -> bool:
    """A waiver holds through its last day."""
    return today > expires
