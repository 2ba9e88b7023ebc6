"""The reproductions of [IIA]: means against golden values are in tests/papers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from cr_audit.models.listwise.theory import mixed_reward
from cr_audit.simulate.formats import (
    FEATURES,
    INFORMATIVE,
    _Network,
    answers,
    drawn_lists,
    features,
    sample,
    section_6,
)
from cr_audit.simulate.perverse_incentives import (
    drawn_counts,
    makeups,
    message_curves,
    reward_curves,
)


def test_reward_curves_turn_where_the_paper_says() -> None:
    curves = reward_curves("rlpo", n_sets=200, rng=np.random.default_rng(1))
    last = {p.curve: p for p in curves.points if p.n_data == 3000}
    assert last[2].mean > 0.99
    assert 0.3 < last[3].mean < 0.7  # the boundary: each data set ends near 0 or 1
    assert last[4].mean < 0.01
    assert last[5].mean < 0.01
    assert math.isnan(last[3].closed)
    for size in (2, 4, 5):
        assert last[size].closed == pytest.approx(last[size].mean, abs=0.01)
    assert [t.limit for t in curves.thresholds if t.size != 3] == [1.0, 0.0, 0.0]
    assert curves.experiments[0].psi == pytest.approx(math.log(4 / 3))


def test_dpo_differs_from_rlpo_only_where_there_is_no_minimiser() -> None:
    one = reward_curves("rlpo", n_sets=50, rng=np.random.default_rng(2))
    two = reward_curves("dpo", n_sets=50, rng=np.random.default_rng(2))
    for a, b in zip(one.points, two.points, strict=True):
        assert a.no_minimiser == b.no_minimiser
        if a.no_minimiser == 0:
            assert a.mean == b.mean


@pytest.mark.parametrize("algorithm", ["il", "slic"])
def test_message_curves_fall_and_end_at_the_closed_form(algorithm: str) -> None:
    curves = message_curves(algorithm, n_sets=40, rng=np.random.default_rng(3))
    last = [p for p in curves.points if p.n_data == 10_000]
    means = [p.mean for p in last]
    assert means == sorted(means, reverse=True)
    for p in last:
        assert p.mean == pytest.approx(p.closed, abs=0.01)


def test_unknown_algorithms_are_refused() -> None:
    with pytest.raises(ValueError, match="no reward curves"):
        reward_curves("il", rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="no message curves"):
        message_curves("rlpo", rng=np.random.default_rng(0))


def test_counts_are_those_of_the_lists() -> None:
    counts, won = drawn_counts(3, 5000, 4, 0.8, 0.6, np.random.default_rng(4))
    assert counts.shape == (3, 3)
    mixed = 1 - 0.8**4 - 0.2**4
    assert counts.sum(axis=1) / 5000 == pytest.approx(mixed, abs=0.03)
    assert won / counts.sum(axis=1) == pytest.approx(0.6, abs=0.04)
    assert np.isfinite(mixed_reward(*makeups(4), counts, won)).all()


def test_the_network_gradient_by_finite_differences() -> None:
    rng = np.random.default_rng(5)
    shapes = ((3, FEATURES), (3,), (3,), (FEATURES,))
    net = _Network(*(rng.normal(size=shape) for shape in shapes))
    x, slope = rng.normal(size=(4, FEATURES)), rng.normal(size=4)
    for parameter, gradient in zip(
        (net.w, net.b, net.v, net.u), net.gradient(x, slope), strict=True
    ):
        flat, at = parameter.ravel(), 1
        before = flat[at]
        values = []
        for step in (1e-6, -1e-6):
            flat[at] = before + step
            parameter[...] = flat.reshape(parameter.shape)
            values.append(float(slope @ net.reward(x)))
        flat[at] = before
        parameter[...] = flat.reshape(parameter.shape)
        assert gradient.ravel()[at] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-5)


def test_the_format_turns_the_reward_round() -> None:
    found = section_6(n_seeds=1, rng=np.random.default_rng(6))
    by = {(r.format, r.model): r for r in found.rows}
    assert by["lists of 2", "linear"].informative_first > 0.75
    assert by["lists of 4", "linear"].informative_first < 0.5
    assert by["lists of 4", "linear"].accuracy < 0.5 < by["lists of 2", "linear"].accuracy
    shared = by["lists of 4, a kind sharing one weight", "linear"]
    assert shared.informative_first > 0.75
    for _, share in found.chosen_informative:
        assert share == pytest.approx(0.7, abs=0.06)


def test_answers_features_and_the_sample() -> None:
    rng = np.random.default_rng(7)
    texts = answers(INFORMATIVE, 50, rng)
    assert len(set(texts)) == 50
    vectors = features(texts)
    assert vectors.shape == (50, FEATURES)
    assert features([texts[0]])[0].tolist() == vectors[0].tolist()
    kind, which, chosen = drawn_lists(100, 1, 3, rng)
    assert (kind.sum(axis=1) == 3).all()
    assert all(len(set(row)) == 4 for row in which.tolist())
    assert chosen.shape == (100,)
    rows = [json.loads(line) for line in sample(20, 4, 0).splitlines()]
    assert len(rows) == 20
    assert all(sorted(a["rank"] for a in r["answers"]) == [1, 2, 2, 2] for r in rows)
    assert sample(20, 4, 0) == sample(20, 4, 0) != sample(20, 4, 1)
