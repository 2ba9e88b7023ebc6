"""Sharing weights, the search for their width, and the table of schemes."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from cr_audit.weights import distinct
from cr_audit.weights.compare import compare_weights
from cr_audit.weights.contexts import paired_contexts
from cr_audit.weights.distinct import distinct_items
from cr_audit.weights.schemes.sharing import sharing_weights, sharing_weights_by_prompt, worth
from cr_audit.weights.schemes.sharing_width import find_width


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def blobs(
    sizes: tuple[int, ...], spread: float, seed: int = 0, d: int = 24
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around orthogonal middles; distance within a blob about 1.4 * spread."""
    label = np.repeat(np.arange(len(sizes)), sizes)
    noise = rng(seed).standard_normal((label.size, d)) * spread / np.sqrt(d)
    x = np.eye(d)[label] + noise
    return x / np.linalg.norm(x, axis=1, keepdims=True), label


def test_against_a_double_loop() -> None:
    x = rng().standard_normal((30, 4))
    x[7] = x[3]
    once = np.delete(x, 7, axis=0)
    expected = np.array(
        [1 / sum(max(0.0, 1 - float(np.linalg.norm(a - b)) / 1.7) for b in once) for a in x]
    )
    expected[[3, 7]] /= 2
    w = sharing_weights(x, width=1.7)
    assert w.weights == pytest.approx(expected / expected.sum(), rel=1e-5)
    assert w.weights[3] == w.weights[7]
    assert w.n_merged == 1
    assert np.array_equal(w.resample(2, rng()), [w.weights, w.weights])


def test_limits_are_uniform() -> None:
    x = rng().standard_normal((20, 4))
    for width in (1e-6, 1e9):
        assert sharing_weights(x, width=width).weights == pytest.approx(1 / 20, rel=1e-5)
        assert "equals-uniform" in sharing_weights(x, width=1e-6).cautions


def test_pairs_are_the_joined_vectors_and_workers_do_not_matter() -> None:
    a, _ = blobs((300, 200), 0.5)
    c = paired_contexts(np.eye(7), a, rng(1).integers(0, 7, 500))
    w = sharing_weights(c, width=0.8, workers=1)
    assert w.weights == pytest.approx(sharing_weights(c.matrix(), width=0.8).weights, rel=1e-4)
    assert np.array_equal(w.weights, sharing_weights(c, width=0.8, workers=3).weights)


def test_distances_in_parts_are_those_of_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    a, _ = blobs((120, 80), 0.5)
    together = rng(1).permutation(np.repeat(np.arange(100), 2))
    rows = np.array([3, 199, 64, 63, 128])
    for of in (np.sort(together), together, None):
        contexts = a if of is None else paired_contexts(blobs((100,), 0.9)[0], a, of)
        items = distinct_items(np.asarray(a, np.float32) if of is None else contexts)
        whole = items.distances(rows)
        with monkeypatch.context() as patched:
            patched.setattr(distinct, "_WHOLE", 100)
            patched.setattr(distinct, "_PART", 64)
            assert [p.stop for p in items.parts()] == [64, 128, 192, 200]
            assert items.distances(rows) == pytest.approx(whole, abs=1e-3)
            assert not items.distances(rows)[np.arange(rows.size), rows].any()


def test_a_width_found_in_parts_is_the_one_of_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.asarray(blobs((150, 100, 50), 0.5)[0], np.float32)
    c = paired_contexts(blobs((60,), 0.5)[0], x, np.repeat(np.arange(60), 5))
    whole = find_width([distinct_items(c)], workers=1, rng=rng())
    monkeypatch.setattr(distinct, "_WHOLE", 100)
    monkeypatch.setattr(distinct, "_PART", 64)
    one, two = (find_width([distinct_items(c)], workers=k, rng=rng()) for k in (1, 2))
    assert one.width == two.width == pytest.approx(whole.width, rel=1e-5)
    assert np.array_equal(one.shifts, two.shifts)
    assert one.shifts == pytest.approx(whole.shifts, rel=1e-3)


