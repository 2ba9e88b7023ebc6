"""A schema: duels, a champion's answer and a challenger's, of which the champion's won."""

from __future__ import annotations

from cr_audit.readers import pairs
from cr_audit.readers.schemas import register, schema_of

DUELS = schema_of(
    "duels",
    "invented for this test",
    "one comparison: the champion won",
    pairs.chosen_rejected,
    "prompt=duel_topic chosen=champion_said rejected=challenger_said",
    "prompt chosen rejected",
)


def add() -> None:
    """Register the schema."""
    register(DUELS)
