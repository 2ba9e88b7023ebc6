"""One and two Newton steps against full refits, with known and with redrawn weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cr_audit import engine
from cr_audit.arrays import Comparisons, FloatArray, JoinedRows, Proportions
from cr_audit.engine import on_disk
from cr_audit.errors import ComputeError
from cr_audit.models.rewards import linear_bootstrap
from cr_audit.models.rewards.bootstrap import multinomial_weights
from cr_audit.models.rewards.linear import LinearFit, SharedContexts, fit_linear
from cr_audit.models.rewards.linear_bootstrap import bootstrap_linear
from cr_audit.weights.contexts import paired_contexts

M, D, PENALTY = 60, 4, 0.3


def problem(seed: int, n: int = 700) -> tuple[Comparisons, FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    contexts = rng.normal(size=(M, D)) / np.sqrt(D)
    truth = contexts @ rng.normal(size=D) * 3
    a = rng.integers(M, size=n)
    b = (a + rng.integers(1, M, size=n)) % M
    won = (rng.random(n) < 1 / (1 + np.exp(truth[b] - truth[a]))).astype(float)
    return Comparisons.of(M, a, b, won), contexts, rng.dirichlet(np.full(M, 2.0))


def refitted(
    rows: Comparisons, contexts: FloatArray, fit: LinearFit, counts: FloatArray, w: FloatArray
) -> LinearFit:
    """The minimum itself: a pair has strength M*/M, and κ is that of the data under ``w``."""
    pairs = rows.proportions()
    low, high = np.minimum(rows.winner, rows.loser), np.maximum(rows.winner, rows.loser)
    pair = np.searchsorted(pairs.first * M + pairs.second, low * M + high)
    won = np.where(low == rows.winner, rows.outcome, 1 - rows.outcome)
    k = pairs.first.size
    mass = np.bincount(pair, counts, k)
    p = np.bincount(pair, counts * won, k)[mass > 0] / mass[mass > 0]
    share = mass if fit.count_weighted else mass / pairs.mass
    both = w[pairs.first] * w[pairs.second]
    norm = (both * (pairs.mass if fit.count_weighted else 1)).sum()
    drawn = (both * share).sum()
    # A count-weighted fit of the shares as masses is the replicate, but for κ: it divides by the
    # drawn mass where the replicate divides by the data's, so its penalty is scaled to match.
    return fit_linear(
        Proportions(M, pairs.first[mass > 0], pairs.second[mass > 0], p, share[mass > 0]),
        contexts,
        w,
        penalty=fit.penalty * norm / drawn,
        tolerance=1e-10,
        count_weighted=True,
    )


@pytest.mark.parametrize("redrawn", [False, True])
@pytest.mark.parametrize("count_weighted", [False, True])
def test_two_steps_are_close_to_every_single_refit(redrawn: bool, count_weighted: bool) -> None:
    rows, contexts, w = problem(5)
    fit = fit_linear(
        rows.proportions(), contexts, w, penalty=PENALTY, tolerance=1e-10,
        count_weighted=count_weighted,
    )  # fmt: skip
    draw = multinomial_weights(w, 1500) if redrawn else None
    n = 60
    got = {
        steps: bootstrap_linear(
            rows, contexts, [fit], n_replicates=n, draw_weights=[draw], n_steps=steps,
            rng=np.random.default_rng(1),
        ).predict(contexts)[0]
        for steps in (1, 2, 12)
    }  # fmt: skip
    rng = np.random.default_rng(1)
    drawn = [np.bincount(rng.integers(rows.n, size=rows.n), minlength=rows.n) for _ in range(n)]
    stream = rng.spawn(1)[0]
    exact = np.stack(
        [
            refitted(rows, contexts, fit, c, w if draw is None else draw(stream)).rewards
            for c in drawn
        ]
    )
    spread = exact.std(axis=0).mean()
    error = {k: float(np.sqrt(((r - exact) ** 2).mean())) / spread for k, r in got.items()}
    assert error[12] < 1e-3
    assert error[2] < 0.02
    assert error[2] < 0.2 * error[1]


def test_intervals_widen_by_what_few_samples_of_the_weights_are_worth() -> None:
    """Brute force: weights redrawn, comparisons redrawn, fitted anew."""
    rows, contexts, w = problem(6, n=4000)
    fit = fit_linear(rows.proportions(), contexts, w, penalty=PENALTY, tolerance=1e-10)
    draw = multinomial_weights(w, 300)
    known, both = (
        bootstrap_linear(
            rows, contexts, [fit], n_replicates=500, draw_weights=[d],
            rng=np.random.default_rng(2),
        )
        for d in (None, draw)
    )  # fmt: skip
    assert (known.weights_drawn, both.weights_drawn) == ((False,), (True,))
    # The same comparisons and weights as above: no Monte-Carlo error between the two.
    rng = np.random.default_rng(2)
    drawn = [np.bincount(rng.integers(rows.n, size=rows.n), minlength=rows.n) for _ in range(500)]
    stream = rng.spawn(1)[0]
    exact = [refitted(rows, contexts, fit, c, draw(stream)).rewards for c in drawn]
    wide = np.quantile(exact, [0.05, 0.95], axis=0)
    truth = (wide[1] - wide[0]).mean()
    narrow, ours = (
        np.quantile(b.predict(contexts)[0], [0.05, 0.95], axis=0) for b in (known, both)
    )
    assert (narrow[1] - narrow[0]).mean() < 0.8 * truth
    assert (ours[1] - ours[0]).mean() == pytest.approx(truth, rel=0.03)
    # Ends, in widths of the item's own interval.
    width = wide[1] - wide[0]
    np.testing.assert_allclose(ours / width, wide / width, atol=0.08)


def test_weights_that_do_not_vary_change_nothing_and_threads_neither() -> None:
    rows, contexts, w = problem(7)
    fit = fit_linear(rows.proportions(), contexts, w, penalty=PENALTY)
    made = [
        bootstrap_linear(
            rows, contexts, [fit, fit], n_replicates=20, draw_weights=[None, lambda _: w],
            workers=t, rng=np.random.default_rng(4),
        )
        for t in (1, 3)
    ]  # fmt: skip
    assert made[0].theta.tobytes() == made[1].theta.tobytes()
    np.testing.assert_allclose(made[0].theta[1], made[0].theta[0], atol=1e-9)
    np.testing.assert_allclose(made[0].centre, np.broadcast_to(fit.centre, (2, 20, D)), atol=1e-12)
    np.testing.assert_allclose(
        made[0].predict(contexts[:3])[0, 5],
        (contexts[:3] - made[0].centre[0, 5]) @ made[0].theta[0, 5],
    )


def test_redrawn_rewards_have_the_centre_of_their_own_weights() -> None:
    rows, contexts, w = problem(8)
    fit = fit_linear(rows.proportions(), contexts, w, penalty=PENALTY)
    seen = []

    def draw(rng: np.random.Generator) -> FloatArray:
        seen.append(multinomial_weights(w, 100)(rng))
        return seen[-1]

    made = bootstrap_linear(
        rows, contexts, [fit], n_replicates=8, draw_weights=[draw], rng=np.random.default_rng(5)
    )
    np.testing.assert_allclose(
        np.einsum("bk,bk->b", made.predict(contexts)[0], np.stack(seen)), 0.0, atol=1e-9
    )


def test_what_cannot_be_drawn_is_refused() -> None:
    rows, contexts, w = problem(9)
    fit = fit_linear(rows.proportions(), contexts, w, penalty=PENALTY)
    rng = np.random.default_rng(6)
    with pytest.raises(ComputeError, match="two comparisons"):
        bootstrap_linear(rows, contexts, [fit], clusters=np.zeros(rows.n, np.int64), rng=rng)
    with pytest.raises(ValueError, match="one entry per fit"):
        bootstrap_linear(rows, contexts, [fit], draw_weights=[], rng=rng)
    alone = np.eye(M)[0]
    with pytest.raises(ComputeError, match="zero on every compared pair"):
        bootstrap_linear(
            rows, contexts, [fit], n_replicates=3, draw_weights=[lambda _: alone], rng=rng
        )


def test_contexts_in_two_parts_and_in_files_give_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    n = 700
    prompts = rng.normal(size=(n, 6)).astype(np.float32)
    responses = rng.normal(size=(2 * n, 5)).astype(np.float32)
    parts = paired_contexts(prompts, responses, np.repeat(np.arange(n), 2))
    w = rng.dirichlet(np.full(2 * n, 2.0))
    rows = Comparisons.of(2 * n, np.arange(n) * 2, np.arange(n) * 2 + 1)
    uniform = np.full(2 * n, 0.5 / n)
    monkeypatch.setattr(linear_bootstrap, "HELD", 2 * n * 7)
    monkeypatch.setattr(linear_bootstrap, "KNOWN_AT_ONCE", 1)

    def found(contexts: np.ndarray | JoinedRows, workers: int) -> list[np.ndarray]:
        shared = SharedContexts(contexts)
        fits = [
            fit_linear(rows.proportions(), shared, v, penalty=0.1, workers=workers)
            for v in (uniform, w)
        ]
        drawn = bootstrap_linear(
            rows, shared, fits, n_replicates=20, workers=workers, rng=np.random.default_rng(1)
        )
        return [*(f.rewards for f in fits), drawn.theta, drawn.centre]

    whole = found(parts.matrix(), 1)
    monkeypatch.setattr(on_disk, "LEAST_BYTES", 0)
    with engine.using(memory=1, folder=tmp_path):
        monkeypatch.setattr(on_disk, "SHARE", 0.0)
        joined = parts.rows()
        assert isinstance(joined, JoinedRows)
        for workers in (1, 2):
            for a, b in zip(whole, found(joined, workers), strict=True):
                assert np.array_equal(a, b)
    assert not list(tmp_path.iterdir())
