"""Ranks, ranges of ranks, groups and chances of leading."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.models.places import competition_ranks, leaders, leading, places


def test_ranks_by_hand() -> None:
    scores = np.array([1.0, 3.0, 3.0, np.nan, 5.0, 2.0])
    component = np.array([0, 0, 0, 0, 1, 0])
    assert competition_ranks(scores, component).tolist() == [4, 1, 1, 0, 1, 3]
    rows = competition_ranks(np.stack([scores, -scores]), component)
    assert rows[1].tolist() == [1, 3, 3, 0, 1, 2]
    assert leaders(rows[0], component).tolist() == [1, 2]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(0, 3))
def test_ranks_count_who_is_better(values: list[int], split: int) -> None:
    scores = np.array(values, dtype=float)
    component = np.arange(scores.size) % (split + 1)
    expected = [
        1 + sum(v > s for v, d in zip(scores, component, strict=True) if d == c)
        for s, c in zip(scores, component, strict=True)
    ]
    assert competition_ranks(scores, component).tolist() == expected


def test_ranges_and_groups_by_hand() -> None:
    scores = np.array([3.0, 2.9, 1.0, 0.9, -1.0])
    out = places(scores, 0.01 * np.eye(5), None, np.zeros(5, np.int64), level=0.95)
    # Differences of 0.14 error each: 2.81 of them (Bonferroni over ten pairs) are 0.40.
    assert out.critical == pytest.approx(2.807, abs=1e-3)
    assert out.rank.tolist() == [1, 2, 3, 4, 5]
    assert out.low.tolist() == [1, 1, 3, 3, 5]
    assert out.high.tolist() == [2, 2, 4, 4, 5]
    assert out.groups.tolist() == [[0, 1], [2, 3], [4, 4]]


def test_a_chain_gives_overlapping_groups() -> None:
    scores = np.array([0.6, 0.3, 0.0])
    out = places(scores, 0.01 * np.eye(3), None, np.zeros(3, np.int64), level=0.95)
    assert out.groups.tolist() == [[0, 1], [1, 2]]
    assert out.low.tolist() == [1, 1, 2]


def test_few_clusters_tell_less_apart() -> None:
    scores = np.array([0.6, 0.0])
    many = places(scores, 0.01 * np.eye(2), None, np.zeros(2, np.int64), n_units=1000.0)
    few = places(scores, 0.01 * np.eye(2), None, np.zeros(2, np.int64), n_units=3.0)
    assert many.groups.tolist() == [[0, 0], [1, 1]]
    assert few.groups.tolist() == [[0, 1]]


def test_components_are_not_ranked_together() -> None:
    scores = np.array([3.0, 2.0, 9.0, -9.0, np.nan])
    component = np.array([0, 0, 1, 1, -1])
    out = places(scores, 1e-4 * np.eye(5), None, component)
    assert out.rank.tolist() == [1, 2, 1, 2, 0]
    assert out.high.tolist() == [1, 2, 1, 2, 0]
    assert out.order.tolist() == [0, 1, 2, 3]
    assert out.groups.tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]


def test_the_stated_error_rate_holds() -> None:
    """300 tables of eight equal items: told apart in at most 5 % plus two standard errors."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(300):
        votes = rng.normal(size=(60, 8))
        cov = np.cov(votes.T) / 60
        draws = votes[rng.integers(60, size=(200, 60))].mean(axis=1)
        out = places(votes.mean(axis=0), cov, draws, np.zeros(8, np.int64), n_units=60.0)
        assert out.simultaneous == "bootstrap"
        wrong += bool((out.low > 1).any())
    assert wrong / 300 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_ties_at_the_top_share_the_lead() -> None:
    out = leading(np.array([1.0, 1.0, -2.0]), 0.01 * np.eye(3), np.zeros(3, np.int64),
                  rng=np.random.default_rng(0))  # fmt: skip
    assert out.probability == pytest.approx([0.5, 0.5, 0.0], abs=0.02)
    equal = leading(np.zeros(4), 0.01 * np.eye(4), np.zeros(4, np.int64),
                    rng=np.random.default_rng(0))  # fmt: skip
    assert equal.probability == pytest.approx([0.25] * 4)
    assert equal.spread == 0.0


def test_two_items_lead_with_the_normal_probability() -> None:
    """Wide spread: P(first leads) = Φ(gap/error), here with gap 0.2 and error √0.02."""
    scores = np.array([0.2, 0.0, -50.0, 50.0 - 100.0])
    out = leading(scores, 0.01 * np.eye(4), np.zeros(4, np.int64), n_draws=200_000,
                  rng=np.random.default_rng(0))  # fmt: skip
    assert out.probability[0] == pytest.approx(0.9214, abs=0.005)


def test_few_clusters_make_the_chance_students() -> None:
    """As above with three degrees of freedom: P(T_3 <= √2) = 0.8739."""
    scores = np.array([0.2, 0.0, -5000.0, -5000.0])
    out = leading(scores, 0.01 * np.eye(4), np.zeros(4, np.int64), n_draws=200_000, freedom=3.0,
                  rng=np.random.default_rng(0))  # fmt: skip
    assert out.probability[0] == pytest.approx(0.8739, abs=0.005)


def test_a_stretch_of_all_scores_moves_no_leader() -> None:
    """Judges who differ in how well they judge stretch the scores; what they share along them is
    not noise that shrinks the first more than the second."""
    scores = np.array([3.0, 2.8, 0.0, -1.0, -2.0, -2.8])
    error = np.diag([0.002] * 6)
    unit = scores / np.sqrt(scores @ scores)
    shared = 2.0 * np.outer(unit, unit)
    component = np.zeros(6, np.int64)
    alone = leading(scores, error, component, rng=np.random.default_rng(0))
    told = leading(scores, error + shared, component, shared=shared,
                   rng=np.random.default_rng(0))  # fmt: skip
    assert alone.probability[0] > 0.99
    # A stretch below 0 turns the order round: P(z < -√(Σ scores²/2)) is 3e-4.
    assert told.probability[0] > 0.99


def test_the_chance_of_leading_is_reliable() -> None:
    """Among leaders called with a chance of q, a share of about q lead in truth."""
    rng = np.random.default_rng(2)
    stated, true, naive = [], [], []
    for _ in range(1000):
        theta = rng.normal(scale=0.3, size=10)
        error = rng.uniform(0.1, 0.4, size=10)
        seen = theta + error * rng.normal(size=10)
        out = leading(seen, np.diag(error**2), np.zeros(10, np.int64), n_draws=500, rng=rng)
        best = int(np.argmax(out.probability))
        stated.append(out.probability[best])
        true.append(theta[best] == theta.max())
        naive.append((out.share.max(), theta[np.argmax(out.share)] == theta.max()))
    p, hit = np.array(stated), np.array(true)
    assert abs(p.mean() - hit.mean()) < 0.04
    for low, high in ((0.2, 0.45), (0.45, 0.7), (0.7, 1.01)):
        mine = (p >= low) & (p < high)
        assert abs(p[mine].mean() - hit[mine].mean()) < 0.08
