"""Where ``clones.find_clones`` has its pairs from: every one searched for, or some known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cr_audit import engine
from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.clones.clusters import SetIndex
from cr_audit.clones.grouped import GroupedIndex, are_small, grouped_pairs
from cr_audit.clones.in_blocks import PairsOfGroups, index_of, pairs_and_index
from cr_audit.clones.noise import Forms, letters_agree, noise_pairs
from cr_audit.clones.overlay import Agreement, overlaid
from cr_audit.clones.pairs import TextIndex, TextPairs, text_pairs
from cr_audit.clones.shingles import Shingles
from cr_audit.weights.scheme import Keep


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Distinct texts of one group. of : int64 (alternatives,), -1 = no text; text, group : int64
    (units,), numbers of texts in sorted order, and of groups, -1 for no prompt."""

    of: IntArray
    text: IntArray
    group: IntArray

    def letters(self, texts: Sequence[str]) -> Agreement:
        """How many letters two units share in order."""

        def agreement(first: IntArray, second: IntArray) -> FloatArray:
            return letters_agree(texts, self.text[first], self.text[second])

        return agreement


class Searches(Protocol):
    """Who finds the pairs of one level: all pairs anew, or those that are not known yet."""

    def asked(
        self, texts: Sequence[str], text_of: IntArray, radius: float
    ) -> tuple[SetIndex, TextPairs]:
        """Pairs of texts of prompts; text_of : int64 (prompts,), -1 = none."""

    def answered(
        self, texts: Sequence[str], units: Units, radius: float, loose: float
    ) -> tuple[SetIndex, TextPairs]:
        """Pairs of units within one group."""

    def across(self, radius: float) -> tuple[SetIndex, TextPairs]:
        """Pairs of the same texts, whatever their groups."""


def outside_balls(pairs: TextPairs) -> BoolArray:
    """Which rows are in no dense ball."""
    out = np.ones(pairs.n, bool)
    for members in pairs.balls:
        out[members] = False
    return out


def _made(name: str, inputs: Sequence[Any], compute: Callable[[], Any]) -> Any:
    return compute()


class AllPairs:
    """Every pair is searched for. keep : where what each search finds may be found again, by all
    that it depends on: a run that was killed goes on after the last of them."""

    def __init__(self, keep: Keep = _made) -> None:
        self._keep = keep

    keeps_sets = False
    """Whether ``shingles`` are there afterwards; the search across prompts needs their index."""

    def asked(
        self, texts: Sequence[str], text_of: IntArray, radius: float
    ) -> tuple[SetIndex, TextPairs]:
        if self.keeps_sets:
            self.prompts = Shingles.of(texts)
            index = TextIndex(self.prompts)
        else:
            index = index_of(texts)
        engine.give_back()
        pairs = self._keep(
            "pairs of prompts",
            [texts, radius],
            lambda: text_pairs(
                index, radius, stage="prompts", inputs=lambda: {"prompts": texts, "radius": radius}
            ),
        )
        engine.give_back()
        return index, pairs

    def answered(
        self, texts: Sequence[str], units: Units, radius: float, loose: float
    ) -> tuple[SetIndex, TextPairs]:
        index: SetIndex
        inputs = [texts, units.text, units.group, radius, loose]
        self._names = texts
        if are_small(units.group) and not self.keeps_sets:
            made: TextIndex | None = None

            def search() -> PairsOfGroups:
                nonlocal made
                pairs, made = pairs_and_index(texts, units.text, units.group, loose)
                return pairs

            found: PairsOfGroups = self._keep("pairs within small groups", inputs, search)
            self._texts = made or index_of(texts)
            engine.give_back()
            index = GroupedIndex(self._texts, units.text, units.group)
            self.by_words, self.noise = found.by_words, found.noise
            return overlaid(index, self.by_words, self.noise, radius, units.letters(texts))
        forms = Forms.of(list(texts))
        self.shingles = forms.shingles
        self._texts = TextIndex(self.shingles)
        if are_small(units.group):
            index = grouped = GroupedIndex(self._texts, units.text, units.group)

            def by_words() -> TextPairs:
                return grouped_pairs(grouped, units.group, loose)

        else:
            index = within = TextIndex(self.shingles.within(units.text, units.group + 1))

            def by_words() -> TextPairs:
                return text_pairs(within, loose, ball_diameter=radius)

        self.by_words = pairs = self._keep("pairs of responses", inputs, by_words)
        engine.give_back()
        free = outside_balls(pairs)
        self.noise = self._keep(
            "pairs by other measures",
            inputs,
            lambda: noise_pairs(forms, units.text, units.group, free, self._texts),
        )
        if not self.keeps_sets:
            del self.shingles, forms
        engine.give_back()
        return overlaid(index, pairs, self.noise, radius, units.letters(texts))

    def across(self, radius: float) -> tuple[SetIndex, TextPairs]:
        names = self._names
        pairs = self._keep(
            "pairs across prompts",
            [names, radius],
            lambda: text_pairs(
                self._texts,
                radius,
                stage="across",
                inputs=lambda: {"texts": names, "radius": radius},
            ),
        )
        engine.give_back()
        return self._texts, pairs
