"""Sums over all items of a function of distance, from some of them: O(m n) instead of m^2.

For item x let f(x) = mean over j != x of K(d(x, j)). A simple random sample of n landmarks gives
an unbiased estimate whose relative error is c / sqrt(n), c the coefficient of variation of K(d)
over j. Two means over all items are known exactly, whatever their number: of q = d^2 and of q^2,

    sum_j q   = u |x|^2 + sum_j |y_j|^2 - 2 x . sum_j y_j
    sum_j q^2 = sum_j (|x|^2 + |y_j|^2)^2 - 4 x . sum_j (|x|^2 + |y_j|^2) y_j
                + 4 x' (sum_j y_j y_j') x

so the sample mean is corrected by regression on both (Cochran, Sampling Techniques, 7.1): what a
quadratic in d^2 explains of K leaves no sampling error; the bias of the correction is O(1 / n).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.weights.distinct import Distinct, distances_between, each_block

FIRST, TOLERANCE = 1024, 0.02
MOST = 16_384
"""Landmarks at most where items are more than eight times as many: of a million, one item in seven
would ask for more, and these would take longer than everything else."""
_ENOUGH = 100  # landmarks within the width, for a regression
_CHUNK = 8192  # items whose outer products are summed at once
_CELLS, _FEW = 1 << 19, 32  # distances held at once by a worker; rows of them at least


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What the means of d^2 and d^4 from one item to all need.

    norms : |y|^2 summed, and its square; first, second :
    float64 (d,), sums of y and of |y|^2 y; outer : float32 (d, d), sum of y y'.
    """

    norms: tuple[float, float]
    first: FloatArray
    second: FloatArray
    outer: Float32Array

    @classmethod
    def of(cls, items: Distinct) -> Moments:
        """Cost: u d^2 multiplications; memory: d^2 floats and ``_CHUNK`` items per worker."""
        parts = engine.map(
            partial(_sums, items), engine.spans(items.n, _CHUNK), most=engine.ALL_CORES
        )
        total: Any = None
        for part in engine.forgetting(parts):  # in the order of the items, whoever summed them
            total = part if total is None else [a + b for a, b in zip(total, part, strict=True)]
        first, second, outer = total
        norms = float(items.norms.sum()), float(np.square(items.norms).sum())
        return cls(norms, first, second, outer.astype(np.float32))

    def means(self, x: Float32Array, norm: FloatArray, u: int) -> tuple[FloatArray, FloatArray]:
        """Of d^2 and of (d^2 - its mean)^2, over the u - 1 other items: float64 (n,) each.

        x : float32 (n, d), the items; norm : float64 (n,), |x|^2.
        """
        exact = x.astype(np.float64)
        along, weighted = exact @ self.first, exact @ self.second
        # The product in float32 is right to 1e-6 of d^4, and twice as fast.
        square = np.einsum("ij,ij->i", x @ self.outer, exact)
        n1, n2 = self.norms
        mean = (u * norm + n1 - 2.0 * along) / (u - 1)
        fourth = u * norm**2 + 2.0 * norm * n1 + n2 - 4.0 * (norm * along + weighted) + 4.0 * square
        return mean, np.maximum(fourth / (u - 1) - mean**2, 0.0)


def _sums(items: Distinct, part: slice) -> tuple[FloatArray, FloatArray, FloatArray]:
    x, norm = items.joined(np.arange(part.start, part.stop)), items.norms[part]
    first = x.sum(axis=0, dtype=np.float64)
    return first, norm @ x.astype(np.float64), (x.T @ x).astype(np.float64)


