"""Voronoi cells by conditional probabilities, against hits, integrals and their own errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import cr_audit.weights.conditioned as module
from cr_audit.arrays import FloatArray
from cr_audit.weights.conditioned import Conditioned, Design
from cr_audit.weights.per_draw import PerDraw, relative_error
from cr_audit.weights.samplers import SAMPLERS
from cr_audit.weights.sampling import count_hits, plan
from cr_audit.weights.spaces import Block, Scores, box_named, box_scores, sphere_scores
from cr_audit.weights.voronoi import voronoi_weights


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def clustered(n: int, d: int, seed: int) -> FloatArray:
    """Unit vectors in groups, some of them 1e-3 apart, some deep inside."""
    r = rng(seed)
    centres = r.standard_normal((8, d))
    x = centres[r.integers(0, 8, n)] + r.uniform(0.1, 0.8, (n, 1)) * r.standard_normal((n, d))
    x[: n // 10] = x[n // 10 : 2 * (n // 10)] + 1e-3 * r.standard_normal((n // 10, d))
    out: FloatArray = x / np.linalg.norm(x, axis=1, keepdims=True)
    return out


def scores_of(x: FloatArray) -> Scores:
    return sphere_scores((Block(x.astype(np.float32)),))


def hits(x: FloatArray, n: int, seed: int) -> FloatArray:
    s = scores_of(x)
    found = count_hits(s, plan(s, n, 1e15), workers=1, rng=rng(seed))
    return found / found.sum()


def estimate(x: FloatArray, n: int, seed: int) -> PerDraw:
    cells = Conditioned.of(scores_of(x), 1)
    return cells.estimate(Design(n, x.shape[0]), rng(seed))[0]


def test_a_draw_is_worth_the_share_of_its_line_that_the_item_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With every draw taken (t = 0) an entry is the integral along the item's own direction."""
    monkeypatch.setattr(module, "_T", 1e-9)
    x = rng(3).standard_normal((12, 4))
    x[5] *= 0.2  # others overtake it: its part of a line ends on both sides
    cells = Conditioned.of(Scores((Block(x.astype(np.float32)),), None, gaussian=True), 1)
    draws = cells.estimate(Design(3, 12), rng(1))[0]
    stream = rng(1).spawn(2)[0].spawn(1)[0]
    g = stream.standard_normal((3, 4), dtype=np.float32).astype(float)
    z = norm.ppf((np.arange(50_000) + 0.5) / 50_000)
    said = np.zeros((12, 3))
    said[draws.cell(), draws.draw] = draws.value
    for i in range(12):
        a = x[i] / np.linalg.norm(x[i])
        for k in range(3):
            shares = []
            for sign in (1, -1):
                rest = sign * g[k] - (sign * g[k] @ a) * a
                nearest = (rest @ x.T)[None, :] + z[:, None] * (a @ x.T)[None, :]
                shares.append(np.mean(nearest.argmax(axis=1) == i))
            assert said[i, k] == pytest.approx(np.mean(shares), abs=5e-5)


@pytest.mark.parametrize(("n", "d"), [(200, 24), (40, 3)])
def test_the_masses_are_those_of_long_plain_runs(n: int, d: int) -> None:
    x = clustered(n, d, 1)
    truth, samples = hits(x, 1_000_000, 5), 1_000_000
    mass, error = estimate(x, 2048, 2).masses()
    assert mass.sum() == pytest.approx(1.0, abs=1e-12)
    known = truth > 0.1 / n
    z = (mass - truth)[known] / np.sqrt(error**2 + truth / samples)[known]
    assert np.abs(z).max() < 4.5
    assert 0.75 < np.sqrt(np.mean(z**2)) < 1.3
    # Worth many plain draws: 4,096 hits have a relative error of sqrt(n / 4096).
    assert relative_error(mass, error) < 0.5 * np.sqrt(n / 4096)


def test_standard_errors_cover() -> None:
    x = clustered(60, 6, 4)
    truth = hits(x, 2_000_000, 9)
    inside = []
    for seed in range(50):
        mass, error = estimate(x, 256, 100 + seed).masses()
        inside.append(np.abs(mass - truth) <= 1.96 * np.hypot(error, np.sqrt(truth / 2e6)))
    share = np.mean(inside, axis=0)[truth > 0.3 / 60]
    assert 0.92 <= share.mean() <= 0.98
    assert share.min() >= 0.8


def test_a_bad_guess_changes_the_error_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    x = clustered(40, 5, 6)
    truth = hits(x, 1_000_000, 5)
    good = relative_error(*estimate(x, 1024, 3).masses())
    monkeypatch.setattr(module, "_FIRST", 1)
    monkeypatch.setattr(module, "_SECOND", 2)
    monkeypatch.setattr(module, "_T", 60.0)
    mass, error = estimate(x, 1024, 3).masses()
    assert relative_error(mass, error) > good
    known = truth > 0.2 / 40
    assert (np.abs(mass - truth)[known] < 4.5 * error[known]).all()


