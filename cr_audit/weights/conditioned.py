"""Voronoi cells on the sphere by conditional probabilities instead of hits.

A draw g ~ N(0, I) scores item j with s_j = g . x_j, and the item with the largest score has it.
For item i with length n_i and direction a_i = x_i / n_i the part of g along a_i is z_i = s_i / n_i,
independent of the rest of g. With the rest held fixed, item i is the nearest for all z between

    lo = z_i + max_j (s_j - s_i) / c_ij over c_ij > 0,   c_ij = n_i - a_i . x_j,
    hi = z_i + min_j (s_j - s_i) / c_ij over c_ij < 0,

so the draw is worth e_i = max(0, Phi(hi) - Phi(lo)) instead of 0 or 1: E[e_i] = W_i (the mean of a
conditional probability), with less variance, for every item at once.

Cost. Against all competitors e_i takes as many divisions as there are items, for each item and
draw. Most of them need not be made:

Roulette. The few top scorers of the draw give a guess e' of e_i (an upper bound up to rounding). A
draw goes on with probability p = min(1, e' / t_i), and counts e_i / p where it does: unbiased for
every p > 0, whatever the guess is worth, and adding at most t_i W_i to the variance. t_i is ``_T``
times or more the mass of an average cell, more where the guesses say that the item has more. Two
guesses, from ``_FIRST`` and from ``_SECOND`` top scorers, leave a few hundred draws of each item.

Competitors. Items of short (centred) vectors hardly ever have a draw. The r longest vectors that
have all but ``_LEFT_OUT`` of the hits of a pilot run compete with each other; the others get their
plain hits, in the same draws. What that costs is bias of a known size: without the others the r
share what these have, L, and no more, so that once the sum is 1 again the absolute biases of all
items sum to 2 L at most; the same draws estimate L. Up to ``_ALL`` items all compete: no bias.

Source: conditional Monte Carlo (Asmussen and Glynn, Stochastic Simulation, V.4) and Russian
roulette (ibid., V.5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.weights.per_draw import PerDraw, relative_error
from cr_audit.weights.spaces import Scores

_FIRST, _SECOND = 16, 256
_T, _PER_T, _MOST_T = 8.0, 500.0, 48.0
"""t in masses of an average cell: more where competitors are many, so that a draw that goes on is
dear: r / _PER_T, between the first and the last."""
_GUESSED = 4.0  # what the first guess exceeds the mass by, at least, of items that have much
_LEFT_OUT = 0.02
_ALL = 12_000
_PILOT = 256  # draws, each with its mirror image
_SEEN = 1024  # items of the pilot run
_SURE = 1.1  # the pilot knows the error to a tenth or so
_PER_DRAW, _PER_COMPETITOR = 10_000.0, 15.0
"""What an item and a draw (with its mirror image) cost beside the products, and what each of up to
2 ``_NEAR`` competitors adds, in multiplications of the plain sampler: measured
(benchmarks/README.md, "Weights")."""
_DRAWS, _ITEMS = 128, 64  # of one block
_TILE = 1 << 14
_PLACES = 256
_NEAR = 2048  # competitors of the smallest gaps, where there are more than twice as many
_FEW = 8  # draws that are not worth the search for them
_MARGIN = 1.0 - 1e-5  # for single precision
_AT_ONCE = 1 << 18  # scores held at once in the last step


@dataclass(frozen=True, slots=True)
class Design:
    """n_draws, each of which serves with its mirror image; n_competitors, the longest vectors;
    cost : multiplications; error : expected of a cell of average mass, relative."""

    n_draws: int
    n_competitors: int
    cost: float = 0.0
    error: float = math.inf


def _work(r: int) -> float:
    """On one of r items and one draw, in multiplications."""
    return _PER_DRAW + _PER_COMPETITOR * min(r, 2 * _NEAR)


@dataclass(frozen=True, slots=True, eq=False)
class Conditioned:
    """The estimator for one set of items.

    rows : float32 (u, d), centred, the longest first; length : float64 (u,); order : int64 (u,),
    which item each row is.
    """

    rows: Float32Array
    length: FloatArray
    order: IntArray
    workers: int | None

    @classmethod
    def of(cls, scores: Scores, workers: int | None) -> Conditioned:
        """ValueError where draws are not Gaussian: the part along an item is independent of the
        rest on the sphere only."""
        if scores.offsets is not None or not scores.gaussian:
            raise ValueError("conditional probabilities are known on the sphere only")
        parts = [b.rows if b.of is None else b.rows[b.of] for b in scores.directions]
        joined = parts[0] if len(parts) == 1 else np.hstack(parts)
        length = np.sqrt(np.einsum("ij,ij->i", joined, joined, dtype=np.float64))
        order = np.argsort(-length, kind="stable")
        return cls(np.ascontiguousarray(joined[order]), length[order], order, workers)

    @staticmethod
    def least_cost(scores: Scores) -> float:
        """A bound of every design's cost from below, known without a pilot run."""
        u, d = scores.n_points, scores.n_coordinates
        r = min(u, _ALL)
        return float(_PILOT) * u * d + float(r) * r * d + float(_PILOT) * r * _work(r)

    @property
    def n(self) -> int:
        """u, the items."""
        return int(self.rows.shape[0])

    def design(self, precision: float, most: float, rng: np.random.Generator) -> Design:
        """Who competes, and how many draws give a cell of average mass a relative standard error
        of ``precision``, by a pilot run of some of the items; or as many as cost no more than
        ``most``, at least those of the pilot run."""
        draws, again, items = rng.spawn(3)
        r, d = self.n, self.rows.shape[1]
        if r > _ALL:
            won = np.concatenate([s.won for s in self._scored(_PILOT, 0, 0, draws)], axis=1)
            r = max(_ALL, 1 + int(np.quantile(won, 1.0 - _LEFT_OUT, method="higher")))
        cells = self._side_by_side(r)
        seen = np.unique(np.linspace(0, r - 1, min(r, _SEEN)).astype(np.int64))
        scores, top, _ = cells._drawn(_PILOT, r, again)
        row, draw, value = cells._conditioned(_Roulette.of(cells, scores, top), seen, items)
        found = PerDraw.of(row, draw, value, self.n, _PILOT)
        spread = relative_error(*found.raw()) * math.sqrt(_PILOT)
        once, each = float(r) * r * d, float(self.n) * d + r * _work(r)
        wanted = math.ceil((_SURE * spread / precision) ** 2 / _DRAWS)
        n = _DRAWS * max(min(wanted, int((most - once) / each / _DRAWS)), _PILOT // _DRAWS)
        return Design(n, r, once + n * each, spread / math.sqrt(n))

    def estimate(self, design: Design, rng: np.random.Generator) -> tuple[PerDraw, float]:
        """What the draws say of every item, and the share of their hits that items have which do
        not compete.

        Memory: the rows, n_draws x n_competitors floats, and some hundred numbers of each item
        that competes; per worker 20 MB.
        """
        draws, items = rng.spawn(2)
        n, r = design.n_draws, design.n_competitors
        cells = self._side_by_side(r)
        scores, top, won = cells._drawn(n, r, draws)
        # Of all the work, that on the items is nearly all.
        row, draw, value = cells._conditioned(
            _Roulette.of(cells, scores, top), np.arange(r, dtype=np.int64), items, "cells"
        )
        short = won >= r
        row = np.concatenate([row, won[short]])
        draw = np.concatenate([draw, np.nonzero(short)[1]])
        value = np.concatenate([value, np.full(row.size - value.size, 0.5)])
        return PerDraw.of(cells.order[row], draw, value, self.n, n), float(short.mean())

    def _side_by_side(self, r: int) -> Conditioned:
        """The same, the first r in another order: those near each other, who are asked together,
        stand together in memory. Near is whose nearest of ``_PLACES`` of them is the same."""
        if r <= 2 * _NEAR:
            return self
        centres = self.rows[np.linspace(0, r - 1, _PLACES).astype(np.int64)]
        length = np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-30)
        with engine.one_blas_thread():
            place = np.argmax(self.rows[:r] @ (centres / length).T, axis=1)
        to = np.argsort(place, kind="stable")
        rows, length_of, order = self.rows.copy(), self.length.copy(), self.order.copy()
        rows[:r], length_of[:r], order[:r] = self.rows[to], self.length[to], self.order[to]
        return Conditioned(rows, length_of, order, self.workers)

    def _drawn(
        self, n: int, r: int, rng: np.random.Generator
    ) -> tuple[Float32Array, IntArray, IntArray]:
        """Scores (n, r) of the competitors, the top ones (2, n, k), and who won (2, n)."""
        scores, top = np.empty((n, r), np.float32), np.empty((2, n, min(_SECOND, r)), np.int64)
        won = np.empty((2, n), np.int64)
        first = 0
        for s in self._scored(n, r, top.shape[2], rng):
            here = slice(first, first := first + s.won.shape[1])
            scores[here], top[:, here], won[:, here] = s.scores, s.top, s.won
        return scores, top, won

    def _conditioned(
        self, work: _Roulette, rows: IntArray, rng: np.random.Generator, stage: str = ""
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """Rows, draws and values of some of the items. stage : of which the blocks are pieces."""
        blocks = [rows[s] for s in engine.spans(rows.size, _ITEMS)]
        most = engine.ALL_CORES

        def inputs() -> dict[str, Any]:
            return {"vectors": self.rows, "draws": work.scores.shape, "seed": engine.origin(rng)}

        if stage:
            found = engine.in_pieces(
                stage, inputs, work, blocks, rng=rng, workers=self.workers, most=most
            )
        else:
            found = engine.map(work, blocks, rng=rng, workers=self.workers, most=most)
        parts = list(engine.told("cells", found, [b.size for b in blocks]))
        row, draw, value = (np.concatenate([p[k] for p in parts]) for k in range(3))
        return row, draw, value

    def _scored(self, n: int, r: int, keep: int, rng: np.random.Generator) -> Iterator[_Scored]:
        """Blocks of n draws, in order."""
        work = _Scoring(self, r, keep, n)
        blocks = range(-(-n // _DRAWS))
        return engine.map(work, blocks, rng=rng, workers=self.workers, most=engine.ALL_CORES)


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """scores : float32 (n, r), of the competitors; won : int64 (2, n), who has each draw and its
    mirror image; top : int64 (2, n, keep), the competitors of the largest scores, in their order.
    """

    scores: Float32Array
    won: IntArray
    top: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class _Scoring:
    """The work on one block of draws."""

    items: Conditioned
    r: int
    keep: int
    n: int

    def __call__(self, block: int, stream: np.random.Generator) -> _Scored:
        rows, r = self.items.rows, self.r
        n = min(_DRAWS, self.n - block * _DRAWS)
        draws = stream.standard_normal((n, rows.shape[1]), dtype=np.float32)
        row = np.arange(n)
        scores = np.empty((n, r), np.float32)
        best = np.full((2, n), -np.inf, np.float32)
        won = np.zeros((2, n), np.int64)
        for tile in engine.spans(rows.shape[0], _TILE):
            # Tiles of competitors are kept, those of others are looked at and forgotten.
            s = draws @ rows[tile].T
            inside = min(tile.stop, r) - tile.start
            if inside > 0:
                scores[:, tile.start : tile.start + inside] = s[:, :inside]
            for k, at in enumerate((s.argmax(axis=1), s.argmin(axis=1))):
                value = s[row, at] if k == 0 else -s[row, at]
                better = value > best[k]
                best[k, better], won[k, better] = value[better], at[better] + tile.start
        top = np.empty((2, n, self.keep), np.int64)
        if self.keep:
            for k in range(2):
                signed = -scores if k == 0 else scores
                some = np.argpartition(signed, self.keep - 1, axis=1)[:, : self.keep]
                by = np.argsort(np.take_along_axis(signed, some, 1), axis=1, kind="stable")
                top[k] = np.take_along_axis(some, by, 1)
        return _Scored(scores, won, top)


@dataclass(frozen=True, slots=True, eq=False)
class _Roulette:
    """The work on one block of items that compete. Signed draws are the n draws and then their
    mirror images.

    scores : float32 (n, r). first, its_scores : int64 and float32 (k, 2n), the top scorers that
    the first guess is made from; second, their_scores : the same of the second, (2n, k).
    """

    items: Conditioned
    scores: Float32Array
    first: IntArray
    its_scores: Float32Array
    second: IntArray
    their_scores: Float32Array
    t: float

    @classmethod
    def of(cls, items: Conditioned, scores: Float32Array, top: IntArray) -> _Roulette:
        best = np.stack([np.take_along_axis(scores, t, axis=1) for t in top])
        best[1] *= np.float32(-1.0)
        flat, values = top.reshape(-1, top.shape[2]), best.reshape(-1, top.shape[2])
        some = slice(None, _FIRST)
        return cls(
            items,
            scores,
            np.ascontiguousarray(flat[:, some].T),
            np.ascontiguousarray(values[:, some].T),
            flat,
            values,
            float(min(max(_T, scores.shape[1] / _PER_T), _MOST_T)),
        )

    def __call__(
        self, block: IntArray, stream: np.random.Generator
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """Rows, draws and values of what is not nothing."""
        n, r = self.scores.shape
        rows, length = self.items.rows, self.items.length[block]
        own = np.ascontiguousarray(self.scores[:, block].T)
        ahead = np.where(length > 0, length, 1.0).astype(np.float32)[:, None]
        along = (rows[block] / ahead) @ rows[:r].T
        found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
        for i, row in enumerate(block.tolist()):
            chance = stream.random(2 * n)
            if length[i] == 0.0:  # no direction to move in: nearest where nobody is, at a corner
                continue
            gap = np.float32(length[i]) - along[i]
            gap[row] = 0.0
            draw, value = self._item(float(length[i]), own[i], gap, chance)
            found.append((np.full(draw.size, row), draw % n, value))
        at, draws, values = (np.concatenate([f[k] for f in found]) for k in range(3))
        return at, draws, values

    def _item(
        self, length: float, own: Float32Array, gap: Float32Array, chance: FloatArray
    ) -> tuple[IntArray, FloatArray]:
        """Signed draws, and what they are worth: half of e / p each.

        own : float32 (n,), the item's scores; gap : float32 (r,), c of the module, 0 for the item
        itself; chance : float64 (2n,), uniform.
        """
        inverse = np.zeros_like(gap)
        np.divide(np.float32(1.0), gap, out=inverse, where=gap > 0)
        signed = np.concatenate([own, -own])
        asked = np.take(inverse, self.first)
        asked *= self.its_scores - signed
        # Who cannot hinder the item has an inverse of 0 and asks for nothing: a draw that the item
        # has is taken for one just reached, which is no matter for a guess.
        guess = ndtr(-(signed / length + asked.max(axis=0, initial=0.0)).astype(np.float64))
        scale = self.t * max(float(guess.mean()) / _GUESSED, 1.0 / self.items.n)
        on = np.flatnonzero(chance * scale < guess)
        if on.size == 0:
            return on, np.empty(0)
        asked = np.take(inverse, self.second[on])
        asked *= self.their_scores[on] - signed[on, None]
        step = asked.max(axis=1, initial=0.0)
        second = ndtr(-(signed[on] / length + step).astype(np.float64))
        stays = chance[on] * scale < second
        on, p = on[stays], np.minimum(second[stays] / scale, 1.0)
        lo, hi = self._bounds(on, step[stays], signed, gap, inverse)
        here = signed[on].astype(np.float64) / length
        value = 0.5 * np.maximum(ndtr(-(here + lo)) - ndtr(-(here + hi)), 0.0) / p
        return on[value > 0], value[value > 0]

    def _bounds(
        self,
        draws: IntArray,
        step: Float32Array,
        signed: Float32Array,
        gap: Float32Array,
        inverse: Float32Array,
    ) -> tuple[FloatArray, FloatArray]:
        """lo and hi of the module, less z, of some signed draws: float64.

        step : lo against the top scorers of each draw, at least 0. Where there are many
        competitors, the ``_NEAR`` of the smallest gaps are asked first. Of the others that are no
        top scorers of a draw none scores more than the last of these, s, nor has a smaller gap than
        the smallest, c; so where s - s_i <= lo c with lo > 0, none of them asks for more than lo.
        """
        r = gap.size
        if r <= 2 * _NEAR or draws.size < _FEW:
            return self._against(draws, np.arange(r), signed, gap, inverse)
        order = np.argpartition(gap, _NEAR)
        near, least = np.sort(order[:_NEAR]), gap[order[_NEAR]]
        lo, hi = self._against(draws, near, signed, gap, inverse)
        np.maximum(lo, step, out=lo, where=step > 0)
        last = self.their_scores[draws, -1].astype(np.float64) - signed[draws]
        unsure = np.flatnonzero((lo <= 0) | (last > _MARGIN * lo * least) | (least <= 0))
        lo[unsure], hi[unsure] = self._against(draws[unsure], np.arange(r), signed, gap, inverse)
        return lo, hi

    def _against(
        self,
        draws: IntArray,
        others: IntArray,
        signed: Float32Array,
        gap: Float32Array,
        inverse: Float32Array,
    ) -> tuple[FloatArray, FloatArray]:
        """lo and hi against some of the competitors, all of them or in ascending order."""
        n, r = self.scores.shape
        everyone = others.size == r
        if draws.size == 0:
            return np.empty(0), np.empty(0)
        if not everyone:
            gap, inverse = gap[others], inverse[others]
        beyond, equal = np.flatnonzero(gap < 0), np.flatnonzero(gap == 0)
        without = np.flatnonzero(gap <= 0)
        lo, hi = np.empty(draws.size), np.full(draws.size, np.inf)
        for part in engine.spans(draws.size, max(1, _AT_ONCE // others.size)):
            some = draws[part]
            if everyone:
                ahead = self.scores[some % n]
            else:
                place = (some % n * r)[:, None] + others
                ahead = np.take(self.scores.reshape(-1), place, mode="clip")
            ahead *= np.where(some < n, np.float32(1.0), np.float32(-1.0))[:, None]
            ahead -= signed[some, None]
            if beyond.size:
                hi[part] = (ahead[:, beyond] / gap[beyond]).min(axis=1)
            # Who moves as fast as the item hinders it everywhere or nowhere; the item is of these.
            hi[part][(ahead[:, equal] > 0).any(axis=1)] = -np.inf
            ahead *= inverse
            ahead[:, without] = -np.inf
            lo[part] = ahead.max(axis=1)
        return lo, hi
