"""Clones within small groups, group after group in blocks, and the index of all texts on the way.

Preference pairs have two answers to a prompt: everything that a search within prompts needs of a
text (its form, its set, its letters) is needed while its own prompt is looked at and never again.
Blocks hold whole groups of ``_BLOCK_CHARS`` characters together. What a block finds is what a
search of all groups at once finds; the sets of its texts go to the index of all (``IndexParts``),
which the search across prompts needs. So memory is that of one block for each worker, and of the
index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.arrays import IntArray
from cr_audit.clones.grouped import GroupedIndex, grouped_pairs
from cr_audit.clones.index_parts import IndexParts
from cr_audit.clones.noise import Forms, NoisePairs, noise_pairs
from cr_audit.clones.pairs import TextIndex, TextPairs
from cr_audit.clones.shingles import Shingles, UInt64Array, folded
from cr_audit.texts import Texts, some_of

_BLOCK_CHARS, _LEAST_CHARS = 1 << 22, 1 << 18
_BLOCKS = 64
"""Wanted at least, where texts are not few: blocks may be worked on apart (``engine.pieces``)."""


@dataclass(frozen=True, slots=True, eq=False)
class PairsOfGroups:
    """Pairs of units within one group: by words, and by noise measures."""

    by_words: TextPairs
    noise: NoisePairs


def index_of(texts: Sequence[str]) -> TextIndex:
    """The index of distinct texts."""
    lengths = _lengths(texts)
    with IndexParts(len(texts), int(lengths.sum())) as parts:
        blocks = _spans(lengths)

        def sets(block: slice) -> UInt64Array:
            places = np.arange(block.start, block.stop)
            made = Shingles.of(list(texts[block]), form=folded)
            return made.entries_among(places, parts.bits)

        found = engine.map(sets, blocks, local=True)
        sizes = [b.stop - b.start for b in blocks]
        for entries in engine.told("words of texts", found, sizes):
            parts.add(entries)
        return parts.index()


def pairs_and_index(
    texts: Sequence[str], text: IntArray, group: IntArray, radius: float
) -> tuple[PairsOfGroups, TextIndex]:
    """All pairs within ``radius`` of units of one group, those that noise measures call near, and
    the index of the texts.

    texts : distinct; text, group : int64 (units,), of each unit; groups are small (``are_small``)
    and every text is some unit's.
    """
    order = np.argsort(group, kind="stable")
    lengths = _lengths(texts)
    starts = np.flatnonzero(np.diff(group[order], prepend=group[order[:1]] - 1))
    of_group = np.add.reduceat(lengths[text[order]], starts) if starts.size else starts
    ends = np.append(starts, order.size)
    blocks = [slice(int(ends[b.start]), int(ends[b.stop])) for b in _spans(of_group)]
    # A text of several groups is put into the index by the first block that has it.
    number = np.repeat(np.arange(len(blocks)), [b.stop - b.start for b in blocks])
    home = np.full(len(texts), -1, np.int64)
    home[text[order[::-1]]] = number[::-1]
    with IndexParts(len(texts), int(lengths.sum())) as parts:

        def look(k: int) -> tuple[UInt64Array, TextPairs, NoisePairs]:
            units = order[blocks[k]]
            used, place = np.unique(text[units], return_inverse=True)
            forms = Forms.of(some_of(texts, used))
            entries = forms.shingles.entries_among(used, parts.bits)
            forms = forms.with_sets(Shingles.of_entries(entries, used, parts.bits))
            index = TextIndex(forms.shingles)
            own = group[units]
            pairs = grouped_pairs(GroupedIndex(index, place, own), own, radius)
            noise = noise_pairs(forms, place, own, np.ones(units.size, bool), index)
            mine = home[used] == k
            if not mine.all():
                entries = entries[mine[forms.shingles.texts]]
            return (
                entries,
                replace(pairs, n=text.size, first=units[pairs.first], second=units[pairs.second]),
                NoisePairs(units[noise.first], units[noise.second], noise.distance, noise.measure),
            )

        by_words: list[TextPairs] = []
        noise: list[NoisePairs] = []

        def inputs() -> dict[str, Any]:
            return {"texts": texts, "prompts": [text, group], "radius": radius}

        found = engine.in_pieces("copies", inputs, look, range(len(blocks)), local=True)
        sizes = [b.stop - b.start for b in blocks]
        for k, (entries, pairs, others) in enumerate(engine.told("answers alike", found, sizes)):
            parts.add(entries)
            by_words.append(pairs)
            noise.append(others)
            if k % 8 == 7:
                engine.give_back()
        both = PairsOfGroups(_joined(by_words, text.size, radius), NoisePairs.joined(noise))
        del by_words, noise
        return both, parts.index()


def _lengths(texts: Sequence[str]) -> IntArray:
    if isinstance(texts, Texts):
        return texts.n_bytes()
    return np.fromiter(map(len, texts), np.int64, len(texts))


def _spans(lengths: IntArray) -> list[slice]:
    """Consecutive places of about ``_BLOCK_CHARS`` together, fewer where that leaves less than
    ``_BLOCKS`` of them: from the data alone."""
    if not lengths.size:
        return []
    ends = np.cumsum(lengths)
    block = ends // int(np.clip(ends[-1] // _BLOCKS, _LEAST_CHARS, _BLOCK_CHARS))
    cuts = np.flatnonzero(np.diff(block)) + 1
    return [
        slice(int(a), int(b))
        for a, b in zip([0, *cuts.tolist()], [*cuts.tolist(), lengths.size], strict=True)
    ]


def _joined(parts: list[TextPairs], n: int, radius: float) -> TextPairs:
    none = np.empty(0, np.int64)
    first = np.concatenate([p.first for p in parts] or [none])
    second = np.concatenate([p.second for p in parts] or [none])
    order = np.lexsort((second, first))
    return TextPairs(
        n=n,
        radius=radius,
        first=first[order],
        second=second[order],
        distance=np.concatenate([p.distance for p in parts] or [np.empty(0)])[order],
        balls=(),
        n_candidates=sum(p.n_candidates for p in parts),
        complete=True,
    )