def landmark_densities(
    items: Distinct,
    width: float,
    *,
    first: int = FIRST,
    tolerance: float = TOLERANCE,
    workers: int | None = None,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """1 + sum over j != x of max(0, 1 - d(x, j) / width), and its relative standard error:
    float64 (u,) each; the first is at least 1, the second 0 where the sum was taken in full.

    ``first`` landmarks for all items; those whose standard error is above ``tolerance`` get four
    times as many, and so on, in the end all, or ``MOST`` where items are more than eight times as
    many: items in thin regions have few neighbours, which few landmarks meet.
    Cost: u ``first`` d multiplications and those of the repetitions; memory: 256 x
    the number of landmarks floats per worker, four times. rng : draws the landmarks.
    """
    order = rng.permutation(items.n)
    moments = Moments.of(items)
    density, error = np.empty(items.n), np.empty(items.n)
    todo, n = np.arange(items.n), min(first, items.n)
    inverse = np.float32(1.0 / width)
    while todo.size:
        if n == items.n:
            parts = each_block(todo.size, partial(_summed, items, inverse, todo), workers, _FEW)
            density[todo], error[todo] = np.concatenate(parts), 0.0
            break
        landmarks = np.sort(order[:n])
        some = items.some(landmarks)
        vectors = some.joined(np.arange(n))
        place = np.full(items.n, -1, np.int64)
        place[landmarks] = np.arange(n)
        work = partial(_estimated, items, some, vectors, place, moments, inverse, todo)
        found = each_block(todo.size, work, workers, max(_FEW, _CELLS // n))
        density[todo] = np.concatenate([p[0] for p in found])
        error[todo] = np.concatenate([p[1] for p in found])
        todo = todo[error[todo] > tolerance]
        if n >= MOST and items.n > 8 * MOST:
            break
        n = 4 * n if 8 * n < items.n else items.n
    return density, error


def _summed(items: Distinct, inverse: np.float32, todo: IntArray, part: slice) -> FloatArray:
    """Every distance looked at."""
    kernel = items.distances(todo[part])
    kernel *= -inverse
    kernel += np.float32(1.0)
    np.maximum(kernel, np.float32(0.0), out=kernel)
    out: FloatArray = kernel.sum(axis=1, dtype=np.float64)
    return out


def _estimated(
    items: Distinct,
    some: Distinct,
    vectors: Float32Array,
    place: IntArray,
    moments: Moments,
    inverse: np.float32,
    todo: IntArray,
    part: slice,
) -> tuple[FloatArray, FloatArray]:
    block = todo[part]
    x, norm = items.joined(block), items.norms[block]
    mean, variance = moments.means(x, norm, items.n)
    d = distances_between(x, norm, vectors, some.norms)
    own = place[block]
    mine = np.flatnonzero(own >= 0)
    d[mine, own[mine]] = 0.0
    q = np.square(d)
    d *= inverse
    kernel = np.subtract(np.float32(1.0), d, out=d)
    np.maximum(kernel, np.float32(0.0), out=kernel)
    q -= mean.astype(np.float32)[:, None]
    n = np.full(block.size, float(some.n))
    n[mine] -= 1.0  # an item is not its own neighbour
    kernel[mine, own[mine]] = 0.0
    q[mine, own[mine]] = 0.0
    square = np.square(q)
    met = np.count_nonzero(kernel, axis=1)

    def average(a: Float32Array, b: Float32Array | None = None) -> FloatArray:
        total = a.sum(axis=1) if b is None else np.einsum("ij,ij->i", a, b)
        out: FloatArray = total.astype(np.float64) / n
        return out

    k, s1, s2 = average(kernel), average(q), average(square)
    v11, v12, v22 = s2 - s1 * s1, average(q, square) - s1 * s2, average(square, square) - s2 * s2
    c1, c2 = average(kernel, q) - k * s1, average(kernel, square) - k * s2
    determinant = v11 * v22 - v12 * v12
    # A few neighbours within the width are no curve in d^2: there the plain mean is the better one.
    usable = (determinant > 1e-6 * v11 * v22) & (met >= _ENOUGH)
    safe = np.where(usable, determinant, 1.0)
    b1 = np.where(usable, (c1 * v22 - c2 * v12) / safe, 0.0)
    b2 = np.where(usable, (c2 * v11 - c1 * v12) / safe, 0.0)
    corrected = k + b1 * (0.0 - s1) + b2 * (variance - s2)
    # What the regression leaves of the variance of K, for n of u - 1 without replacement.
    others = items.n - 1.0
    left = average(kernel, kernel) - k * k - b1 * c1 - b2 * c2
    spread = np.sqrt(np.maximum(left, 0.0) / np.maximum(n - 3.0, 1.0))
    spread *= np.sqrt(np.maximum(1.0 - n / others, 0.0))
    # One neighbour more or less is the least that is not known of who met few.
    missed = np.where(n < others, np.maximum(spread, 1.0 / (3.0 * np.maximum(n, 1.0))), 0.0)
    density = 1.0 + others * np.maximum(corrected if n.min() < others else k, 0.0)
    return density, others * missed / density
