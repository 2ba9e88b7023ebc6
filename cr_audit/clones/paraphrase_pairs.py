"""Which pairs of texts are looked at for paraphrases: all of a small group, the likely of a large.

In a group of up to ``ALL_PAIRS`` texts every pair is looked at. In a larger one each text brings
its ``NEIGHBOURS`` nearest by shared content words (cosine of idf weights; words of more than
``FREQUENT`` texts of the group lead nowhere) and, where there are vectors, its ``NEIGHBOURS``
nearest by the mean of its sentences' vectors (``clones.nearest``).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.clones.nearest import nearest_graph
from cr_audit.clones.paraphrase_sentences import Sentences

ALL_PAIRS = 64
NEIGHBOURS = 16
FREQUENT = 2000
_CELLS = 4_000_000
Pairs = tuple[IntArray, IntArray]


def likely_pairs(sentences: Sentences, group: IntArray, rng: np.random.Generator) -> Pairs:
    """Pairs first < second of texts of one group, sorted. group : int64 (n,), < 0 for none."""
    order = np.argsort(group, kind="stable")
    order = order[group[order] >= 0]
    _, start, size = np.unique(group[order], return_index=True, return_counts=True)
    found = [_all_pairs(order, start, size)]
    large = np.flatnonzero(size > ALL_PAIRS).tolist()
    found += [_likely(sentences, order[start[k] : start[k] + size[k]], rng) for k in large]
    first = np.concatenate([f for f, _ in found])
    second = np.concatenate([s for _, s in found])
    low, high = np.minimum(first, second), np.maximum(first, second)
    key = np.unique(low * max(sentences.n, 1) + high)
    return key // max(sentences.n, 1), key % max(sentences.n, 1)


def _all_pairs(order: IntArray, start: IntArray, size: IntArray) -> Pairs:
    """Every pair of the groups of 2 to ``ALL_PAIRS`` texts, group by size."""
    first, second = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for n in np.unique(size[(size > 1) & (size <= ALL_PAIRS)]).tolist():
        i, j = np.triu_indices(n, 1)
        begin = start[size == n][:, None]
        first.append(order[begin + i].ravel())
        second.append(order[begin + j].ravel())
    return np.concatenate(first), np.concatenate(second)


def _likely(sentences: Sentences, rows: IntArray, rng: np.random.Generator) -> Pairs:
    first, second = _by_words(sentences, rows)
    if sentences.vectors is not None:
        graph = nearest_graph(text_vectors(sentences, rows), NEIGHBOURS, rng=rng)
        near = graph.neighbours.astype(np.int64)
        own = np.repeat(graph.rows, near.shape[1])
        first = np.concatenate([first, rows[own]])
        second = np.concatenate([second, rows[graph.rows[near.ravel()]]])
        # Texts with one and the same vector are one node of the graph.
        held = graph.rows[graph.row_of]
        twin = np.flatnonzero(held != np.arange(rows.size))
        first = np.concatenate([first, rows[held[twin]]])
        second = np.concatenate([second, rows[twin]])
    return first, second


def _by_words(sentences: Sentences, rows: IntArray) -> Pairs:
    matrix = _words_of(sentences, rows)
    spread = np.bincount(matrix.indices, minlength=matrix.shape[1])
    matrix = matrix[:, np.flatnonzero((spread > 1) & (spread <= FREQUENT))].tocsr()
    columns = matrix.T.tocsr()
    n, k = rows.size, min(NEIGHBOURS, rows.size - 1)
    first, second = [], []
    step = max(1, _CELLS // n)
    for lo in range(0, n, step):
        alike = (matrix[lo : lo + step] @ columns).toarray()
        block = np.arange(alike.shape[0])
        alike[block, block + lo] = 0.0
        best = np.argpartition(-alike, k - 1, axis=1)[:, :k]
        some = np.take_along_axis(alike, best, axis=1) > 0.0
        i, j = np.nonzero(some)
        first.append(rows[lo + i])
        second.append(rows[best[i, j]])
    return np.concatenate(first), np.concatenate(second)


def _words_of(sentences: Sentences, rows: IntArray) -> sp.csr_array:
    """idf weights of the distinct words of each text, rows of length 1."""
    low = sentences.word_start[sentences.start[rows]]
    n = sentences.word_start[sentences.start[rows + 1]] - low
    row = np.repeat(np.arange(rows.size), n)
    word = sentences.words[np.repeat(low - (np.cumsum(n) - n), n) + np.arange(row.size)]
    n_words = max(sentences.weight.size, 1)
    key = np.unique(row * n_words + word)
    row, word = key // n_words, key % n_words
    weight = sentences.weight[word]
    length = np.sqrt(np.bincount(row, weights=weight**2, minlength=rows.size))
    return sp.csr_array((weight / length[row], (row, word)), shape=(rows.size, n_words))


def text_vectors(sentences: Sentences, rows: IntArray) -> np.ndarray:
    """Mean of each text's sentence vectors by mass, unit length, float32 (rows, d)."""
    vectors = sentences.vectors
    assert vectors is not None
    low, count = sentences.start[rows], sentences.count[rows]
    row = np.repeat(np.arange(rows.size), count)
    at = np.repeat(low - (np.cumsum(count) - count), count) + np.arange(row.size)
    shape = (rows.size, vectors.shape[0])
    mean: FloatArray = sp.csr_array((sentences.mass[at], (row, at)), shape=shape) @ vectors.astype(
        np.float64
    )
    length = np.sqrt(np.add.reduce(mean * mean, axis=1))
    return (mean / np.where(length > 0, length, 1.0)[:, None]).astype(np.float32)
