"""Rates within groups of prompts, against loops, against ``kind_rates``, and by simulation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cr_audit.arrays import Comparisons, NotApplicable
from cr_audit.models.kinds.within import ENOUGH, agreement_within, judged_within, leaders

RNG = np.random.default_rng


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 60))
def test_rates_and_variances_by_loops(seed: int, k: int, n: int) -> None:
    rng = RNG(seed)
    cluster = rng.integers(0, 12, n)
    group = rng.integers(-1, k, 12)[cluster]
    y = rng.choice([0.0, 0.5, 1.0], n)
    r = judged_within(y, group, cluster, k, level=0.9)
    for g in range(k):
        for mask, rate in ((group == g, r.rate[g]), (group != g, r.elsewhere[g])):
            if mask.any():
                assert rate == pytest.approx(y[mask].mean())
            else:
                assert np.isnan(rate)
        at = group == g
        assert r.n[g] == at.sum()
        if not at.any():
            assert (r.n_effective[g], r.q_value[g]) == (0.0, 1.0)
            continue
        p, names = y[at].mean(), np.unique(cluster[at])
        of = [at & (cluster == c) for c in names]
        moved = sum((y[m] - p).sum() ** 2 for m in of)
        if names.size > 1 and 0 < p < 1:
            c = names.size
            deff = moved / at.sum() * c / (c - 1) / (p * (1 - p))
        else:
            deff = sum(int(m.sum()) ** 2 for m in of) / at.sum()
        assert r.n_effective[g] == pytest.approx(at.sum() / max(deff, 1.0))
        assert 0 <= r.low[g] <= p + 1e-12
        assert p - 1e-12 <= r.high[g] <= 1


def test_nothing_differs_where_nothing_does() -> None:
    """Of draws without any difference, in clusters whose rows agree, at most a tenth is told."""
    told = 0
    for seed in range(200):
        rng = RNG(seed)
        cluster = np.repeat(np.arange(200), 4)
        y = (rng.random(200)[cluster] < 0.6).astype(float)  # all four rows of a cluster alike
        r = judged_within(y, cluster // 50, cluster, 4)
        told += bool((r.q_value <= 0.1).any())
    assert told <= 0.16 * 200  # four standard errors above


def test_a_group_that_differs_is_told_and_whole_clusters_count_once() -> None:
    cluster = np.repeat(np.arange(100), 10)
    group = np.where(cluster < 30, 0, -1)
    y = np.where(cluster % 10 < np.where(cluster < 30, 9, 4), 1.0, 0.0)
    r = judged_within(y, group, cluster, 1)
    assert (r.rate[0], r.elsewhere[0]) == (pytest.approx(0.9), pytest.approx(0.4))
    assert r.n_effective[0] == pytest.approx(29.0)  # 30 clusters, their variance by 29
    assert r.q_value[0] < 0.001
    few = judged_within(y[:90], group[:90], cluster[:90], 1)
    assert few.q_value[0] == 1.0  # nine clusters, and nothing else to hold them against


def test_a_cluster_is_of_one_group() -> None:
    with pytest.raises(ValueError, match="two groups"):
        judged_within(np.ones(2), np.array([0, 1]), np.zeros(2, np.int64), 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40))
def test_agreement_by_loops(seed: int, n: int) -> None:
    rng = RNG(seed)
    a = rng.integers(0, 5, n)
    b = (a + rng.integers(1, 5, n)) % 5
    c = Comparisons.of(5, a, b, rng.choice([0.5, 1.0], n))
    of_pair = {frozenset(p): rng.integers(-1, 2) for p in combinations(range(5), 2)}
    group = np.array([of_pair[frozenset((x, y))] for x, y in zip(a, b, strict=True)], np.int64)
    n_pairs, share = agreement_within(c, group, 2)
    for g in range(2):
        held = []
        for pair, its in of_pair.items():
            said = [
                "tie" if o == 0.5 else w
                for w, l, o in zip(a, b, c.outcome, strict=True)
                if its == g and {w, l} == pair
            ]
            two = list(combinations(said, 2))
            if two:
                held.append(np.mean([x == y for x, y in two]))
        assert n_pairs[g] == len(held)
        assert share[g] == pytest.approx(np.mean(held)) if held else np.isnan(share[g])


def test_who_leads_in_each_group() -> None:
    """Models 0 to 2; the first wins in group 0, the third in group 1; group 2 is too small."""
    rng = RNG(0)
    n, of_group = 300, np.repeat([0, 1, 2], [180, 110, 10])
    prompt = np.arange(n)
    labels = np.tile([0, 1, 2], n)  # each prompt has an answer of each model
    order = {0: [0, 1, 2], 1: [2, 1, 0], 2: [0, 1, 2]}
    winner, loser = [], []
    for i in range(n):
        first, second = sorted(rng.choice(3, 2, replace=False), key=order[of_group[i]].index)
        if rng.random() < 0.2:
            first, second = second, first
        winner.append(3 * i + first)
        loser.append(3 * i + second)
    c = Comparisons.of(3 * n, winner, loser, prompt=prompt)
    found = leaders(c, labels, 3, of_group, prompt, 3)
    assert isinstance(found[2], NotApplicable)
    assert str(ENOUGH) in found[2].reason
    for g, who in ((0, 0), (1, 2)):
        best = found[g]
        assert not isinstance(best, NotApplicable)
        at = of_group == g
        won = sum(labels[w] == who for w, t in zip(winner, at, strict=True) if t)
        lost = sum(labels[x] == who for x, t in zip(loser, at, strict=True) if t)
        assert (best.item, best.n, best.n_compared) == (who, won + lost, 3)
        assert best.rate == pytest.approx(won / (won + lost))
        assert best.low < best.rate < best.high