@pytest.mark.parametrize("spread", [0.2, 0.5, 0.9])
def test_the_width_follows_the_data(spread: float) -> None:
    """Ten blobs of unequal sizes: with the width found the masses are nearer to equal."""
    x, label = blobs((120, 20, 30, 40, 20, 60, 30, 20, 40, 50), spread)
    search = find_width([distinct_items(x)], rng=rng())
    within = np.median(np.linalg.norm(x[label == 0][:, None] - x[label == 0], axis=2))
    assert within < search.width < 1.5
    assert search.shifts.min() < 0.8 < search.shifts[0]
    mass = sharing_weights(x, width=search.width).masses(label, 10)
    assert np.abs(mass - 0.1).sum() < 0.5 * np.abs(np.bincount(label) / label.size - 0.1).sum()


def test_a_width_is_used_where_it_is_worth_it() -> None:
    clear, _ = blobs((120, 20, 30, 40, 20, 60, 30, 20, 40, 50), 0.5)
    w = sharing_weights(clear, rng=rng())
    assert (
        w.settings["width"]
        == w.settings["width_searched"]
        == find_width([distinct_items(clear)], rng=rng()).width
    )
    assert w.settings["expected_shift"] < 0.8
    assert np.array_equal(
        w.weights, sharing_weights(clear, width=float(w.settings["width"])).weights
    )
    assert w.settings["strength"] == 1.0
    shapeless = rng(1).standard_normal((400, 24))
    none = sharing_weights(shapeless, clusters=np.r_[0, 0, np.arange(398)], rng=rng())
    assert none.settings["width"] == 0.0 < none.settings["width_searched"]
    assert none.weights == pytest.approx(np.r_[np.full(3, 1 / 3), np.ones(397)] / 398)


@pytest.mark.parametrize(
    ("shift", "share", "strength"),
    [
        (0.75, 0.0, 0.0),
        (0.7, 0.0, 1 / 3),
        (0.6, 0.0, 1.0),
        (0.2, 0.5, 1.0),
        (0.85, 0.5, 1 / 3),
        (0.9, 0.5, 0.0),
        (1.1, 0.2, 0.0),
        (1.0, 1.0, 0.0),
        (0.9, 1.0, 1.0),
    ],
)
def test_what_neighbours_are_worth(shift: float, share: float, strength: float) -> None:
    """From 0 where 0.25 of what is lost is gained to 1 where 0.4 is, without a step."""
    assert worth(shift, share) == pytest.approx(strength)


def test_strength_scales_how_much_neighbours_count() -> None:
    x = rng().standard_normal((30, 4))
    near = np.maximum(1 - np.linalg.norm(x[:, None] - x, axis=2) / 1.7, 0).sum(axis=1) - 1
    w = sharing_weights(x, width=1.7, strength=0.3)
    assert w.weights == pytest.approx((1 / (1 + 0.3 * near)) / (1 / (1 + 0.3 * near)).sum())
    assert w.settings["strength"] == 0.3
    assert sharing_weights(x, width=1.7, strength=0.0).weights == pytest.approx(1 / 30)


def test_copies_that_are_found_change_neither_width_nor_strength() -> None:
    x, _ = blobs((12, 9, 14), 0.5)
    before = sharing_weights(x, clusters=np.arange(35), rng=rng(5))
    copies = x[[4] * 10] + rng().standard_normal((10, x.shape[1])) * 0.05
    clusters = np.r_[np.arange(35), np.full(10, 4)]
    after = sharing_weights(np.vstack([x, copies]), clusters=clusters, rng=rng(5))
    assert after.settings == before.settings
    assert np.delete(after.weights[:35], 4) == pytest.approx(np.delete(before.weights, 4))


def test_the_search_is_steady_on_few_items() -> None:
    """Forty items, on the edge of what is worth using: the seed decides little."""
    x = rng(1).standard_normal((40, 24))
    strengths = [sharing_weights(x, rng=rng(s)).settings["strength"] for s in range(10)]
    assert 0 < min(strengths) < max(strengths) < min(strengths) + 0.35


