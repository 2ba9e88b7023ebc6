"""What stands for an alternative in the space of contexts (docs/methods.md, "Weights").

A response to one of many prompts is the pair (prompt, response), a model is its answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray, JoinedRows
from cr_audit.engine import one_blas_thread
from cr_audit.errors import ComputeError


@dataclass(frozen=True, slots=True, eq=False)
class Contexts:
    """Contexts of m responses, c(x) = (prompt, response) / sqrt(2), kept in two parts.

    responses : float32 (m, d_a); prompts : float32 (n_prompts, d_q) and prompt_of : int64 (m,), or
    both None where there is one prompt (or none), and then c(x) is the response alone. Squared
    distance is the mean of the squared distances of the two parts.
    """

    responses: Float32Array
    prompts: Float32Array | None = None
    prompt_of: IntArray | None = None

    @property
    def m(self) -> int:
        """Responses."""
        return int(self.responses.shape[0])

    def matrix(self) -> Float32Array:
        """The joined vectors: float32 (m, d_q + d_a), or the responses themselves."""
        if self.prompts is None or self.prompt_of is None:
            return self.responses
        return JoinedRows(self.prompts, self.responses, self.prompt_of)[:]

    def rows(self) -> Float32Array | JoinedRows:
        """The ``matrix``; joined when rows are asked for where it would take more memory than one
        array may (``engine.is_large``)."""
        if self.prompts is None or self.prompt_of is None:
            return self.responses
        joined = JoinedRows(self.prompts, self.responses, self.prompt_of)
        return joined if engine.is_large(joined.nbytes) else self.matrix()

    def take(self, items: IntArray) -> Contexts:
        """The contexts of some of the items, in the order given."""
        of = None if self.prompt_of is None else self.prompt_of[items]
        return Contexts(self.responses[items], self.prompts, of)


def paired_contexts(
    prompt_vectors: Float32Array | None, response_vectors: Float32Array, prompt_of: IntArray
) -> Contexts:
    """The pair of prompt and response, kept in two parts; the response alone under one prompt.

    prompt_vectors : (n_prompts, d_q), rows of unit length, or None where no prompt counts;
    response_vectors : (m, d_a); prompt_of : int64 (m,) in 0..n_prompts-1.
    """
    responses = np.asarray(response_vectors, dtype=np.float32)
    of = np.asarray(prompt_of, dtype=np.int64)
    if responses.ndim != 2 or of.shape != (responses.shape[0],):
        raise ValueError(f"response_vectors {responses.shape} and prompt_of {of.shape} disagree")
    if prompt_vectors is None or np.unique(of).size <= 1:
        return Contexts(responses)
    prompts = np.asarray(prompt_vectors, dtype=np.float32)
    if of.min() < 0 or of.max() >= prompts.shape[0]:
        raise ValueError(f"prompt_of must lie in 0..{prompts.shape[0] - 1}")
    return Contexts(responses, prompts, of)


def response_contexts(
    prompt_vectors: Float32Array | None, response_vectors: Float32Array, prompt_of: IntArray
) -> Float32Array:
    """Contexts of responses as one matrix: float32 (m, d_q + d_a), or (m, d_a) under one prompt.

    Arguments as in ``paired_contexts``, which weights take as well and work through twice as fast.
    """
    return paired_contexts(prompt_vectors, response_vectors, prompt_of).matrix()


def pseudo_prompt_vectors(digests: NDArray[np.uint64], dimension: int) -> Float32Array:
    """Unit vectors for prompts without a text: float32 (n, dimension) from 64-bit digests.

    Entry k is +-1/sqrt(dimension); the signs are the bits of splitmix64 streams started at the
    digest. The same digest gives the same vector everywhere; two different ones have an inner
    product of mean 0 and standard deviation 1/sqrt(dimension), so they are all about equally far.
    Deviation: a prompt's text would bring similar prompts together; an id cannot.
    """
    words = -(-dimension // 64)
    with np.errstate(over="ignore"):
        step = np.uint64(0x9E3779B97F4A7C15) * np.arange(1, words + 1, dtype=np.uint64)
        z = np.asarray(digests, dtype=np.uint64)[:, None] + step
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    bits = np.unpackbits(z.astype("<u8").view(np.uint8), axis=1, bitorder="little")[:, :dimension]
    out: Float32Array = (bits.astype(np.float32) * 2 - 1) / np.float32(np.sqrt(dimension))
    return out


@dataclass(frozen=True, slots=True, eq=False)
class ModelGram:
    """Inner products and distances between k models.

    gram : float64 (k, k), positive semi-definite; distance : float64 (k, k), root mean square
    distance over shared prompts, NaN for two models without one; n_shared : int64 (k, k), shared
    prompts, on the diagonal the model's own.
    projected : whether means over different prompts left the Gram matrix indefinite, so that its
    nearest positive semi-definite matrix (Frobenius norm) stands in ``gram``; negative_mass : the
    share of the absolute eigenvalues that this cut off. n_pairs_filled : pairs without a shared
    prompt, whose inner product is set to the mean of the known ones.
    """

    gram: FloatArray
    distance: FloatArray
    n_shared: IntArray
    projected: bool
    negative_mass: float
    n_pairs_filled: int


_DENSE_CELLS = 1 << 24  # floats held at once by the block of prompts in work: 64 MiB
_INDEFINITE = 1e-9  # an eigenvalue below minus this share of the largest is not rounding


def model_gram(
    response_vectors: Float32Array, model_of: IntArray, prompt_of: IntArray, n_models: int
) -> ModelGram:
    """The Gram matrix of models: G_ij = mean over their shared prompts of a_ip . a_jp.

    response_vectors : (m, d); model_of, prompt_of : int64 (m,), model -1 = unknown, left out.
    a_ip is the mean of model i's answers to prompt p. distance_ij^2 = mean over shared prompts of
    |a_ip - a_jp|^2. Where every model answers every prompt G is the Gram matrix of the models'
    stacked answers divided by sqrt(number of prompts).

    Memory: one block of prompts, n_models x block x d floats, beside the input.
    Raises ComputeError where a model has no answer.
    """
    known = np.flatnonzero(np.asarray(model_of) >= 0)
    model = np.asarray(model_of, dtype=np.int64)[known]
    prompts, prompt = np.unique(np.asarray(prompt_of)[known], return_inverse=True)
    missing = np.flatnonzero(np.bincount(model, minlength=n_models) == 0)
    if missing.size:
        raise ComputeError("model-without-answers", f"model {missing[0]} has no answer with a text")
    k, n, d = n_models, prompts.size, response_vectors.shape[1]
    key, cell, count = np.unique(prompt * k + model, return_inverse=True, return_counts=True)
    mean_of = csr_array(
        coo_array((1.0 / count[cell], (cell, np.arange(cell.size))), shape=(key.size, cell.size))
    )
    present = np.zeros((k, n))
    present[key % k, key // k] = 1.0
    square = np.zeros((k, n))
    sums = np.zeros((k, k))
    step = max(1, _DENSE_CELLS // (k * d))
    order = np.argsort(cell, kind="stable")
    ends = np.concatenate([[0], np.cumsum(count)])
    dense = np.zeros((k, min(step, n), d))
    with one_blas_thread():
        for start in range(0, n, step):
            lo, hi = np.searchsorted(key, [start * k, (start + step) * k])
            chosen = order[ends[lo] : ends[hi]]
            part = mean_of[lo:hi][:, chosen] @ response_vectors[known[chosen]].astype(np.float64)
            square[key[lo:hi] % k, key[lo:hi] // k] = np.einsum("ij,ij->i", part, part)
            if dense.shape[1] > n - start:
                dense = np.zeros((k, n - start, d))
            places = key[lo:hi] % k, key[lo:hi] // k - start
            dense[places] = part
            flat = dense.reshape(k, -1)
            sums += flat @ flat.T
            dense[places] = 0.0  # a new array of zeros costs more than the product
        return _finish_gram(sums, square, present)


def _finish_gram(sums: FloatArray, square: FloatArray, present: FloatArray) -> ModelGram:
    shared = present @ present.T
    with np.errstate(invalid="ignore", divide="ignore"):
        gram = sums / shared
        norms = (square @ present.T) / shared
        distance = np.sqrt(np.maximum(norms + norms.T - 2 * gram, 0.0))
    np.fill_diagonal(distance, 0.0)
    unknown = shared == 0
    if unknown.any():
        off = ~unknown & ~np.eye(shared.shape[0], dtype=bool)
        gram[unknown] = float(gram[off].mean()) if off.any() else 0.0
    gram = (gram + gram.T) / 2
    values, vectors = np.linalg.eigh(gram)
    negative = -float(values[values < 0].sum())
    projected = bool(values[0] < -_INDEFINITE * max(values[-1], 0.0))
    if projected:
        gram = (vectors * np.maximum(values, 0.0)) @ vectors.T
        gram = (gram + gram.T) / 2
    return ModelGram(
        gram=gram,
        distance=distance,
        n_shared=np.rint(shared).astype(np.int64),
        projected=projected,
        negative_mass=negative / float(np.abs(values).sum()) if projected else 0.0,
        n_pairs_filled=int(unknown.sum()) // 2,
    )


def points_from_gram(gram: FloatArray) -> tuple[FloatArray, IntArray]:
    """Points (k, k) with this Gram matrix, and labels (k,) of items that are one point.

    Two items are one where their squared distance is below 1e-12 of their squared lengths: an
    eigenvalue decomposition does not give equal rows for equal items, so the test comes first.
    Negative eigenvalues count as 0.
    """
    with one_blas_thread():
        values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    points: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0))
    length = np.diag(gram)
    scale = length[:, None] + length[None, :]
    equal = scale - 2 * gram <= 1e-12 * scale
    labels = np.argmax(equal, axis=1).astype(np.int64)
    return points, labels
