"""The only language that the numerics speak: integers, floats, and frozen structs of them.

Every index is a position in ``range(n_items)``; what an item *is* (a response, a model, a cluster)
is known only to the layers above.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """A result that could not apply to this data, with the reason in one sentence."""

    reason: str


class JoinedRows:
    """(prompt, response) / sqrt(2) of m responses, float32 (m, d_q + d_a), made for the rows that
    are asked for: of a million pairs the matrix is 6 GB, and its parts are 4.6 GB in files.

    prompts : float32 (n, d_q); responses : float32 (m, d_a); of : int64 (m,), everybody's prompt.
    """

    dtype: np.dtype[Any] = np.dtype(np.float32)
    ndim = 2

    def __init__(self, prompts: Float32Array, responses: Float32Array, of: IntArray) -> None:
        self._prompts, self._responses, self._of = prompts, responses, of

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and coordinates."""
        return self._of.size, self._prompts.shape[1] + self._responses.shape[1]

    @property
    def nbytes(self) -> int:
        """Of the matrix."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    def __getitem__(self, some: slice | IntArray) -> Float32Array:
        out = np.hstack([self._prompts[self._of[some]], self._responses[some]])
        out *= np.float32(np.sqrt(0.5))
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(self.dtype if dtype is None else dtype, copy=False)

    def astype(self, dtype: Any) -> NDArray[Any]:
        """All of them."""
        return np.asarray(self, dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """``n`` judgements between two of ``n_items`` items.

    winner, loser : int64 (n,), winner != loser. In a tie the order of the two carries no meaning.
    outcome : float64 (n,), 1 where ``winner`` won, 1/2 in a tie.
    mass : float64 (n,), > 0; how much one row counts (1 unless the data says otherwise).
    annotator : int64 (n,), -1 where unknown.
    prompt : int64 (n,), -1 where the data has one global prompt or none.
    winner_first : int8-valued int64 (n,), 1 if the winner was shown first, 0 if second, -1 unknown.
    """

    n_items: int
    winner: IntArray
    loser: IntArray
    outcome: FloatArray
    mass: FloatArray
    annotator: IntArray
    prompt: IntArray
    winner_first: IntArray

    def __post_init__(self) -> None:
        n = self.winner.shape[0]
        for name in ("loser", "outcome", "mass", "annotator", "prompt", "winner_first"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected ({n},)")
        if n and (
            min(self.winner.min(), self.loser.min()) < 0
            or max(self.winner.max(), self.loser.max()) >= self.n_items
        ):
            raise ValueError(f"winner and loser must lie in 0..{self.n_items - 1}")
        if np.any(self.winner == self.loser):
            raise ValueError("an item cannot be compared with itself")

    @property
    def n(self) -> int:
        """Comparisons."""
        return int(self.winner.shape[0])

    @classmethod
    def of(
        cls,
        n_items: int,
        winner: Any,
        loser: Any,
        outcome: Any = None,
        mass: Any = None,
        *,
        annotator: Any = None,
        prompt: Any = None,
        winner_first: Any = None,
    ) -> Comparisons:
        """Build from array-likes; outcome and mass default to 1, the labels to -1 (unknown)."""
        w = np.asarray(winner, dtype=np.int64)
        n = w.shape[0]

        def ints(x: Any) -> IntArray:
            return np.full(n, -1, np.int64) if x is None else np.asarray(x, dtype=np.int64)

        return cls(
            n_items=n_items,
            winner=w,
            loser=np.asarray(loser, dtype=np.int64),
            outcome=np.ones(n) if outcome is None else np.asarray(outcome, dtype=np.float64),
            mass=np.ones(n) if mass is None else np.asarray(mass, dtype=np.float64),
            annotator=ints(annotator),
            prompt=ints(prompt),
            winner_first=ints(winner_first),
        )

    def relabel(self, labels: IntArray, n_items: int) -> tuple[Comparisons, int]:
        """Map every item through ``labels`` (int64 (n_items,), -1 = no label).

        Returns the comparisons between two different labels, and how many comparisons fell away
        because both sides share a label or one has none.
        """
        w, l = labels[self.winner], labels[self.loser]
        keep = np.flatnonzero((w != l) & (w >= 0) & (l >= 0))
        out = replace(self.take(keep), n_items=n_items, winner=w[keep], loser=l[keep])
        return out, int(self.n - keep.size)

    def take(self, rows: IntArray | BoolArray) -> Comparisons:
        """Some of the comparisons, of the same items. rows : positions, or a mask (n,)."""
        return Comparisons(
            n_items=self.n_items,
            winner=self.winner[rows],
            loser=self.loser[rows],
            outcome=self.outcome[rows],
            mass=self.mass[rows],
            annotator=self.annotator[rows],
            prompt=self.prompt[rows],
            winner_first=self.winner_first[rows],
        )

    def proportions(self, mass: FloatArray | None = None) -> Proportions:
        """Collapse repeated comparisons to one proportion per unordered pair.

        p = sum(mass * share won by ``first``) / sum(mass), a tie counting 1/2 each way
        ([CR] section 2; docs/methods.md, "What is counted"). ``mass`` (float64 (n,), >= 0) replaces
        the rows' own masses, e.g. by bootstrap counts; pairs whose mass is 0 are absent from the
        result.
        """
        m = self.mass if mass is None else mass
        swap = self.winner > self.loser
        first = np.where(swap, self.loser, self.winner)
        second = np.where(swap, self.winner, self.loser)
        won = np.where(swap, 1.0 - self.outcome, self.outcome)
        key = first * np.int64(self.n_items) + second
        n_keys = self.n_items**2
        if n_keys <= 4 * self.n:
            # Few possible pairs for many rows: adding up beats sorting (17 times at 10^6 rows).
            unique, inverse, k = np.arange(n_keys, dtype=np.int64), key, n_keys
        else:
            unique, inverse = np.unique(key, return_inverse=True)
            k = unique.shape[0]
        total: FloatArray = np.bincount(inverse, weights=m, minlength=k).astype(np.float64)
        wins: FloatArray = np.bincount(inverse, weights=m * won, minlength=k).astype(np.float64)
        keep = total > 0
        total, wins, unique = total[keep], wins[keep], unique[keep]
        return Proportions(
            n_items=self.n_items,
            first=unique // self.n_items,
            second=unique % self.n_items,
            p=wins / total,
            mass=total,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Proportions:
    """One entry per unordered pair that was compared: ``first < second`` and p(first > second).

    first, second : int64 (k,); p : float64 (k,) in [0, 1]; mass : float64 (k,) > 0, the number of
    comparisons behind p. p(x, x) = 1/2 is implied for every item and never stored.
    """

    n_items: int
    first: IntArray
    second: IntArray
    p: FloatArray
    mass: FloatArray

    @classmethod
    def from_matrix(cls, p: Any) -> Proportions:
        """From a complete m x m matrix with p[i, j] + p[j, i] = 1 (the papers' setting)."""
        matrix = np.asarray(p, dtype=np.float64)
        m = matrix.shape[0]
        first, second = np.triu_indices(m, 1)
        return cls(
            n_items=m,
            first=first.astype(np.int64),
            second=second.astype(np.int64),
            p=matrix[first, second],
            mass=np.ones(first.shape[0]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceSets:
    """``n`` lists of two or more members, in compressed rows.

    offsets : int64 (n + 1,); members[offsets[s]:offsets[s + 1]] are the items of set s.
    members : int64 (k,); rank : int64 (k,), 0 = best, equal ranks are ties, -1 = not ranked
    (where only the choice is known, the chosen member has rank 0 and the others -1).
    mass : float64 (n,) > 0; annotator, prompt : int64 (n,), -1 where unknown.
    """

    n_items: int
    offsets: IntArray
    members: IntArray
    rank: IntArray
    mass: FloatArray
    annotator: IntArray
    prompt: IntArray

    @property
    def n(self) -> int:
        """Lists."""
        return int(self.offsets.shape[0] - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """A partition or partial labelling of items: labels int64 (n_items,), -1 = none."""

    labels: IntArray
    n_groups: int


def checked_weights(weights: Any, n_items: int) -> FloatArray:
    """As float64 (n_items,) or (s, n_items): finite and >= 0. ValueError otherwise."""
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim == 0 or w.shape[-1] != n_items:
        raise ValueError(f"weights have shape {w.shape}, expected {n_items} items")
    if not np.all(np.isfinite(w)) or np.any(w < 0):
        raise ValueError("weights must be finite and not negative")
    return w