def test_a_clone_moves_nobody_else() -> None:
    x, _ = blobs((30, 20), 0.6)
    before = sharing_weights(x, width=0.9, clusters=np.arange(50))
    copies = x[[4, 4, 4]] + rng().standard_normal((3, x.shape[1])) * 0.05
    after = sharing_weights(
        np.vstack([x, copies]), width=0.9, clusters=np.r_[np.arange(50), 4, 4, 4]
    )
    group = np.array([4, 50, 51, 52])
    assert after.weights[group] == pytest.approx(before.weights[4] / 4)
    rest = np.delete(np.arange(50), 4)
    assert np.array_equal(after.weights[rest], before.weights[rest])
    assert after.n_merged == 3


def test_within_prompts_one_width_serves_all() -> None:
    x, _ = blobs((40, 40, 40), 0.5)
    prompt = np.tile(np.arange(4), 30)
    clusters = np.arange(120)
    clusters[4] = 0  # two responses to prompt 0
    w = sharing_weights_by_prompt(
        x.astype(np.float32), prompt, duplicates=None, clusters=clusters, rng=rng()
    )
    width = float(w.settings["width"])
    assert width > 0
    assert w.settings["scope"] == "prompt"
    share = np.array([29, 30, 30, 30]) / 119  # by different responses
    assert np.bincount(prompt, weights=w.weights) == pytest.approx(share)
    assert w.weights[0] == w.weights[4]
    for p in range(4):
        items = np.flatnonzero(prompt == p)
        alone = sharing_weights(x[items].astype(np.float32), width=width, clusters=clusters[items])
        assert w.weights[items] == pytest.approx(alone.weights * share[p])


def test_prompts_without_a_neighbourhood_share_among_clones_alone() -> None:
    """Some items are near the middle of all and the others far out: there are no groups to keep."""
    near = np.where(rng(1).random(300) < 0.3, 0.2, 1.0)[:, None]
    x = (rng().standard_normal((300, 24)) * near).astype(np.float32)
    prompt, clusters = np.arange(300) // 30, np.arange(300)
    clusters[1] = 0
    w = sharing_weights_by_prompt(x, prompt, duplicates=None, clusters=clusters, rng=rng())
    assert w.settings["width"] == 0.0 < w.settings["width_searched"]
    assert w.weights[:3] == pytest.approx(np.array([0.5, 0.5, 1.0]) / 299)
    assert w.weights[30:] == pytest.approx(1 / 299)


def test_few_items_show_no_neighbourhood() -> None:
    w = sharing_weights(np.eye(9, 12), clusters=np.r_[0, 0, np.arange(7)], rng=rng())
    assert w.settings == {"width": 0.0, "strength": 0.0, "width_found": True}
    assert w.weights == pytest.approx(np.r_[np.full(3, 1 / 3), np.ones(6)] / 7)


def test_the_search_is_the_same_with_any_number_of_workers() -> None:
    x, _ = blobs((300, 100, 200), 0.6)
    a, b = (
        find_width([distinct_items(x)], workers=1, rng=rng(3)),
        find_width([distinct_items(x)], workers=2, rng=rng(3)),
    )
    assert a.width == b.width
    assert np.array_equal(a.shifts, b.shifts)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_the_search_survives_tiny_and_equal_data(m: int) -> None:
    assert sharing_weights(np.ones((m, 2)), rng=rng()).weights == pytest.approx(1 / m)
    assert sharing_weights(np.eye(m, 3), rng=rng()).weights == pytest.approx(1 / m)


def test_the_search_is_the_same_with_any_number_of_blas_threads() -> None:
    x = np.asarray(blobs((4_000, 4_000, 4_000), 0.9, d=128)[0], np.float32)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(find_width([distinct_items(x)], workers=1, rng=rng()))
    assert np.array_equal(found[0].shifts, found[1].shifts)


def test_width_is_checked() -> None:
    with pytest.raises(ValueError, match="only with rng"):
        sharing_weights(np.eye(3))
    with pytest.raises(ValueError, match="must not be negative"):
        sharing_weights(np.eye(3), width=-0.1)
    assert sharing_weights(np.eye(3), width=0.0).weights == pytest.approx(1 / 3)