def test_who_does_not_compete_biases_the_others_by_no_more_than_it_has() -> None:
    x = clustered(200, 12, 8)
    truth = hits(x, 1_000_000, 5)
    cells = Conditioned.of(scores_of(x), 1)
    draws, left_out = cells.estimate(Design(4096, 120), rng(2))
    mass, error = draws.masses()
    short = cells.order[120:]
    assert left_out == pytest.approx(truth[short].sum(), abs=4 * np.sqrt(left_out / 8192))
    assert 0.0 < left_out < 0.3
    beyond = np.maximum(np.abs(mass - truth) - 3.0 * error, 0.0)
    assert beyond.sum() <= 2.0 * left_out


def test_same_bytes_on_one_and_two_workers() -> None:
    x = clustered(300, 10, 2)

    def weights(workers: int) -> bytes:
        w = voronoi_weights(x, sampler="conditioned", precision=0.3, workers=workers, rng=rng(5))
        return w.weights.tobytes() + w.standard_error.tobytes()

    assert weights(1) == weights(2)


def test_the_sampler_follows_from_precision_and_budget() -> None:
    x = clustered(300, 200, 2)

    def taken(space: str = "sphere", **changed: float) -> str:
        given = {"max_products": 2e9} | changed
        w = voronoi_weights(x, space=space, min_samples=100, rng=rng(1), **given)  # type: ignore[arg-type]
        assert w.weights.sum() == pytest.approx(1.0, abs=1e-9)
        assert (w.hits is None) == (w.settings["sampler"] == "conditioned")
        assert w.reached == ("precision-not-reached" not in w.cautions)
        return str(w.settings["sampler"])

    # 30,000 plain samples of 300 items with 200 coordinates are 9e8 products, 120,000 3.6e9.
    assert taken(precision=0.1) == "plain"
    assert taken(precision=0.05) == "conditioned"
    assert taken(precision=0.02) == "conditioned"  # not reached, but nearer
    assert taken(precision=0.05, max_products=1e6) == "plain"  # nothing reaches it
    assert taken(space="data-box", precision=0.05) == "plain"
    assert SAMPLERS.names == ("plain", "conditioned")


def test_plain_hits_are_those_that_plain_asks_for() -> None:
    x = clustered(100, 10, 2)
    a = voronoi_weights(x, min_samples=20_000, rng=rng(1))
    b = voronoi_weights(x, min_samples=20_000, sampler="plain", rng=rng(1))
    assert a.weights.tobytes() == b.weights.tobytes()
    assert a.settings["sampler"] == "plain"


def test_precision_is_reached_and_equal_items_share() -> None:
    x = clustered(400, 16, 7)
    x[1] = x[0]
    w = voronoi_weights(x, sampler="conditioned", precision=0.08, rng=rng(3))
    assert w.reached
    assert w.max_relative_error <= 0.08
    assert w.n_merged == 1
    assert w.weights[0] == w.weights[1]
    assert w.settings["n_competitors"] == 399
    assert w.settings["left_out"] == 0.0
    order = rng(1).permutation(400)
    other = voronoi_weights(x[order], sampler="conditioned", precision=0.08, rng=rng(4))
    z = (other.weights - w.weights[order])[w.weights[order] > 0.0005]
    z /= np.hypot(other.standard_error, w.standard_error[order])[w.weights[order] > 0.0005]
    assert 0.8 < np.sqrt(np.mean(z**2)) < 1.25


def test_resampled_weights_carry_the_error() -> None:
    x = clustered(150, 8, 7)
    w = voronoi_weights(x, sampler="conditioned", precision=0.15, rng=rng(3))
    drawn = w.resample(400, rng(4))
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0)
    large = w.weights > 0.5 / 150
    ratio = drawn.std(axis=0)[large] / w.standard_error[large]
    assert ratio.mean() == pytest.approx(1.0, abs=0.05)
    assert (np.abs(drawn.mean(axis=0) - w.weights)[large] < 0.3 * w.standard_error[large]).all()


def test_an_item_at_the_centre_has_nothing_and_boxes_are_refused() -> None:
    x = rng(1).standard_normal((50, 6))
    x[7] = 0.0
    centred = x - x.mean(axis=0)
    centred[7] = 0.0
    s = Scores((Block(centred.astype(np.float32)),), None, gaussian=True)
    mass, _ = Conditioned.of(s, 1).estimate(Design(512, 50), rng(1))[0].masses()
    assert mass[7] == 0.0
    with pytest.raises(ValueError, match="sphere only"):
        Conditioned.of(box_scores((Block(x),), box_named("data-box", (Block(x),))), 1)


def test_entries_of_one_cell_and_draw_are_added() -> None:
    p = PerDraw.of(np.array([2, 0, 2]), np.array([1, 0, 1]), np.array([0.5, 1.0, 0.25]), u=3, n=2)
    assert p.start.tolist() == [0, 1, 1, 2]
    assert p.value.tolist() == [1.0, 0.75]
    mass, error = p.masses()
    np.testing.assert_allclose(mass, [1 / 1.75, 0.0, 0.75 / 1.75])
    assert error[1] == 0.0
