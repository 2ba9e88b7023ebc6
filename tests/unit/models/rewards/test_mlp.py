"""The network ensemble: determinism, what it learns, and its invariants."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from cr_audit.arrays import Comparisons, Proportions
from cr_audit.models.rewards.mlp import fit_mlp
from cr_audit.models.rewards.networks import Networks, Task, Training, _Batches, train_networks
from cr_audit.models.rewards.objective import PairTerms, objective, pair_terms


def problem() -> tuple[Comparisons, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    contexts = rng.normal(size=(80, 6))
    truth = np.abs(contexts[:, 0]) * 2 - contexts[:, 1]
    a = rng.integers(80, size=4000)
    b = (a + rng.integers(1, 80, size=4000)) % 80
    won = (rng.random(4000) < 1 / (1 + np.exp(truth[b] - truth[a]))).astype(float)
    return Comparisons.of(80, a, b, won), contexts, truth


def test_learns_what_a_line_cannot_and_repeats_itself() -> None:
    rows, contexts, truth = problem()
    w = np.full(80, 1 / 80)
    fits = [
        fit_mlp(
            rows.proportions(),
            contexts,
            w,
            penalty=1e-3,
            n_runs=2,
            learning_rate=3e-3,
            rng=np.random.default_rng(1),
        )
        for _ in range(2)
    ]
    assert fits[0].rewards.tobytes() == fits[1].rewards.tobytes()
    assert np.corrcoef(fits[0].rewards, truth)[0, 1] > 0.9
    np.testing.assert_allclose(fits[0].by_run @ w, 0.0, atol=1e-9)
    np.testing.assert_allclose(fits[0].by_run.mean(axis=0), fits[0].rewards)
    assert fits[0].n_runs == 2


def test_the_papers_settings_lower_the_objective() -> None:
    rows, contexts, _ = problem()
    w = np.random.default_rng(2).dirichlet(np.ones(80))
    fit = fit_mlp(
        rows.proportions(), contexts, w, penalty=0.01, n_runs=3, rng=np.random.default_rng(3)
    )
    assert (fit.hidden, fit.batch_size, fit.n_steps, fit.learning_rate) == (32, 512, 500, 1e-4)
    assert inspect.signature(fit_mlp).parameters["n_runs"].default == 20
    terms = pair_terms(rows.proportions(), w)
    assert fit.objective < objective(terms, w, np.zeros(80), 0.01)
    assert fit.objective == pytest.approx(objective(terms, w, fit.rewards, 0.01))


def test_every_run_has_its_own_start() -> None:
    rows, contexts, _ = problem()
    w = np.full(80, 1 / 80)
    kwargs = {"penalty": 0.01, "n_steps": 0}
    start = fit_mlp(
        rows.proportions(), contexts, w, n_runs=3, rng=np.random.default_rng(4), **kwargs
    )
    assert np.unique(np.round(start.by_run[:, 0], 12)).size == 3


def naive_run(
    terms: PairTerms, w: np.ndarray, contexts: np.ndarray, task: Task, training: Training
) -> np.ndarray:
    """One network, trained by torch's own layers, gradients and Adam on the same draws."""
    rng = np.random.default_rng(task.seed)
    d, h = contexts.shape[1], training.hidden
    layers = [torch.nn.Linear(d, h), torch.nn.Linear(h, h), torch.nn.Linear(h, 1)]
    network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    with torch.no_grad():
        for layer in layers:
            bound = 1 / np.sqrt(layer.in_features)
            shape = (layer.in_features, layer.out_features)
            start = rng.uniform(-bound, bound, shape).astype(np.float32)
            layer.weight.copy_(torch.from_numpy(start).T)
            bias = rng.uniform(-bound, bound, layer.out_features).astype(np.float32)
            layer.bias.copy_(torch.from_numpy(bias))
    both = w[terms.first] * w[terms.second] * terms.strength
    table = torch.tensor(contexts, dtype=torch.float32)
    adam = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    draws = _Batches([task], [rng], training)
    for step in range(training.n_steps):
        pairs, drawn = draws.of(step)
        r = network(table[torch.from_numpy(drawn[0])]).squeeze(-1)
        b = training.batch_size
        p = torch.tensor(terms.p[pairs[0]], dtype=torch.float32)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(r[:b] - r[b : 2 * b], p)
        adam.zero_grad()
        (both.sum() * loss + 0.5 * task.penalty * (r[2 * b :] ** 2).mean()).backward()
        adam.step()
    with torch.no_grad():
        return network(table).squeeze(-1).numpy()


