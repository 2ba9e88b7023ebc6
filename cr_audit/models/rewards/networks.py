"""Many small networks trained side by side: the passes, the batches and Adam behind ``mlp``.

A network is d → hidden → hidden → 1 with ReLU. Networks that are trained in one group share every
matrix product of their first layer; what a batch holds is drawn by each network for itself. Nothing
here depends on the number of workers: groups are formed by the size of the data alone, and a group
is worked through on one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.errors import ComputeError
from cr_audit.models.rewards.objective import PairTerms

if TYPE_CHECKING:
    import torch

# Rows times networks worked on at once where all rows are: measured, their layers stay in cache.
GROUP_ROWS = 4096
MAX_GROUP = 20
# Steps whose batches are drawn in one go.
STEPS_PER_DRAW = 50
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class Training:
    """The defaults are those of [CR] Appendix I.3."""

    hidden: int = 32
    learning_rate: float = 1e-4
    batch_size: int = 512
    n_steps: int = 500

    @property
    def n_sizes(self) -> int:
        """Alternatives of the penalty in a batch: it varies less over these than losses do."""
        return max(1, self.batch_size // 4)

    @property
    def n_drawn(self) -> int:
        """Alternatives in one batch, with repetition."""
        return 2 * self.batch_size + self.n_sizes


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One network: what it is fitted to, and the seed of its start and of its batches."""

    terms: PairTerms
    weights: FloatArray
    penalty: float
    seed: np.random.SeedSequence


