"""The space whose points are handed out to the nearest alternative ([CR] Definition 4.1).

Every space turns "nearest to s" into one affine score per alternative, so that sampling is a matrix
product and an argmax:

- sphere: s = g ~ N(0, I); nearest is argmax_y g.y, where y has unit length (g / |g| is uniform on
  the sphere, and its length does not move the argmax).
- boxes: s uniform in prod_k [lower_k, upper_k]; |s - y|^2 = |s|^2 - 2 (s.y - |y|^2 / 2), so nearest
  is argmax_y s.y - |y|^2 / 2.

Both are sums over coordinates. Where the first coordinates of an alternative are its prompt's, and
many alternatives share a prompt, their part of the sum is computed once per prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.engine import one_blas_thread
from cr_audit.errors import UsageError

SPACES = ("sphere", "unit-cube", "factor-2", "data-box")

Vectors = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some of the coordinates of m points: ``rows`` (n, k), of which point i has ``rows[of[i]]``.

    of : int64 (m,), or None where there is one row per point.
    """

    rows: Vectors
    of: IntArray | None = None

    def spread(self, per_row: NDArray[Any]) -> NDArray[Any]:
        """One value per row -> one value per point."""
        return per_row if self.of is None else per_row[self.of]

    def take(self, points: IntArray) -> Block:
        """The block of some points, in the order given; rows that none of them has are dropped.
        Where points share rows and none is dropped, the rows are these, and no copy."""
        if self.of is None:
            return Block(_gathered(self.rows, points))
        used, of = np.unique(self.of[points], return_inverse=True)
        rows = self.rows if used.size == self.rows.shape[0] else _gathered(self.rows, used)
        return Block(rows, of.astype(np.int64))


def _gathered(rows: Vectors, some: IntArray) -> Vectors:
    """``rows[some]``; many of them in a file."""
    out: Vectors = engine.empty((some.size, rows.shape[1]), rows.dtype)
    for here in engine.blocks_of_rows(out):
        out[here] = rows[some[here]]
    return out


Blocks = tuple[Block, ...]


def squared_norms(blocks: Blocks) -> FloatArray:
    """|y|^2 of every point: float64 (m,)."""
    parts = [b.spread(_squares(b.rows)) for b in blocks]
    total: FloatArray = np.sum(parts, axis=0)
    return total


def _squares(rows: Vectors) -> FloatArray:
    out = np.empty(rows.shape[0])
    for here in engine.blocks_of_rows(rows):
        np.einsum("ij,ij->i", rows[here], rows[here], dtype=np.float64, out=out[here])
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """prod_k [lower_k, upper_k]; lower, upper float64 (d,), lower <= upper, finite.

    ``name`` is what results echo. A coordinate with lower = upper is held fixed.
    """

    lower: FloatArray
    upper: FloatArray
    name: str = "box"

    @classmethod
    def of(cls, lower: Any, upper: Any, name: str = "box") -> Box:
        """From array-likes, which are checked: ValueError on shape, order or infinity."""
        lo, hi = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
        if lo.ndim != 1 or lo.shape != hi.shape:
            raise ValueError(f"lower {lo.shape} and upper {hi.shape} must be one-dimensional alike")
        if not (np.isfinite(lo).all() and np.isfinite(hi).all() and (lo <= hi).all()):
            raise ValueError("a box needs finite bounds with lower <= upper")
        return cls(lower=lo, upper=hi, name=name)

    def share_outside(self, blocks: Blocks) -> float:
        """Share of the points that lie outside, in [0, 1]."""
        parts, start = [], 0
        for b in blocks:
            k = slice(start, start := start + b.rows.shape[1])
            beyond = (b.rows < self.lower[k]) | (b.rows > self.upper[k])
            parts.append(b.spread(np.any(beyond, axis=1)))
        return float(np.any(parts, axis=0).mean())


