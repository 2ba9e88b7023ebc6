"""The space whose points are handed out to the nearest alternative ([CR] Definition 4.1).

Every space turns "nearest to s" into one affine score per alternative, so that sampling is a matrix
product and an argmax:

- sphere: s = g ~ N(0, I); nearest is argmax_y g.y, where y has unit length (g / |g| is uniform on
  the sphere, and its length does not move the argmax).
- boxes: s uniform in prod_k [lower_k, upper_k]; |s - y|^2 = |s|^2 - 2 (s.y - |y|^2 / 2), so nearest
  is argmax_y s.y - |y|^2 / 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from cr_audit.arrays import Float32Array, FloatArray
from cr_audit.errors import UsageError

SPACES = ("sphere", "unit-cube", "factor-2", "data-box")


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

    def share_outside(self, points: FloatArray) -> float:
        """Share of the rows of ``points`` (m, d) that lie outside, in [0, 1]."""
        outside = (points < self.lower) | (points > self.upper)
        return float(outside.any(axis=1).mean())


def box_named(name: str, points: FloatArray) -> Box:
    """The box that ``name`` stands for, given the alternatives (m, d).

    unit-cube : [0, 1]^d, the paper's.
    factor-2  : per coordinate the smallest interval that holds every value within a factor of two
                of an alternative's value: [min_y min(y/2, 2y), max_y max(y/2, 2y)]. Its points
                differ from every alternative in all coordinates at once; the mixture "pick an
                item, jitter it" is another measure, which gives back uniform weights.
    data-box  : [min_y y, max_y y] per coordinate.
    """
    d = points.shape[1]
    if name == "unit-cube":
        return Box(np.zeros(d), np.ones(d), name)
    low, high = points.min(axis=0), points.max(axis=0)
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
    """score(s, y) = s.directions[y] + offsets[y] (+ a term that is the same for all y).

    directions : float32 (u, k); offsets : float32 (u,) or None where they are all zero.
    gaussian : True if s ~ N(0, I_k), False if s ~ U[-1/2, 1/2]^k.
    symmetric : True if -s is as likely as s and argmin stands for its argmax, so that one product
    serves two samples.
    """

    directions: Float32Array
    offsets: Float32Array | None
    gaussian: bool

    @property
    def symmetric(self) -> bool:
        return self.gaussian


def on_unit_sphere(points: FloatArray) -> FloatArray:
    """Rows scaled to unit length; a row of zeros has no direction and stays at the centre."""
    length = np.linalg.norm(points, axis=1, keepdims=True)
    out: FloatArray = points / np.where(length > 0, length, 1.0)
    return out


def sphere_scores(points: FloatArray) -> Scores:
    """Directions for g.y: centred (the argmax does not see it, float32 does) and, where there are
    fewer points than dimensions, turned into the span of the points (only the Gram matrix matters).
    """
    centred = points - points.mean(axis=0)
    if centred.shape[0] < centred.shape[1]:
        with threadpool_limits(limits=1, user_api="blas"):  # the same bits on any machine size
            centred = np.linalg.qr(centred.T).R.T
    return Scores(np.ascontiguousarray(centred, dtype=np.float32), None, gaussian=True)


def box_scores(points: FloatArray, box: Box) -> Scores:
    """Directions and offsets for s = middle + width * v, v ~ U[-1/2, 1/2]^d.

    With y' = y - middle, argmin |s - y|^2 = argmax v.(width * y') - |y'|^2 / 2; the mean over y of
    either term is taken off, which leaves the argmax alone and keeps float32 from cancelling.
    """
    if box.lower.shape[0] != points.shape[1]:
        raise ValueError(f"a box of {box.lower.shape[0]} coordinates, points of {points.shape[1]}")
    shifted = points - (box.lower + box.upper) / 2
    offsets = -0.5 * np.einsum("ij,ij->i", shifted, shifted)
    directions = (shifted - shifted.mean(axis=0)) * (box.upper - box.lower)
    return Scores(
        np.ascontiguousarray(directions, dtype=np.float32),
        (offsets - offsets.mean()).astype(np.float32),
        gaussian=False,
    )