@pytest.mark.parametrize("m", [12, 80])  # in one product of all rows, and row by row
def test_the_hand_written_passes_are_those_of_torch(m: int) -> None:
    rng = np.random.default_rng(5)
    contexts = rng.normal(size=(m, 5)).astype(np.float32)
    a = rng.integers(m, size=300)
    b = (a + rng.integers(1, m, size=300)) % m
    rows = Comparisons.of(m, a, b, rng.random(300).round())
    w = rng.dirichlet(np.ones(m))
    terms = pair_terms(rows.proportions(), w)
    training = Training(hidden=7, learning_rate=3e-3, batch_size=16, n_steps=120)
    tasks = [Task(terms, w, 0.3, seed) for seed in np.random.SeedSequence(6).spawn(3)]
    ours = train_networks(contexts, tasks, training)
    theirs = np.stack([naive_run(terms, w, contexts, t, training) for t in tasks])
    assert np.ptp(theirs, axis=1).min() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_slope_is_that_of_finite_differences() -> None:
    networks = Networks(4, 6, 9, [np.random.default_rng(s) for s in (0, 1)])
    rng = np.random.default_rng(2)
    rows = torch.tensor(rng.normal(size=(9, 4)), dtype=torch.float32)
    slopes = rng.normal(size=(2, 9)).astype(np.float32)
    networks.forward(rows)
    networks.backward(rows, slopes)
    found = networks.slopes.clone().numpy()

    def value() -> float:
        return float((slopes.astype(np.float64) * networks.forward(rows)).sum())

    wrong = 0
    for i in range(networks.values.numel()):
        before, step = float(networks.values[i]), 1e-3
        ends = []
        for sign in (1, -1):
            networks.values[i] = before + sign * step
            ends.append(value())
        networks.values[i] = before
        wrong += abs((ends[0] - ends[1]) / (2 * step) - found[i]) > 5e-3 * (1 + abs(found[i]))
    # A step across the corner of a ReLU is off, and there are few.
    assert wrong <= 0.02 * networks.values.numel()


def test_batches_follow_the_weights() -> None:
    rows, _, _ = problem()
    w = np.random.default_rng(7).dirichlet(np.ones(80))
    terms = pair_terms(rows.proportions(), w)
    training = Training(batch_size=400, n_steps=100)
    task = Task(terms, w, 0.1, np.random.SeedSequence(8))
    draws = _Batches([task], [np.random.default_rng(8)], training)
    both = w[terms.first] * w[terms.second] * terms.strength
    seen, sizes = np.zeros(both.size), np.zeros(80)
    for step in range(100):
        pairs, drawn = draws.of(step)
        np.testing.assert_array_equal(drawn[0, :400], terms.first[pairs[0]])
        seen += np.bincount(pairs[0], minlength=both.size)
        sizes += np.bincount(drawn[0, 800:], minlength=80)
    for counts, share in ((seen, both / both.sum()), (sizes, w)):
        expected = share * counts.sum()
        error = np.sqrt(expected + 1)
        assert np.abs((counts - expected) / error).max() < 5


def test_same_bytes_whatever_the_threads() -> None:
    rng = np.random.default_rng(9)
    contexts = rng.normal(size=(1500, 8))
    a = rng.integers(1500, size=4000)
    rows = Comparisons.of(1500, a, (a + 1 + rng.integers(1499, size=4000)) % 1500)
    small, c, _ = problem()
    for data, vectors in ((rows, contexts), (small, c)):
        m = data.n_items
        one, three = (
            fit_mlp(
                data.proportions(),
                vectors,
                np.full(m, 1 / m),
                penalty=0.1,
                n_runs=5,
                n_steps=30,
                workers=t,
                rng=np.random.default_rng(3),
            )
            for t in (1, 3)
        )
        assert one.by_run.tobytes() == three.by_run.tobytes()


def test_exact_clones_that_share_their_weight_change_nothing_beyond_the_draw() -> None:
    rows, contexts, _ = problem()
    w = np.random.default_rng(10).dirichlet(np.full(80, 3.0))
    pairs = rows.proportions()
    matrix = np.full((80, 80), 0.5)
    matrix[pairs.first, pairs.second] = pairs.p
    matrix[pairs.second, pairs.first] = 1 - pairs.p
    original = np.array([*range(80), *[4] * 20])
    split = w[original]
    split[[4, *range(80, 100)]] = w[4] / 21
    kwargs = {"penalty": 0.1, "n_runs": 20, "learning_rate": 1e-3}
    fits = [
        fit_mlp(Proportions.from_matrix(matrix[np.ix_(o, o)]), contexts[o], v,
                rng=np.random.default_rng(11), **kwargs)
        for o, v in ((np.arange(80), w), (original, split), (original, np.full(100, 0.01)))
    ]  # fmt: skip
    error = np.abs(fits[1].rewards - fits[0].rewards[original]).max()
    assert error < 0.05
    assert np.abs(fits[2].rewards - fits[0].rewards[original]).max() > 2 * error


def test_nothing_compared_leaves_the_start() -> None:
    _, contexts, _ = problem()
    w = np.full(80, 1 / 80)
    none = Comparisons.of(80, [], []).proportions()
    kwargs = {"penalty": 0.1, "n_runs": 2}
    stays = fit_mlp(none, contexts, w, rng=np.random.default_rng(0), **kwargs)
    start = fit_mlp(none, contexts, w, n_steps=0, rng=np.random.default_rng(0), **kwargs)
    assert stays.by_run.tobytes() == start.by_run.tobytes()
    task = Task(pair_terms(none, w), w, 0.1, np.random.SeedSequence(0))
    with pytest.raises(ValueError, match="zero on every pair"):
        train_networks(contexts.astype(np.float32), [task], Training())


def test_broken_settings_are_refused() -> None:
    rows, contexts, _ = problem()
    w, rng = np.full(80, 1 / 80), np.random.default_rng(0)
    with pytest.raises(ValueError, match="contexts"):
        fit_mlp(rows.proportions(), contexts[:5], w, penalty=0.1, rng=rng)
    with pytest.raises(ValueError, match="positive"):
        fit_mlp(rows.proportions(), contexts, w, penalty=0.1, n_runs=0, rng=rng)
