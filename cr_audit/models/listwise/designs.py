"""Lists as a design: rows of columns, which rows stand together, and what was chosen of each list.

Rows of one list are contiguous. Every sum over a list is ``numpy.add.reduceat`` and every product
of matrices is ``einsum`` without BLAS: the same bytes whatever the number of cores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceDesign:
    """``n`` lists over ``k`` rows with ``p`` columns.

    offsets : int64 (n + 1,), strictly increasing; list s owns rows offsets[s]:offsets[s + 1].
    columns : float64 (k, p), the covariates of each offered member.
    share : float64 (k,) >= 0 that sums to 1 in each list: 1 at the chosen row; where several are
        chosen together, equal parts.
    mass : float64 (n,) > 0, how much a list counts.
    unit : int64 (n,) >= 0, lists with one number are not independent (one annotator, one prompt).
    offset : float64 (k,), added to the utility with coefficient 1: log of a clone's weight, or 0.
    """

    offsets: IntArray
    columns: FloatArray
    share: FloatArray
    mass: FloatArray
    unit: IntArray
    offset: FloatArray

    def __post_init__(self) -> None:
        n, k = self.offsets.shape[0] - 1, self.columns.shape[0]
        if n < 0 or self.offsets[0] != 0 or self.offsets[-1] != k:
            raise ValueError("offsets must start at 0 and end at the number of rows")
        if np.any(np.diff(self.offsets) < 1):
            raise ValueError("every list must have at least one row")
        shapes = (self.share.shape, self.offset.shape, self.mass.shape, self.unit.shape)
        if shapes != ((k,), (k,), (n,), (n,)):
            raise ValueError(f"share, offset, mass and unit have shapes {shapes}")
        if n and not np.allclose(list_sums(self.share, self.offsets), 1.0):
            raise ValueError("the shares of every list must sum to 1")

    @classmethod
    def of(
        cls,
        offsets: IntArray,
        columns: FloatArray,
        chosen: IntArray,
        *,
        mass: FloatArray | None = None,
        unit: IntArray | None = None,
    ) -> ChoiceDesign:
        """One chosen row per list; ``chosen`` is int64 (n,), positions among all rows."""
        n, k = offsets.shape[0] - 1, columns.shape[0]
        share = np.zeros(k)
        share[chosen] = 1.0
        return cls(
            offsets=offsets,
            columns=np.asarray(columns, dtype=np.float64).reshape(k, -1),
            share=share,
            mass=np.ones(n) if mass is None else mass,
            unit=np.arange(n, dtype=np.int64) if unit is None else unit,
            offset=np.zeros(k),
        )

    @property
    def n(self) -> int:
        """Lists."""
        return int(self.offsets.shape[0] - 1)

    @property
    def n_columns(self) -> int:
        """Coefficients."""
        return int(self.columns.shape[1])

    @property
    def sizes(self) -> IntArray:
        """Members of each list: int64 (n,)."""
        return np.diff(self.offsets)

    @property
    def owner(self) -> IntArray:
        """int64 (k,), the list of each row."""
        return np.repeat(np.arange(self.n, dtype=np.int64), self.sizes)

    def with_columns(self, columns: FloatArray) -> ChoiceDesign:
        """The same choices with other columns, float64 (members, k)."""
        return replace(self, columns=columns)

    def lists(self, keep: BoolArray) -> ChoiceDesign:
        """Only the lists where ``keep`` (bool (n,)) holds."""
        return self._cut(keep, keep[self.owner])

    def without_rows(self, keep: BoolArray) -> ChoiceDesign:
        """Only the rows where ``keep`` (bool (k,)) holds.

        A list of which a (partly) chosen row falls away, or of which fewer than two rows are left,
        falls away whole: what is left are choices among the members that remain (a test of IIA
        compares exactly these with all).
        """
        lost = list_sums(np.where(keep, 0.0, self.share), self.offsets) > 0
        left = list_sums(keep.astype(np.float64), self.offsets) >= 2
        good = ~lost & left
        return self._cut(good, keep & good[self.owner])

    def _cut(self, lists: BoolArray, rows: BoolArray) -> ChoiceDesign:
        counts = np.add.reduceat(rows, self.offsets[:-1]) if self.n else np.zeros(0, np.int64)
        return ChoiceDesign(
            offsets=np.concatenate([[0], np.cumsum(counts[lists])]).astype(np.int64),
            columns=self.columns[rows],
            share=self.share[rows],
            mass=self.mass[lists],
            unit=self.unit[lists],
            offset=self.offset[rows],
        )


def list_sums(values: FloatArray, offsets: IntArray) -> FloatArray:
    """Sums over each list; values (k,) or (k, p) -> (n,) or (n, p)."""
    if offsets.shape[0] == 1:
        return np.zeros((0, *values.shape[1:]))
    out: FloatArray = np.add.reduceat(values, offsets[:-1], axis=0)
    return out


def log_probabilities(utility: FloatArray, offsets: IntArray) -> FloatArray:
    """log of the softmax within each list; float64 (k,)."""
    if utility.size == 0:
        return utility
    sizes = np.diff(offsets)
    top = np.repeat(np.maximum.reduceat(utility, offsets[:-1]), sizes)
    shifted = utility - top
    total = np.log(list_sums(np.exp(shifted), offsets))
    out: FloatArray = shifted - np.repeat(total, sizes)
    return out


def centred(columns: FloatArray, offsets: IntArray) -> FloatArray:
    """Columns minus their mean in the list: what of them can matter to a choice."""
    sizes = np.diff(offsets)
    mean = list_sums(columns, offsets) / sizes[:, None]
    out: FloatArray = columns - np.repeat(mean, sizes, axis=0)
    return out


def identified_columns(design: ChoiceDesign, *, tolerance: float = 1e-9) -> BoolArray:
    """bool (p,): columns that differ within lists and are not combinations of earlier ones.

    Modified Gram–Schmidt on the Gram matrix of the centred columns, in the order of the columns:
    of two that say the same, the earlier is kept. A column is dropped when less than ``tolerance``
    of its squared length is left.
    """
    x = centred(design.columns, design.offsets)
    gram = np.einsum("ki,kj->ij", x, x)
    p = gram.shape[0]
    keep = np.zeros(p, dtype=np.bool_)
    original = np.diagonal(gram).copy()
    left = gram.copy()
    scale = float(np.abs(design.columns).max(initial=0.0)) ** 2 * max(design.columns.shape[0], 1)
    for j in range(p):
        # A constant column leaves rounding errors of its own size behind.
        if original[j] <= 1e-20 * scale or left[j, j] <= tolerance * original[j]:
            continue
        keep[j] = True
        left = left - np.outer(left[:, j], left[j]) / left[j, j]
    return keep


def collapsed(design: ChoiceDesign, labels: IntArray) -> tuple[ChoiceDesign, IntArray]:
    """Equal lists (rows, shares, offsets and labels of the rows) as one, their masses added.

    The same likelihood in fewer rows where columns are constants of kinds; units are lost, so for
    point estimates only. The order of the result depends on content alone.
    """
    sizes = design.sizes
    parts = []
    for size in np.unique(sizes):
        at = np.flatnonzero(sizes == size)
        rows = design.offsets[at][:, None] + np.arange(size)
        told = np.concatenate(
            [
                design.columns[rows].reshape(at.size, -1),
                design.share[rows],
                design.offset[rows],
                labels[rows].astype(np.float64),
            ],
            axis=1,
        )
        # Zeros of both signs are one zero; what is compared is bytes.
        told = np.ascontiguousarray(told + 0.0)
        raw = told.view(np.dtype((np.void, 8 * told.shape[1]))).ravel()
        _, first, inverse = np.unique(raw, return_index=True, return_inverse=True)
        mass = np.bincount(inverse, weights=design.mass[at]).astype(np.float64)
        parts.append((rows[first], mass, int(size)))
    picked = np.concatenate([p[0].ravel() for p in parts]) if parts else np.zeros(0, np.int64)
    counts = np.concatenate([np.full(p[1].size, p[2]) for p in parts]) if parts else picked
    mass = np.concatenate([p[1] for p in parts]) if parts else np.zeros(0)
    few = ChoiceDesign(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        columns=design.columns[picked],
        share=design.share[picked],
        mass=mass,
        unit=np.arange(mass.size, dtype=np.int64),
        offset=design.offset[picked],
    )
    return few, labels[picked]
