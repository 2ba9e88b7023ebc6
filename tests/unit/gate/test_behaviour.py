"""New answers that win and lose alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.gate.behaviour import Behaviour, _chernoff, _kappa, behaviour

N = 60


def world(
    rng: np.random.Generator, copies: int = 0, target: int = 7, fresh: int = 0
) -> tuple[IntArray, IntArray, FloatArray, BoolArray]:
    """Sixty answers by strength, each pair judged with chance 0.6; copies with the target's votes,
    or fresh answers with strengths of their own."""
    strength = rng.normal(0.0, 1.5, N + fresh)
    a, b = np.triu_indices(N + fresh, 1)
    met = rng.random(a.size) < 0.6
    a, b = a[met], b[met]
    won = (rng.random(a.size) < 1 / (1 + np.exp(strength[b] - strength[a]))).astype(float)
    item, opponent = np.concatenate([a, b]), np.concatenate([b, a])
    score = np.concatenate([won, 1 - won])
    own = item == target
    for k in range(copies):
        new = np.full(int(own.sum()), N + k)
        item, opponent = (
            np.concatenate([item, new, opponent[own]]),
            np.concatenate([opponent, opponent[own], new]),
        )
        score = np.concatenate([score, score[: own.size][own], 1 - score[: own.size][own]])
        own = np.append(own, np.zeros(2 * new.size, bool))
    n = N + fresh + copies
    return item, opponent, score, np.arange(n) >= N


def found(copies: int, seed: int, **more: int) -> Behaviour:
    item, opponent, score, new = world(np.random.default_rng(seed), copies, **more)
    out = behaviour(item, opponent, score, new, np.arange(new.size))
    assert isinstance(out, Behaviour)
    return out


@pytest.mark.parametrize("copies", [3, 7, 12])
def test_copies_with_their_votes_fare_alike(copies: int) -> None:
    for seed in range(5):
        best = found(copies, seed).groups[0]
        assert best.p_value < 0.01
        assert best.new.tolist() == list(range(N, N + copies))
        assert 7 in best.old.tolist()


def test_different_new_answers_do_not() -> None:
    p = [min((g.p_value for g in found(0, s, fresh=10).groups), default=1.0) for s in range(20)]
    assert sum(x < 0.01 for x in p) == 0


def test_order_and_numbering_leave_no_trace() -> None:
    item, opponent, score, new = world(np.random.default_rng(1), 5)
    order = np.random.default_rng(2).permutation(item.size)
    one = behaviour(item, opponent, score, new, np.arange(new.size))
    two = behaviour(item[order], opponent[order], score[order], new, np.arange(new.size))
    assert isinstance(one, Behaviour)
    assert isinstance(two, Behaviour)
    assert [g.new.tolist() for g in one.groups] == [g.new.tolist() for g in two.groups]
    assert [g.p_value for g in one.groups] == pytest.approx([g.p_value for g in two.groups])


def test_the_bound_holds() -> None:
    n = np.arange(1, 40)
    for p in (0.1, 0.5, 0.9):
        for share in (0.6, 0.8, 1.0):
            k = np.ceil(share * n)
            bound = np.exp(_chernoff(n.astype(float), k, np.full(n.size, p)))
            assert (bound >= binom.sf(k - 1, n, p) - 1e-12).all()


def test_kappa_covers_every_value_that_was_seen() -> None:
    t = np.random.default_rng(0).exponential(3.0, 500)
    kappa = _kappa(t)
    assert kappa >= 1.0
    rank = np.array([(t >= x).sum() for x in t]) / (t.size + 1)
    assert (rank <= np.exp(-t / kappa) + 1e-12).all()
    assert _kappa(np.zeros(5)) == 1.0


def test_where_nothing_can_be_said() -> None:
    item, opponent, score, new = world(np.random.default_rng(0))
    none = behaviour(item, opponent, score, new, np.arange(N))
    assert isinstance(none, NotApplicable)
    few = behaviour(
        np.array([0, 1]), np.array([1, 0]), np.array([1.0, 0.0]), np.array([False, True]),
        np.arange(2),
    )  # fmt: skip
    assert isinstance(few, NotApplicable)


def test_new_answers_that_met_nobody_are_not_judged() -> None:
    nothing = np.zeros(0, np.int64)
    out = behaviour(nothing, nothing, np.zeros(0), np.array([False, True]), np.arange(2))
    assert out == NotApplicable("nothing was compared")
