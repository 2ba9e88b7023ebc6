"""Everything that is worked on in blocks gives the same bytes under every kind and number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cr_audit import engine
from cr_audit.arrays import Comparisons
from cr_audit.models.rewards import bootstrap, linear, linear_bootstrap, mlp, tabular
from cr_audit.weights import growing, sampling, voronoi
from cr_audit.weights.distinct import distinct_items
from cr_audit.weights.schemes.sharing import sharing_weights

M, D = 40, 6
RNG = np.random.default_rng(11)
X = RNG.standard_normal((M, D)).astype(np.float32)
FIRST = RNG.integers(M, size=500)
ROWS = Comparisons.of(M, FIRST, (FIRST + RNG.integers(1, M, size=500)) % M)
W = RNG.dirichlet(np.ones(M))


def _tabular() -> Any:
    fit = tabular.fit_tabular(ROWS.proportions(), W, penalty=0.1)
    draw = bootstrap.multinomial_weights(W, 4000)
    return bootstrap.bootstrap_tabular(
        ROWS, [fit, fit], n_replicates=50, draw_weights=[None, draw], rng=np.random.default_rng(1)
    ).rewards


def _linear() -> Any:
    fit = linear.fit_linear(ROWS.proportions(), X, W, penalty=0.1)
    drawn = linear_bootstrap.bootstrap_linear(
        ROWS,
        X,
        [fit],
        n_replicates=30,
        draw_weights=[bootstrap.multinomial_weights(W, 4000)],
        rng=np.random.default_rng(1),
    )
    return np.concatenate([fit.rewards, drawn.theta.ravel(), drawn.centre.ravel()])


def _mlp() -> Any:
    return mlp.fit_mlp(
        ROWS.proportions(), X, W, penalty=0.1, n_runs=3, n_steps=5, rng=np.random.default_rng(1)
    ).by_run


def _voronoi() -> Any:
    return voronoi.voronoi_weights(X, min_samples=30_000, rng=np.random.default_rng(1)).hits


def _growing() -> Any:
    return growing.growing_weights(
        X,
        np.arange(25),
        precision=0.1,
        keep=lambda name, inputs, compute: compute(),
        rng=np.random.default_rng(1),
    ).hits


def _sharing() -> Any:
    rows = np.random.default_rng(2).standard_normal((600, 5))
    return sharing_weights(rows, rng=np.random.default_rng(1)).weights


@pytest.mark.parametrize("compute", [_tabular, _linear, _mlp, _voronoi, _growing, _sharing])
def test_same_bytes(compute: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # Small blocks, so that there are several; the cut is by the data and the same for all.
    monkeypatch.setattr(bootstrap, "BLOCK", 4000)
    monkeypatch.setattr(linear, "BLOCK_ROWS", 7)
    monkeypatch.setattr(linear_bootstrap, "BLOCK_ROWS", 64)
    monkeypatch.setattr("cr_audit.models.rewards.networks.MAX_GROUP", 1)
    monkeypatch.setattr(sampling, "block_rows", lambda scores: 2048)
    monkeypatch.setattr(growing, "block_rows", lambda scores: 2048)
    with engine.using(kind="serial", workers=1):
        wanted = compute().tobytes()
    for kind, workers in (("threads", 1), ("threads", 2), ("threads", 3), ("processes", 2)):
        with engine.using(kind=kind, workers=workers):
            assert compute().tobytes() == wanted, (kind, workers)


def test_distances_do_not_depend_on_where_they_are_computed() -> None:
    items = distinct_items(X)
    rows = items.distances(np.arange(M))
    np.testing.assert_array_equal(rows[3:9], items.distances(np.arange(3, 9)))
