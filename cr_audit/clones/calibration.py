"""What an encoder's cosine means on this data: the same number says different things elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import Float32Array, FloatArray, IntArray, NotApplicable

MAX_SAMPLE = 20_000
LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, slots=True)
class EncoderCosines:
    """Cosines of pairs that the text calls near clones, and of other answers to one prompt.

    near, other : the 5 %, 50 % and 95 % quantiles. threshold : the cosine that separates the two
    samples best, each sample weighing half (largest share found minus share wrongly taken), and
    found, wrong : those two shares. n_near, n_other : pairs in the samples.
    """

    near: tuple[float, float, float]
    other: tuple[float, float, float]
    threshold: float
    found: float
    wrong: float
    n_near: int
    n_other: int


def encoder_cosines(
    vectors: Float32Array,
    group: IntArray,
    unit: IntArray,
    near_first: IntArray,
    near_second: IntArray,
    rng: np.random.Generator,
) -> EncoderCosines | NotApplicable:
    """Calibrate unit ``vectors`` (float32 (n, d)) against pairs known from the text.

    group : int64 (n,), the prompt of each row; unit : int64 (n,), rows of one unit have equal
    texts, -1 = no text. near_first, near_second : int64 (k,), units that are near. Both samples
    hold at most ``MAX_SAMPLE`` pairs, drawn by ``rng``.
    """
    held = np.flatnonzero(unit >= 0)
    if near_first.size == 0:
        return NotApplicable("no near clones to calibrate the encoder on")
    order = held[np.argsort(group[held], kind="stable")]
    _, start, size = np.unique(group[order], return_index=True, return_counts=True)
    place = np.repeat(np.arange(size.size), size)
    i = rng.integers(0, order.size, MAX_SAMPLE)
    j = start[place[i]] + (rng.random(MAX_SAMPLE) * size[place[i]]).astype(np.int64)
    a, b = order[i], order[j]
    n_units = int(unit.max()) + 1
    low, high = np.minimum(unit[a], unit[b]), np.maximum(unit[a], unit[b])
    known = np.minimum(near_first, near_second) * n_units + np.maximum(near_first, near_second)
    different = (low != high) & ~np.isin(low * n_units + high, known)
    if not different.any():
        return NotApplicable("no two different answers to one prompt to calibrate the encoder on")
    row_of = np.zeros(n_units, np.int64)
    row_of[unit[held[::-1]]] = held[::-1]
    pick = np.arange(near_first.size)
    if pick.size > MAX_SAMPLE:
        pick = np.sort(rng.choice(pick, MAX_SAMPLE, replace=False))
    near = _cosines(vectors, row_of[near_first[pick]], row_of[near_second[pick]])
    other = _cosines(vectors, a[different], b[different])
    options = np.unique(near)
    found = 1.0 - np.searchsorted(np.sort(near), options) / near.size
    wrong = 1.0 - np.searchsorted(np.sort(other), options) / other.size
    best = int(np.argmax(found - wrong))
    return EncoderCosines(
        near=_quantiles(near),
        other=_quantiles(other),
        threshold=float(options[best]),
        found=float(found[best]),
        wrong=float(wrong[best]),
        n_near=int(near.size),
        n_other=int(other.size),
    )


def _cosines(vectors: Float32Array, a: IntArray, b: IntArray) -> FloatArray:
    product = vectors[a].astype(np.float64)
    product *= vectors[b]
    out: FloatArray = product.sum(axis=1)
    return out


def _quantiles(x: FloatArray) -> tuple[float, float, float]:
    low, middle, high = np.quantile(x, LEVELS).tolist()
    return low, middle, high
