"""Clones of texts to which others are added: what was found among the old texts stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cr_audit.arrays import BoolArray, IntArray
from cr_audit.clones.added import GrowingIndex, TextSets, UnitSets, joined
from cr_audit.clones.clusters import SetIndex
from cr_audit.clones.find import CloneReport, find_clones
from cr_audit.clones.noise import Forms, NoisePairs, noise_pairs
from cr_audit.clones.overlay import overlaid
from cr_audit.clones.pairs import TextPairs
from cr_audit.clones.searches import AllPairs, Units, outside_balls
from cr_audit.clones.shingles import Shingles, UInt64Array
from cr_audit.texts import some_of
from cr_audit.weights.scheme import Keep


@dataclass(frozen=True, slots=True, eq=False)
class KnownPairs:
    """The searches among the old texts. prompts, responses : ``Shingles.packed`` of the distinct
    texts in sorted order; asked, answered, across (None: not searched) : their pairs by words;
    noise : those of ``answered`` by noise measures; unit, group : int64 (alternatives,), (units,),
    see ``clones.Units``."""

    prompts: UInt64Array
    responses: UInt64Array
    asked: TextPairs
    answered: TextPairs
    across: TextPairs | None
    noise: NoisePairs
    unit: IntArray
    group: IntArray


def find_growing_clones(
    old: IntArray,
    *,
    response_texts: Sequence[str | None],
    prompt_of: IntArray,
    prompt_texts: Sequence[str | None],
    radius: float,
    keep: Keep,
    **settings: Any,
) -> CloneReport:
    """``find_clones`` where the alternatives ``old`` (int64, ascending) were there before.

    Other arguments as for ``find_clones``. The result is the same but for
    ``neighbours.n_candidates``, which counts the candidates of both searches, and ``index``, which
    is "exact" where added texts alone would make the search for all pairs leave shingles out.
    """
    of_old = prompt_of[old]
    prompts = np.unique(of_old[of_old >= 0])
    given = {
        "response_texts": [response_texts[i] for i in old],
        "prompt_of": np.where(of_old >= 0, np.searchsorted(prompts, of_old), -1),
        "prompt_texts": [prompt_texts[i] for i in prompts],
        "radius": radius,
    }
    known: KnownPairs = keep("pairs", list(given.values()), lambda: search_all(given))
    return find_clones(
        response_texts=response_texts,
        prompt_of=prompt_of,
        prompt_texts=prompt_texts,
        radius=radius,
        searches=AddedPairs(known, old, prompts),
        **settings,
    )


class _Recording(AllPairs):
    """All pairs, and what was found on the way."""

    across_pairs: TextPairs | None = None
    keeps_sets = True

    def asked(
        self, texts: Sequence[str], text_of: IntArray, radius: float
    ) -> tuple[SetIndex, TextPairs]:
        index, self.asked_pairs = super().asked(texts, text_of, radius)
        return index, self.asked_pairs

    def answered(
        self, texts: Sequence[str], units: Units, radius: float, loose: float
    ) -> tuple[SetIndex, TextPairs]:
        self.units = units
        found = super().answered(texts, units, radius, loose)
        self.answered_pairs = self.by_words
        return found

    def across(self, radius: float) -> tuple[SetIndex, TextPairs]:
        index, self.across_pairs = super().across(radius)
        return index, self.across_pairs


def search_all(given: dict[str, Any]) -> KnownPairs:
    """What is known of texts to which nothing was added yet; given : as for ``find_clones``."""
    found = _Recording()
    find_clones(**given, recall_sample=0, searches=found, rng=np.random.default_rng(0))
    return KnownPairs(
        prompts=found.prompts.packed(),
        responses=found.shingles.packed(),
        asked=found.asked_pairs,
        answered=found.answered_pairs,
        across=found.across_pairs,
        noise=found.noise,
        unit=found.units.of,
        group=found.units.group,
    )


class AddedPairs:
    """Known pairs, and those with an added text. old : int64 (alternatives before,), places of the
    old alternatives; prompts : those of the old prompts."""

    def __init__(self, known: KnownPairs, old: IntArray, prompts: IntArray) -> None:
        self._known, self._old, self._prompts = known, old, prompts

    def asked(
        self, texts: Sequence[str], text_of: IntArray, radius: float
    ) -> tuple[SetIndex, TextPairs]:
        places = _distinct(text_of[self._prompts])
        shingles = _grown(self._known.prompts, places, texts)
        return joined(TextSets(shingles), self._known.asked, places, radius, radius)

    def answered(
        self, texts: Sequence[str], units: Units, radius: float, loose: float
    ) -> tuple[SetIndex, TextPairs]:
        text_of = np.where(units.of >= 0, np.append(units.text, -1)[units.of], -1)
        self._places = _distinct(text_of[self._old])
        self._shingles = _grown(self._known.responses, self._places, texts)
        place = _places_of_units(self._known, units, self._old)
        sets = UnitSets(self._shingles, units)
        index, pairs = joined(sets, self._known.answered, place, loose, radius)
        noise = self._noise(texts, units, place, pairs)
        if isinstance(index, GrowingIndex):
            index = index.with_rows(np.concatenate([noise.first, noise.second]))
        return overlaid(index, pairs, noise, radius, units.letters(texts))

    def _noise(
        self, texts: Sequence[str], units: Units, place: IntArray, pairs: TextPairs
    ) -> NoisePairs:
        """Known pairs of groups that no text was added to, and all pairs of the others."""
        known, free = self._known.noise, outside_balls(pairs)
        if pairs.balls or self._known.answered.balls:
            return self._searched(texts, units, free)
        old = np.zeros(units.group.size, bool)
        old[place[place >= 0]] = True
        changed = np.isin(units.group, np.unique(units.group[~old]))
        new = self._searched(texts, units, changed)
        a, b = place[known.first], place[known.second]
        stay = (a >= 0) & (b >= 0)
        stay[stay] &= ~changed[a[stay]]
        first, second = np.minimum(a, b)[stay], np.maximum(a, b)[stay]
        held = NoisePairs(first, second, known.distance[stay], known.measure[stay])
        return NoisePairs.joined([held, new])

    def _searched(self, texts: Sequence[str], units: Units, active: BoolArray) -> NoisePairs:
        some = np.unique(units.text[active])
        forms = Forms.of(some_of(texts, some), self._shingles.some(some))
        place = np.zeros(len(texts), np.int64)
        place[some] = np.arange(some.size)
        return noise_pairs(forms, place[units.text], units.group, active)

    def across(self, radius: float) -> tuple[SetIndex, TextPairs]:
        sets = TextSets(self._shingles)
        return joined(sets, self._known.across, self._places, radius, radius)


def _distinct(text_of: IntArray) -> IntArray:
    return np.unique(text_of[text_of >= 0])


def _grown(packed: UInt64Array, places: IntArray, texts: Sequence[str]) -> Shingles:
    others = np.setdiff1d(np.arange(len(texts)), places)
    return Shingles.grown(packed, places, Shingles.of(some_of(texts, others)), others)


def _places_of_units(known: KnownPairs, units: Units, old: IntArray) -> IntArray:
    """Where each known unit stands now; -1 where its group is no longer made of the same old
    alternatives, because a new prompt moved the border between clones of prompts."""
    held = known.unit >= 0
    before, now = known.unit[held], units.of[old[held]]
    groups = np.stack([known.group[before], units.group[now]], axis=1)
    pairs = np.unique(groups, axis=0)
    alone = [np.unique(side, return_counts=True) for side in pairs.T]
    same = np.ones(before.size, bool)
    for side, (values, count) in zip(groups.T, alone, strict=True):
        same &= count[np.searchsorted(values, side)] == 1
    out = np.full(known.group.size, -1, np.int64)
    out[before[same]] = now[same]
    return out
