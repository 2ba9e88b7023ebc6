"""Weights by Voronoi cells ([CR] Definition 4.1), estimated by sampling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.arrays import FloatArray, IntArray
from cr_audit.engine.tails import chi2
from cr_audit.weights.contexts import points_from_gram
from cr_audit.weights.estimates import (
    COLLAPSED_BELOW,
    DEFAULT_MAX_PRODUCTS,
    DEFAULT_MIN_SAMPLES,
    DEFAULT_PRECISION,
    Weights,
    checked_blocks,
    merge_duplicates,
)
from cr_audit.weights.per_draw import PerDraw, relative_error
from cr_audit.weights.samplers import AUTO, Wanted, chosen
from cr_audit.weights.spaces import Box, box_named, box_scores, on_unit_sphere, sphere_scores

_UNIFORM_LEVEL, _UNIFORM_Z = 0.95, 1.6449


def voronoi_weights(
    contexts: Any,
    *,
    space: str | Box = "sphere",
    precision: float = DEFAULT_PRECISION,
    min_samples: int = DEFAULT_MIN_SAMPLES,
    max_products: float = DEFAULT_MAX_PRODUCTS,
    duplicates: IntArray | None = None,
    normalise: bool = True,
    sampler: str = AUTO,
    workers: int | None = None,
    rng: np.random.Generator,
) -> Weights:
    """w(y) = vol({s in S : |s - y| <= |s - y'| for all y'}) / vol(S), ties split evenly.

    contexts : (m, d), float32 or float64, or ``Contexts``. ``space`` : a name of ``spaces.SPACES``
    or a ``Box``. N, the number of samples, is the larger of ``min_samples`` and
    n_cells / precision^2, cut where draws * n_cells * d would exceed ``max_products`` (a count of
    multiplications, so that the result depends on the input alone; for ``Contexts`` it is
    draws * (n_cells * d_a + n_prompts * d_q)). ``duplicates`` : see ``merge_duplicates``.
    ``normalise`` : for the sphere only, scale every context to unit length first (a zero vector
    stays at the centre). ``sampler`` : a name of ``samplers.SAMPLERS``; "auto" takes plain hits
    where N reaches the precision within the budget, else, on the sphere, conditional probabilities
    (``conditioned``), where these come nearer to it within ``samplers.LONGER`` times as much time;
    the settings echo it. ``workers`` changes the speed and nothing else.

    Source: [CR] Definition 4.1, Appendix I.4 (100,000 samples). Deviations:

    1. Default space: the sphere, P(argmax_y g.y) with g ~ N(0, I), not the unit cube, which does
       not contain embeddings. One draw g serves two samples, g and -g. With ``normalise=False``
       the vectors are taken as given; only then does a common shift of all of them not matter.
    2. Equal items are merged before sampling and share their cell evenly, rather than by ties.
    3. Contexts are rounded to float32; alternatives closer than about 1e-6 of their length share
       their common cell arbitrarily (only its sum means anything, [CR] Figure 2).

    Raises ComputeError where there is no context or one is not finite, UsageError for an unknown
    space, ValueError for settings out of range.
    """
    if not (precision > 0 and min_samples >= 1 and max_products > 0):
        raise ValueError("precision, min_samples and max_products must be positive")
    blocks = checked_blocks(contexts)
    on_sphere = isinstance(space, str) and space == "sphere"
    if on_sphere and normalise:
        blocks = on_unit_sphere(blocks)
    cells, first = merge_duplicates(blocks, duplicates)
    distinct = blocks if first.size == cells.size else tuple(b.take(first) for b in blocks)
    outside = 0.0
    if on_sphere:
        scores, name = sphere_scores(distinct), "sphere"
    else:
        box = space if isinstance(space, Box) else box_named(str(space), blocks)
        scores, name, outside = box_scores(distinct, box), box.name, box.share_outside(blocks)
    del blocks, distinct  # of a million, each is 5 GB in files
    engine.give_back()
    wanted = Wanted(precision, min_samples, max_products, workers)
    taken, ready = chosen(sampler, scores, wanted, rng)
    found = ready.sample(rng)
    settings = {
        "space": name,
        "precision": precision,
        "min_samples": min_samples,
        "max_products": max_products,
        "normalise": on_sphere and normalise,
        "sampler": taken,
        **found.settings,
    }
    if found.per_draw is not None:
        return weights_from_draws(
            found.per_draw, found.n, cells, space=name, precision=precision, settings=settings
        )
    assert found.hits is not None
    return weights_from_hits(
        found.hits, cells, space=name, precision=precision, outside=outside, settings=settings
    )


def weights_from_hits(
    hits: IntArray,
    cells: IntArray,
    *,
    space: str,
    precision: float,
    outside: float,
    settings: Mapping[str, Any],
) -> Weights:
    """hits : int64 (n_cells,), samples in each cell; cells : int64 (m,)."""
    m, u, n = cells.shape[0], hits.shape[0], int(hits.sum())
    size = np.bincount(cells, minlength=u)
    mass = hits / n
    achieved = math.sqrt((u - 1) / n)
    # E[h (h - 1)] = N (N - 1) W^2 for independent draws; mirrored pairs have N (N - 2) W^2.
    pairs = n * (n - (2 if space == "sphere" and u > 1 else 1))
    squares = float(np.sum(hits * (hits - 1.0) / size)) / pairs if pairs > 0 and u > 1 else 1.0 / m
    corrected = float(np.clip(1.0 / squares, 1.0, m)) if squares > 0 else float(m)
    expected = n * size / m
    statistic = float(np.sum((hits - expected) ** 2 / expected))
    cautions = {
        "collapsed": corrected < COLLAPSED_BELOW * m,
        "space-excludes-data": outside > 0,
        "equals-uniform": m > 1 and (u == 1 or statistic <= float(chi2.ppf(_UNIFORM_LEVEL, u - 1))),
        "precision-not-reached": achieved > precision,
    }
    return _weights(
        mass,
        np.sqrt(mass * (1 - mass) / n),
        cells,
        space=space,
        precision=precision,
        achieved=achieved,
        corrected=corrected,
        cautions=cautions,
        settings=settings,
        hits=hits,
        n_samples=n,
        zero_upper_bound=3.0 / n,
        outside_share=outside,
    )


def weights_from_draws(
    per_draw: PerDraw,
    n_samples: int,
    cells: IntArray,
    *,
    space: str,
    precision: float,
    settings: Mapping[str, Any],
) -> Weights:
    """Weights with errors measured over draws; cells : int64 (m,).

    The effective number has the errors taken out of the sum of squares. Weights equal uniform ones
    where sum (W - 1/u)^2 less sum se^2 is within the 95 % quantile of its error, sqrt(2 sum se^4),
    of 0. Zero: an item of mass W has something in one of n draws with a chance of at least
    1 - (1 - W)^n, as nothing counts for more than 1.
    """
    mass, error = per_draw.masses()
    m, u = cells.shape[0], per_draw.u
    size = np.bincount(cells, minlength=u)
    achieved = relative_error(mass, error)
    squares = float(np.sum((mass**2 - error**2) / size))
    corrected = float(np.clip(1.0 / squares, 1.0, m)) if squares > 0 else float(m)
    even = size / m
    excess = float(np.sum((mass - even) ** 2) - np.sum(error**2))
    cautions = {
        "collapsed": corrected < COLLAPSED_BELOW * m,
        "equals-uniform": excess <= _UNIFORM_Z * math.sqrt(2.0 * float(np.sum(error**4))),
        "precision-not-reached": achieved > precision,
    }
    return _weights(
        mass,
        error,
        cells,
        space=space,
        precision=precision,
        achieved=achieved,
        corrected=corrected,
        cautions=cautions,
        settings=settings,
        per_draw=per_draw,
        n_samples=n_samples,
        zero_upper_bound=3.0 / per_draw.n,
    )


def _weights(
    mass: FloatArray,
    error: FloatArray,
    cells: IntArray,
    *,
    space: str,
    precision: float,
    achieved: float,
    corrected: float,
    cautions: Mapping[str, bool],
    settings: Mapping[str, Any],
    n_samples: int,
    zero_upper_bound: float,
    hits: IntArray | None = None,
    per_draw: PerDraw | None = None,
    outside_share: float = 0.0,
) -> Weights:
    """The record of cells of these masses, each shared by its items. mass, error : float64 (u,)."""
    m, u = cells.shape[0], mass.shape[0]
    size = np.bincount(cells, minlength=u)
    weights = (mass / size)[cells]
    return Weights(
        method="voronoi",
        space=space,
        weights=weights,
        standard_error=(error / size)[cells],
        cells=cells,
        hits=hits,
        n_samples=n_samples,
        precision=precision,
        max_relative_error=achieved,
        reached=achieved <= precision,
        effective_number=1.0 / float(np.sum(weights**2)),
        effective_number_corrected=corrected,
        zero_share=float(np.mean(weights == 0)),
        zero_upper_bound=zero_upper_bound,
        n_cells=u,
        n_merged=m - u,
        outside_share=outside_share,
        cautions=tuple(slug for slug, holds in cautions.items() if holds),
        settings=settings,
        per_draw=per_draw,
    )


def weights_from_gram(
    gram: FloatArray,
    *,
    precision: float = DEFAULT_PRECISION,
    min_samples: int = DEFAULT_MIN_SAMPLES,
    max_products: float = DEFAULT_MAX_PRODUCTS,
    workers: int | None = None,
    rng: np.random.Generator,
) -> Weights:
    """Voronoi weights on the sphere of items known by their inner products, e.g. models.

    gram : float64 (k, k), positive semi-definite (``contexts.model_gram``); it is factorised and
    handed to ``voronoi_weights``, whose settings these are.
    """
    points, duplicates = points_from_gram(gram)
    return voronoi_weights(
        points,
        precision=precision,
        min_samples=min_samples,
        max_products=max_products,
        duplicates=duplicates,
        workers=workers,
        rng=rng,
    )
