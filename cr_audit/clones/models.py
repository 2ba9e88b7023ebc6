"""Models that copy one another: most of their answers to the same prompts are clones."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from cr_audit.arrays import FloatArray, Groups, IntArray
from cr_audit.labels import connected

SAME_ANSWERS = 0.5
"""Two models are clones where at least this share of their shared prompts has one answer of both,
or two in one clone cluster."""


def model_clones(model_of: IntArray, prompt_of: IntArray, clones: Groups, n_models: int) -> Groups:
    """Connected groups of models, each link sharing at least ``SAME_ANSWERS`` of its answers.

    model_of, prompt_of : int64 (m,) per response, model -1 = unknown, left out; clones : the clone
    cluster of each response. Returned labels: int64 (n_models,), a model without clones is alone.
    Memory: two matrices of n_models^2.
    """
    known = np.flatnonzero(model_of >= 0)
    if known.size == 0:
        return Groups(labels=np.arange(n_models, dtype=np.int64), n_groups=n_models)

    def shared(keys: IntArray) -> FloatArray:
        """How many keys (prompts, or prompts and clusters) two models have in common."""
        rows = np.unique(np.stack([model_of[known], keys[known]]), axis=1)
        _, column = np.unique(rows[1], return_inverse=True)
        has = csr_array(
            (np.ones(column.size), (rows[0], column)), shape=(n_models, int(column.max()) + 1)
        )
        out: FloatArray = (has @ has.T).toarray()
        return out

    prompts = shared(prompt_of)
    answers = shared(prompt_of * np.int64(clones.n_groups) + clones.labels)
    share = np.divide(answers, prompts, out=np.zeros_like(answers), where=prompts > 0)
    near = share >= SAME_ANSWERS
    np.fill_diagonal(near, False)
    labels = connected(n_models, *np.nonzero(near))
    return Groups(labels=labels, n_groups=int(labels.max()) + 1)
