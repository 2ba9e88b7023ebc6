"""Where ``clones.find_clones`` has its pairs from: every one searched for, or some known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cr_audit.arrays import BoolArray, IntArray
from cr_audit.clones.clusters import DistanceIndex
from cr_audit.clones.pairs import TextIndex, TextPairs, text_pairs
from cr_audit.clones.shingles import Shingles


class SetIndex(DistanceIndex, Protocol):
    """Sets whose distances can be asked for; sizes int64 (n,), comparable bool (n,)."""

    sizes: IntArray
    comparable: BoolArray

    @property
    def n(self) -> int:
        """Sets."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Distinct texts of one group. of : int64 (alternatives,), -1 = no text; text, group : int64
    (units,), numbers of texts in sorted order, and of groups, -1 for no prompt."""

    of: IntArray
    text: IntArray
    group: IntArray


class Searches(Protocol):
    """Who finds the pairs of one level: all pairs anew, or those that are not known yet."""

    def asked(
        self, texts: list[str], text_of: IntArray, radius: float
    ) -> tuple[SetIndex, TextPairs]:
        """Pairs of texts of prompts; text_of : int64 (prompts,), -1 = none."""

    def answered(
        self, texts: list[str], units: Units, radius: float, loose: float
    ) -> tuple[SetIndex, TextPairs]:
        """Pairs of units within one group."""

    def across(self, radius: float) -> tuple[SetIndex, TextPairs]:
        """Pairs of the same texts, whatever their groups."""


class AllPairs:
    """Every pair is searched for."""

    def asked(
        self, texts: list[str], text_of: IntArray, radius: float
    ) -> tuple[SetIndex, TextPairs]:
        self.prompts = Shingles.of(texts)
        index = TextIndex(self.prompts)
        return index, text_pairs(index, radius)

    def answered(
        self, texts: list[str], units: Units, radius: float, loose: float
    ) -> tuple[SetIndex, TextPairs]:
        self.shingles = Shingles.of(texts)
        index = TextIndex(self.shingles.within(units.text, units.group + 1))
        return index, text_pairs(index, loose, ball_diameter=radius)

    def across(self, radius: float) -> tuple[SetIndex, TextPairs]:
        index = TextIndex(self.shingles)
        return index, text_pairs(index, radius)