def train_networks(
    contexts: Float32Array, tasks: Sequence[Task], training: Training, *, workers: int | None = None
) -> FloatArray:
    """Rewards of every alternative under every network, float64 (n_tasks, m), as they come out.

    contexts : float32 (m, d). Network t estimates in every step the objective of its terms and
    weights from ``batch_size`` pairs drawn in proportion to w(x) w(y) s(x, y) and ``n_sizes``
    alternatives drawn in proportion to w. The result does not depend on ``workers``, and a
    network's start not on the others. ValueError where no pair of a task has weight.
    Memory: per worker up to 4 * n_drawn * d bytes, and 12 bytes per parameter of a group.
    ComputeError ``no-torch`` where it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ComputeError(
            "no-torch",
            "the reward model mlp needs torch, not installed here",
            next_step="pip install torch --index-url https://download.pytorch.org/whl/cpu, or use"
            " --reward linear",
        ) from error

    m, n = contexts.shape[0], training.n_drawn
    # Up to as many alternatives as a batch holds, all of them are cheaper than picking rows out.
    size = min(MAX_GROUP, max(1, GROUP_ROWS // m)) if m <= n else 1
    groups = [tasks[a : a + size] for a in range(0, len(tasks), size)]
    threads = torch.get_num_threads()
    # On one thread each, so that the order of sums does not hang on the cores.
    torch.set_num_threads(1)
    try:
        work = partial(_train, torch.tensor(contexts), training)
        out = list(engine.map(work, groups, workers=workers))
    finally:
        torch.set_num_threads(threads)
    return np.concatenate(out) if out else np.empty((0, m))


def _train(table: torch.Tensor, training: Training, tasks: Sequence[Task]) -> FloatArray:
    import torch

    # Both are states of the thread, and this may be a new one.
    torch.set_num_threads(1)
    with torch.inference_mode():
        m, d = table.shape
        streams = [np.random.default_rng(t.seed) for t in tasks]
        most = min(m, training.n_drawn)
        networks = Networks(d, training.hidden, most, streams)
        batches = _Batches(tasks, streams, training)
        picked = torch.empty(most, d) if m > training.n_drawn else None
        for step in range(training.n_steps):
            pairs, drawn = batches.of(step)
            rows, place = table, drawn
            if picked is not None:  # one network: its distinct rows
                chosen, place = np.unique(drawn[0], return_inverse=True)
                rows, place = picked[: chosen.size], place.reshape(1, -1)
                torch.index_select(table, 0, torch.from_numpy(chosen), out=rows)
            rewards = networks.forward(rows)
            networks.backward(rows, batches.slopes(rewards, pairs, place))
            networks.adam(training.learning_rate)
        parts = [networks.forward(table[a : a + most]).copy() for a in range(0, m, most)]
        return np.concatenate(parts, axis=1).astype(np.float64)


class _Batches:
    """The batches of a group of networks, and the slope of their objectives in the rewards."""

    def __init__(
        self,
        tasks: Sequence[Task],
        streams: Sequence[np.random.Generator],
        training: Training,
    ) -> None:
        self.tasks, self.streams, self.training = tasks, streams, training
        self.pair_cdf: list[FloatArray] = []
        self.item_cdf: list[FloatArray] = []
        scale = []
        for t in tasks:
            both = t.weights[t.terms.first] * t.weights[t.terms.second] * t.terms.strength
            self.pair_cdf.append(np.cumsum(both))
            self.item_cdf.append(np.cumsum(t.weights))
            scale.append(float(both.sum()))
            if training.n_steps and not scale[-1] > 0:
                raise ValueError("the weights are zero on every pair: there is nothing to draw")
        self.loss_scale = (np.array(scale) / training.batch_size)[:, None]
        self.size_scale = (np.array([t.penalty for t in tasks]) / training.n_sizes)[:, None]
        self.pairs = self.items = np.empty((0, 0, 0), np.int64)

    def of(self, step: int) -> tuple[IntArray, IntArray]:
        """Pairs (networks, batch_size); alternatives (networks, n_drawn): firsts, seconds, sizes"""
        at = step % STEPS_PER_DRAW
        t = self.training
        if at == 0:
            n = min(STEPS_PER_DRAW, t.n_steps - step)
            self.pairs = np.stack(
                [_draw(c, n * t.batch_size, s).reshape(n, -1)
                 for c, s in zip(self.pair_cdf, self.streams, strict=True)], axis=1)  # fmt: skip
            self.items = np.stack(
                [_draw(c, n * t.n_sizes, s).reshape(n, -1)
                 for c, s in zip(self.item_cdf, self.streams, strict=True)], axis=1)  # fmt: skip
        pairs = self.pairs[at]
        first = np.stack([k.terms.first[p] for k, p in zip(self.tasks, pairs, strict=True)])
        second = np.stack([k.terms.second[p] for k, p in zip(self.tasks, pairs, strict=True)])
        return pairs, np.concatenate([first, second, self.items[at]], axis=1)

    def slopes(self, rewards: Float32Array, pairs: IntArray, place: IntArray) -> Float32Array:
        """∂/∂r of the batch's estimate of f, float32 (networks, rows).

        rewards : (networks, rows); place : (networks, n_drawn), rows of the drawn alternatives.
        """
        k, n = rewards.shape
        r = np.take_along_axis(rewards, place, axis=1).astype(np.float64)
        b = self.training.batch_size
        p = np.stack([t.terms.p[q] for t, q in zip(self.tasks, pairs, strict=True)])
        pull = self.loss_scale * (expit(r[:, :b] - r[:, b : 2 * b]) - p)
        value = np.concatenate([pull, -pull, self.size_scale * r[:, 2 * b :]], axis=1)
        flat = (place + n * np.arange(k)[:, None]).ravel()
        out = np.bincount(flat, weights=value.ravel(), minlength=k * n)
        return out.reshape(k, n).astype(np.float32)


def _draw(cdf: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """``n`` independent draws by inversion: int64 (n,). cdf : rising to any positive total.

    Sorted first and shuffled after: a sorted search is several times faster than a random one.
    """
    u = rng.random(n)
    u.sort()
    found = np.searchsorted(cdf, u * cdf[-1], side="right")
    out: IntArray = np.minimum(found, cdf.shape[0] - 1).astype(np.int64)
    rng.shuffle(out)
    return out


class Networks:
    """Parameters of a group in one vector, their gradient in another, Adam's moments in two."""

    def __init__(
        self, d: int, hidden: int, most: int, streams: Sequence[np.random.Generator]
    ) -> None:
        """``most`` : rows of a pass. Layers of fresh memory in every step cost more than their
        products: all of them are kept."""
        import torch

        k, h = len(streams), hidden
        self.one, self.one_slope = torch.empty(most, k * h), torch.empty(most, k * h)
        self.kept = [torch.empty(k * most * h) for _ in range(3)]
        shapes = ((d, k, h), (k, h), (k, h, h), (k, 1, h), (k, h, 1), (k, 1, 1))
        bounds = [1.0 / np.sqrt(fan_in) for fan_in in (d, d, h, h, h, h)]
        ends = np.cumsum([int(np.prod(s)) for s in shapes])
        self.values = torch.empty(int(ends[-1]), dtype=torch.float32)
        self.slopes = torch.empty_like(self.values)
        self.mean, self.square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.work = torch.empty_like(self.values)
        self.n_steps = 0

        def views(flat: torch.Tensor) -> list[torch.Tensor]:
            parts = torch.tensor_split(flat, ends[:-1].tolist())
            return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]

        self.layers, self.grads = views(self.values), views(self.slopes)
        # torch.nn.Linear's own start: uniform ± 1/√fan_in. One network's draws stand together, so
        # that it starts the same whatever its group.
        for i, rng in enumerate(streams):
            for layer, bound, axis in zip(self.layers, bounds, (1, 0, 0, 0, 0, 0), strict=True):
                mine = layer.select(axis, i)
                start = rng.uniform(-bound, bound, tuple(mine.shape)).astype(np.float32)
                mine.copy_(torch.from_numpy(start))

    def forward(self, rows: torch.Tensor) -> Float32Array:
        """Rewards float32 (networks, n) of contexts (n, d); the layers are kept for ``backward``.

        The first layer is (n, networks, hidden), one product for all; the second
        (networks, n, hidden).
        """
        import torch

        w1, b1, w2, b2, w3, b3 = self.layers
        d, k, h = w1.shape
        n = rows.shape[0]
        one = torch.addmm(b1.view(-1), rows, w1.view(d, k * h), out=self.one[:n]).relu_()
        two = self.kept[0][: k * n * h].view(k, n, h)
        torch.baddbmm(b2, one.view(n, k, h).transpose(0, 1), w2, out=two).relu_()
        out: Float32Array = torch.baddbmm(b3, two, w3).squeeze(-1).numpy()
        return out

    def backward(self, rows: torch.Tensor, slopes: Float32Array) -> None:
        """The gradient of Σ slopes * rewards at the last ``forward``; slopes (networks, n)."""
        import torch

        w1, _, w2, _, w3, _ = self.layers
        g1, c1, g2, c2, g3, c3 = self.grads
        d, k, h = w1.shape
        n = rows.shape[0]
        one = self.one[:n].view(n, k, h)
        two, two_slope, below = (part[: k * n * h].view(k, n, h) for part in self.kept)
        top = torch.from_numpy(slopes).unsqueeze(-1)
        torch.bmm(two.transpose(1, 2), top, out=g3)
        torch.sum(top, dim=1, keepdim=True, out=c3)
        torch.mul(top, w3.transpose(1, 2), out=two_slope)
        # The slope of ReLU is the sign of what it lets through.
        two_slope.mul_(two.sign_())
        torch.bmm(one.permute(1, 2, 0), two_slope, out=g2)
        torch.sum(two_slope, dim=1, keepdim=True, out=c2)
        torch.bmm(two_slope, w2.transpose(1, 2), out=below)
        one_slope = self.one_slope[:n]
        torch.mul(below.transpose(0, 1), one.sign_(), out=one_slope.view(n, k, h))
        torch.mm(rows.t(), one_slope, out=g1.view(d, k * h))
        torch.sum(one_slope.view(n, k, h), dim=0, out=c1)

    def adam(self, learning_rate: float) -> None:
        """One step of Adam (Kingma and Ba 2015, algorithm 1) on every parameter."""
        import torch

        self.n_steps += 1
        self.mean.lerp_(self.slopes, 1.0 - BETA_1)
        self.square.mul_(BETA_2).addcmul_(self.slopes, self.slopes, value=1.0 - BETA_2)
        torch.sqrt(self.square, out=self.work)
        self.work.mul_((1.0 - BETA_2**self.n_steps) ** -0.5).add_(EPSILON)
        rate = learning_rate / (1.0 - BETA_1**self.n_steps)
        self.values.addcdiv_(self.mean, self.work, value=-rate)