def test_table_of_schemes() -> None:
    x, label = blobs((60, 30, 30), 0.4)
    table = compare_weights(x, label, max_products=2e8, rng=rng())
    assert [(r.scheme, r.space) for r in table.rows] == [
        ("uniform", None),
        ("voronoi", "sphere"),
        ("voronoi", "unit-cube"),
        ("voronoi", "factor-2"),
        ("voronoi", "data-box"),
        ("cluster", None),
        ("sharing", None),
        ("kinds", None),
    ]
    row = {(r.scheme, r.space): r for r in table.rows}
    uniform, sphere = row["uniform", None], row["voronoi", "sphere"]
    assert uniform.near_clone == pytest.approx(2 * (120 / 180 - 0.5))
    assert uniform.topic_clone == pytest.approx(2 * (0.5 - 30 / 90))
    assert uniform.exact_clone == pytest.approx(2 * (2 / 121 - 1 / 120))
    assert sphere.near_clone < 0.3 * uniform.near_clone
    assert sphere.exact_clone == 0.0
    assert sphere.noise < 0.05
    assert row["sharing", None].near_clone < 0.3 * uniform.near_clone
    assert row["cluster", None].near_clone == pytest.approx(0.0)
    assert table.n_groups == 3
    assert compare_weights(x, label, max_products=2e8, rng=rng()) == table


def test_what_says_nothing_weighs_no_more_than_the_average_by_hand() -> None:
    """Two clones with 1/2 each, one answer with 1, and an empty one, alone, which gets the mean of
    these, 2/3: of 8/3 in all that is 1/4."""
    labels, empty = np.array([0, 0, 1, 2]), np.array([False, False, False, True])
    plain = sharing_weights(np.eye(4), width=0.0, clusters=labels)
    capped = sharing_weights(np.eye(4), width=0.0, clusters=labels, empty=empty)
    np.testing.assert_allclose(plain.weights, [1 / 6, 1 / 6, 1 / 3, 1 / 3])
    np.testing.assert_allclose(capped.weights, [3 / 16, 3 / 16, 3 / 8, 1 / 4])
    light = np.array([True, False, False, False])
    kept = sharing_weights(np.eye(4), width=0.0, clusters=labels, empty=light)
    np.testing.assert_allclose(kept.weights, plain.weights)  # it is below the average as it is
    everybody = sharing_weights(np.eye(4), width=0.0, empty=np.ones(4, np.bool_))
    np.testing.assert_allclose(everybody.weights, 0.25)


def test_copies_under_one_prompt_raise_nobody_else() -> None:
    """Weighed prompt by prompt: what a cluster's copies give up falls to no other answer."""
    vectors = rng(4).standard_normal((18, 9)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    prompt = np.repeat([0, 1, 2], 6)
    alone = np.full(18, -1, np.int64)
    n = 40
    more = np.vstack([vectors, np.repeat(vectors[3:4], n, axis=0)])
    labels = np.concatenate([alone, np.full(n, 3)])
    labels[3] = 3

    def weights(v: np.ndarray, of: np.ndarray, clusters: np.ndarray, width: float) -> np.ndarray:
        found = sharing_weights_by_prompt(
            v, of, width=width, duplicates=None, clusters=clusters, rng=rng()
        )
        assert found.weights.sum() == pytest.approx(1.0)
        drawn = found.resample(2, rng())
        np.testing.assert_allclose(drawn, np.tile(found.weights, (2, 1)), rtol=1e-12)
        return found.weights

    for width in (0.0, 1.2):
        before = weights(vectors, prompt, alone, width)
        after = weights(more, np.concatenate([prompt, np.zeros(n, np.int64)]), labels, width)
        others = np.delete(np.arange(18), 3)
        np.testing.assert_allclose(after[others], before[others], rtol=1e-5)
        assert after[3] + after[18:].sum() == pytest.approx(before[3], rel=1e-5)
