"""Models that copy one another: most of their answers to the same prompts are clones."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from cr_audit.arrays import Groups, IntArray
from cr_audit.labels import connected

SAME_ANSWERS = 0.5
"""Two models are clones where at least this share of their shared prompts has one answer of both,
or two in one clone cluster."""
_BLOCK = 4_000_000
"""Pairs of models looked at together: 32 MB a matrix."""


def model_clones(model_of: IntArray, prompt_of: IntArray, clones: Groups, n_models: int) -> Groups:
    """Connected groups of models, each link sharing at least ``SAME_ANSWERS`` of its answers.

    model_of, prompt_of : int64 (m,) per response, model -1 = unknown, left out; clones : the clone
    cluster of each response. Returned labels: int64 (n_models,), a model without clones is alone.
    Memory: blocks of ``_BLOCK`` pairs of models, whatever their number.
    """
    known = np.flatnonzero(model_of >= 0)
    if known.size == 0:
        return Groups(labels=np.arange(n_models, dtype=np.int64), n_groups=n_models)

    def held(keys: IntArray) -> csr_array:
        """Which keys (prompts, or prompts and clusters) each model has."""
        rows = np.unique(np.stack([model_of[known], keys[known]]), axis=1)
        _, column = np.unique(rows[1], return_inverse=True)
        shape = (n_models, int(column.max()) + 1)
        return csr_array((np.ones(column.size), (rows[0], column)), shape=shape)

    prompts = held(prompt_of)
    answers = held(prompt_of * np.int64(clones.n_groups) + clones.labels)
    everyone = np.arange(n_models, dtype=np.int64)
    labels = everyone
    step = max(_BLOCK // n_models, 1)
    for start in range(0, n_models, step):
        rows = slice(start, start + step)
        common = (answers[rows] @ answers.T).tocoo()
        i, j = (c.astype(np.int64) for c in common.coords)
        of = np.asarray((prompts[rows] @ prompts.T).toarray()[i, j])
        near = (common.data >= SAME_ANSWERS * of) & (i + start != j)
        # The groups so far, as links to each one's first member, joined by the new links.
        _, first = np.unique(labels, return_index=True)
        labels = connected(
            n_models,
            np.concatenate([everyone, i[near] + start]),
            np.concatenate([first[labels], j[near]]),
        )
    return Groups(labels=labels, n_groups=int(labels.max()) + 1)