def box_named(name: str, blocks: Blocks) -> Box:
    """The box that ``name`` stands for, given the alternatives.

    unit-cube : [0, 1]^d, the paper's.
    factor-2  : per coordinate the smallest interval that holds every value within a factor of two
                of an alternative's value: [min_y min(y/2, 2y), max_y max(y/2, 2y)]. Its points
                differ from every alternative in all coordinates at once; the mixture "pick an
                item, jitter it" is another measure, which gives back uniform weights.
    data-box  : [min_y y, max_y y] per coordinate.
    """
    d = sum(b.rows.shape[1] for b in blocks)
    if name == "unit-cube":
        return Box(np.zeros(d), np.ones(d), name)
    low = np.concatenate([b.rows.min(axis=0) for b in blocks]).astype(np.float64)
    high = np.concatenate([b.rows.max(axis=0) for b in blocks]).astype(np.float64)
    if name == "factor-2":
        low, high = np.minimum(low / 2, low * 2), np.maximum(high / 2, high * 2)
    elif name != "data-box":
        raise UsageError(
            "unknown-space",
            f"there is no space called {name!r}",
            next_step=f"use one of {', '.join(SPACES)}",
        )
    return Box(low, high, name)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """score(s, y) = sum over blocks of s_b . directions_b[y] + offsets[y] (+ what all y share).

    directions : float32 blocks of u points; offsets : float32 (u,) or None where all are zero.
    gaussian : True if s ~ N(0, I), False if s ~ U[-1/2, 1/2]^d.
    """

    directions: Blocks
    offsets: Float32Array | None
    gaussian: bool

    @property
    def n_points(self) -> int:
        """Alternatives that are scored."""
        b = self.directions[0]
        return int(b.rows.shape[0] if b.of is None else b.of.shape[0])

    @property
    def n_coordinates(self) -> int:
        """Numbers of one draw s."""
        return sum(b.rows.shape[1] for b in self.directions)

    @property
    def cost(self) -> int:
        """Multiplications per draw."""
        return sum(b.rows.size for b in self.directions)

    @property
    def symmetric(self) -> bool:
        """-s is as likely as s and argmin is its argmax: one product serves two samples."""
        return self.gaussian


def on_unit_sphere(blocks: Blocks) -> Blocks:
    """Points scaled to unit length; a point of zeros has no direction and stays at the centre.

    Several blocks stay apart where all points have unit length already, to float32; otherwise
    they are joined, as the factor differs from point to point.
    """
    length = np.sqrt(squared_norms(blocks))
    if len(blocks) > 1 and np.abs(length - 1.0).max() <= 1e-6:
        return blocks
    kind = np.result_type(*(b.rows for b in blocks))
    width = sum(b.rows.shape[1] for b in blocks)
    joined: Vectors = engine.empty((length.size, width), kind)
    scale = np.where(length > 0, length, 1.0)[:, None].astype(kind)
    for here in engine.blocks_of_rows(joined):
        parts = [b.rows[here] if b.of is None else b.rows[b.of[here]] for b in blocks]
        np.divide(np.hstack(parts), scale[here], out=joined[here])
    return (Block(joined),)


def _centred(rows: Vectors) -> Vectors:
    """Less their mean: the argmax does not see it, and float32 does not cancel."""
    mean = rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)
    out: Vectors = engine.empty(rows.shape, rows.dtype)
    for here in engine.blocks_of_rows(rows):
        np.subtract(rows[here], mean, out=out[here])
    return out


def sphere_scores(blocks: Blocks) -> Scores:
    """Directions for g.y; where there are fewer points than coordinates, turned into the span of
    the points first (only the Gram matrix matters).
    """
    rows = [_centred(b.rows) for b in blocks]
    if len(blocks) == 1 and rows[0].shape[0] < rows[0].shape[1]:
        with one_blas_thread():  # the same bits on any machine size
            rows[0] = np.linalg.qr(rows[0].T.astype(np.float64)).R.T
    return Scores(
        tuple(Block(_float32(r), b.of) for r, b in zip(rows, blocks, strict=True)),
        None,
        gaussian=True,
    )


def box_scores(blocks: Blocks, box: Box) -> Scores:
    """Directions and offsets for s = middle + width * v, v ~ U[-1/2, 1/2]^d.

    With y' = y - middle, argmin |s - y|^2 = argmax v.(width * y') - |y'|^2 / 2; the mean over y of
    either term is taken off.
    """
    d = sum(b.rows.shape[1] for b in blocks)
    if box.lower.shape[0] != d:
        raise ValueError(f"a box of {box.lower.shape[0]} coordinates, points of {d}")
    shifted, directions, start = [], [], 0
    for b in blocks:
        k = slice(start, start := start + b.rows.shape[1])
        moved = b.rows - (box.lower[k] + box.upper[k]) / 2
        shifted.append(Block(moved, b.of))
        directions.append(Block(_float32(_centred(moved) * (box.upper - box.lower)[k]), b.of))
    offsets = -0.5 * squared_norms(tuple(shifted))
    return Scores(tuple(directions), (offsets - offsets.mean()).astype(np.float32), gaussian=False)


def _float32(rows: Vectors) -> Float32Array:
    return np.ascontiguousarray(rows, dtype=np.float32)
