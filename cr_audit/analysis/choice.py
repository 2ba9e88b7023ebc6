"""What is ranked, and decisions that are made for the user where a setting is "auto"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["response", "model", "cluster", "kind"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision that was made for the user, and why."""

    value: str
    reason: str
