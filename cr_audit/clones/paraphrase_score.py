"""How far one text says in other words, and in the same order, what another one says.

Of two sentences u, v (content words U, V weighed by idf; unit vectors x, y):

    s(u, v) = (dice + max(0, x . y)) / 2,    dice = 2 sum_{w in U n V} idf(w) / (mass u + mass v)

and s = dice where there are no vectors. Of two texts with sentences u_1 .. u_m, v_1 .. v_n:

    aligned = 2 max over chains of sum s(u_i, v_j) min(mass u_i, mass v_j) / (mass a + mass b)
              (a chain takes pairs (i, j) that rise in both; dynamic programming)
    free    = mean over both sides of sum_i mass u_i max_j s(u_i, v_j) / mass a
    numbers = |multiset of a n multiset of b| / |a u b|, 1 where neither has any

    score   = 2 aligned - free - NUMBERS (1 - numbers)         at most 1, near it for equal texts

What order adds is what tells: independent answers to one prompt speak of the same things and so
find likely partners for most sentences (``free``), but not one after the other; who rewrites a text
follows it. On the half of benchmarks/paraphrase that decided it, by vectors alone, ``aligned``
placed the heavy paraphrases above 56 % of a sample of wildbench's independent answers and
2 aligned - free above 83 %; at middle strength words and vectors half and half, with what numbers
cost, found all of them at 1 % of that sample and vectors alone two thirds. On all of wildbench's
answers, and on the other half, it is less (docs/clones.md).

Texts of one sentence have no order, so aligned is at most free there. Reordered sentences are not
seen here; the clone test on words sees those.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from cr_audit import engine
from cr_audit.arrays import FloatArray, IntArray
from cr_audit.clones.paraphrase_sentences import Sentences

NUMBERS = 0.2
"""What a text pays all of whose numbers differ; 0, 0.1 and 0.2 were tried (see the module)."""
_CELLS = 500_000
"""Pairs of sentences held at a time, padding included: 4 MB, and a few times that of work."""
_FLOATS = 20_000_000
_MAX_JOINED = 4_000_000


def scores(sentences: Sentences, first: IntArray, second: IntArray) -> FloatArray:
    """Score of each pair of texts, float64 (k,); symmetric. Texts without a sentence score 0.

    Time is O(words that both share + sentences x sentences x dimensions) a pair; memory is that of
    blocks of ``_CELLS`` pairs of sentences, for each worker.
    """
    out = np.zeros(first.size)
    count = sentences.count
    # The longer one first, whoever was named first: the same sums either way.
    swap = (count[first] < count[second]) | ((count[first] == count[second]) & (first > second))
    a, b = np.where(swap, second, first), np.where(swap, first, second)
    held = np.flatnonzero((count[a] > 0) & (count[b] > 0))
    order = held[np.lexsort((b[held], a[held], count[b[held]], count[a[held]]))]
    blocks = _blocks(sentences, a[order], b[order])
    work = partial(_block, sentences, a, b)
    parts = engine.map(work, [order[lo:hi] for lo, hi in blocks], local=True)
    for (lo, hi), found in zip(blocks, parts, strict=True):
        out[order[lo:hi]] = found
    return out


def _blocks(sentences: Sentences, a: IntArray, b: IntArray) -> list[tuple[int, int]]:
    """Ranges of pairs, cut from the data alone, within the bounds on memory."""
    count = sentences.count
    cells = count[a] * count[b]
    dimension = 0 if sentences.vectors is None else sentences.vectors.shape[1]
    floats = (count[a] + count[b]) * dimension
    load = np.cumsum(np.maximum(cells / _CELLS, floats / _FLOATS))
    which = load.astype(np.int64)
    cuts = np.flatnonzero(np.diff(which)) + 1
    edges = np.concatenate([[0], cuts, [a.size]]) if a.size else np.zeros(1, np.int64)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _block(sentences: Sentences, first: IntArray, second: IntArray, rows: IntArray) -> FloatArray:
    a, b = first[rows], second[rows]
    i, held_a = _padded(sentences, a)
    j, held_b = _padded(sentences, b)
    mass_a = np.where(held_a, sentences.mass[i], 0.0)
    mass_b = np.where(held_b, sentences.mass[j], 0.0)
    s = _shared(sentences, a, b, i.shape[1], j.shape[1])
    both = mass_a[:, :, None] + mass_b[:, None, :]
    s = np.divide(2.0 * s, both, out=np.zeros_like(s), where=both > 0)
    if sentences.vectors is not None:
        x, y = sentences.vectors[i], sentences.vectors[j]
        cosine = np.matmul(x, y.transpose(0, 2, 1)).astype(np.float64)
        s = 0.5 * (s + np.clip(cosine, 0.0, 1.0))
    s *= held_a[:, :, None] & held_b[:, None, :]
    total_a, total_b = mass_a.sum(axis=1), mass_b.sum(axis=1)
    aligned = 2.0 * _aligned(s * np.minimum(mass_a[:, :, None], mass_b[:, None, :]))
    aligned /= total_a + total_b
    free = (mass_a * s.max(axis=2)).sum(axis=1) / total_a
    free += (mass_b * s.max(axis=1)).sum(axis=1) / total_b
    out: FloatArray = 2.0 * aligned - 0.5 * free - NUMBERS * (1.0 - _same_numbers(sentences, a, b))
    return out


def _padded(sentences: Sentences, texts: IntArray) -> tuple[IntArray, np.ndarray]:
    """Sentences of these texts, int64 (k, most of any), and which of the places are held."""
    count = sentences.count[texts]
    place = np.arange(int(count.max()))
    held = place[None, :] < count[:, None]
    return np.where(held, sentences.start[texts][:, None] + place[None, :], 0), held


def _shared(
    sentences: Sentences, a: IntArray, b: IntArray, width_a: int, width_b: int
) -> FloatArray:
    """Weight of the words that two sentences share, float64 (pairs, width_a, width_b)."""
    n_words = max(sentences.weight.size, 1)
    pair_a, at_a, word_a = _entries(sentences, a)
    pair_b, at_b, word_b = _entries(sentences, b)
    key_a, key_b = pair_a * n_words + word_a, pair_b * n_words + word_b
    order = np.argsort(key_b, kind="stable")
    key_b, at_b = key_b[order], at_b[order]
    low = np.searchsorted(key_b, key_a, side="left")
    n = np.searchsorted(key_b, key_a, side="right") - low
    size = a.size * width_a * width_b
    out = np.zeros(size)
    some = np.flatnonzero(n)
    cuts = np.searchsorted(np.cumsum(n[some]), np.arange(0, int(n.sum()) + 1, _MAX_JOINED))
    for lo, hi in zip(cuts.tolist(), [*cuts[1:].tolist(), some.size], strict=True):
        e = np.repeat(some[lo:hi], n[some[lo:hi]])
        if not e.size:
            continue
        within = np.arange(e.size) - np.repeat(
            np.cumsum(n[some[lo:hi]]) - n[some[lo:hi]], n[some[lo:hi]]
        )
        cell = (pair_a[e] * width_a + at_a[e]) * width_b + at_b[low[e] + within]
        out += np.bincount(cell, weights=sentences.weight[word_a[e]], minlength=size)
    return out.reshape(a.size, width_a, width_b)


def _entries(sentences: Sentences, texts: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """(which of the texts, which of its sentences, word) of every word of their sentences."""
    low = sentences.word_start[sentences.start[texts]]
    n = sentences.word_start[sentences.start[texts + 1]] - low
    which = np.repeat(np.arange(texts.size), n)
    entry = np.repeat(low - (np.cumsum(n) - n), n) + np.arange(which.size)
    sentence = np.searchsorted(sentences.word_start, entry, side="right") - 1
    return which, sentence - sentences.start[texts][which], sentences.words[entry]


def _aligned(gain: FloatArray) -> FloatArray:
    """max over chains of the sum of gains >= 0, float64 (pairs,) of (pairs, m, n).

    D[i, j] = max(D[i - 1, j], D[i, j - 1], D[i - 1, j - 1] + gain[i, j]). Along a row the middle
    term is a running maximum, so a row is three operations over all pairs.
    """
    best = np.zeros((gain.shape[0], gain.shape[2] + 1))
    for i in range(gain.shape[1]):
        step = best.copy()
        np.maximum(step[:, 1:], best[:, :-1] + gain[:, i], out=step[:, 1:])
        best = np.maximum.accumulate(step, axis=1)
    out: FloatArray = best[:, -1]
    return out


def _same_numbers(sentences: Sentences, a: IntArray, b: IntArray) -> FloatArray:
    x, y = sentences.numbers[a], sentences.numbers[b]
    apart = np.asarray(abs(x - y).sum(axis=1), np.float64)
    both = np.asarray(x.sum(axis=1) + y.sum(axis=1), np.float64)
    shared, union = 0.5 * (both - apart), 0.5 * (both + apart)
    out: FloatArray = np.divide(shared, union, out=np.ones_like(union), where=union > 0)
    return out
