"""TRL's reward and DPO trainers with a weight per row, as ``cr-audit export --as trl`` writes it.

    from cr_audit.integrations.trl import WeightedDPOTrainer
    trainer = WeightedDPOTrainer(model=..., args=DPOConfig(...), train_dataset=dataset)

TRL 1.16 removes every column that it does not know before the collator sees it, and its losses are
plain means; here the column ``cr_weight`` reaches the loss. With rows i of one optimizer step (all
of its micro-batches, on all processes), weights w_i and TRL's own loss l_i of row i alone, the loss
of a training step is

    sum_i w_i l_i / sum_i w_i          weight_mean="step" (default)
    sum_i w_i l_i / (n wbar)           weight_mean="data"

with n the number of rows in the step and wbar the mean weight of the training data. "step" is the
weighted mean: weight 2 equals the row twice, weight 0 equals the row absent, weight 1 equals no
weight. Its expectation over random steps is off the weighted mean over the data by O(cv^2 / n), cv
the coefficient of variation of the weights; in a step of one row the weight cancels, which is
refused. "data" has no such bias, whatever n. Rows of weight 0 are left out of training.

l_i is not written anew: the model runs once per micro-batch, and TRL's own loss is then asked for
each row alone, with the outputs of that one pass. So whatever TRL computes (loss types, label
smoothing, divergences, margins, reference models) is weighted as it is, where the loss of a batch
is the mean of the losses of its rows. Where it is not, the trainer refuses (ValueError):

    aot, aot_unpaired    sort the log-ratios of the batch: no row has a loss of its own
    sft                  a mean over the tokens of the batch: long rows weigh more than short ones
    router aux loss      one term of the whole batch
    pictures             their tensors are not one per row

In a step whose micro-batches differ in size (the last one of an epoch) TRL takes the mean of their
means, and so counts rows of the short one more; here every row counts by its weight alone.

Evaluation: a data set with the column gives the weighted mean over it, one without TRL's own loss.
Metrics beside the loss (accuracies, margins, rewards) are TRL's, without weights.

Tested against TRL 1.16 on one process (tests/integrations/test_trl.py).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from datasets import Dataset, IterableDataset
from trl import DPOTrainer, RewardTrainer

WEIGHT = "cr_weight"
MEANS = ("step", "data")

REFUSED_LOSSES = {
    "aot": "it sorts the log-ratios of the whole batch, so no row has a loss of its own",
    "aot_unpaired": "it sorts the log-ratios of the whole batch, so no row has a loss of its own",
    "sft": "it is a mean over the tokens of the batch, which weighs rows by their length",
}


class _Collator:
    """A trainer's own collator, with the weights beside what it makes: float64 (n,)."""

    def __init__(self, collate: Any, column: str) -> None:
        self.collate, self.column = collate, column

    def __call__(self, examples: list[dict[str, Any]]) -> Any:
        column = self.column
        batch = self.collate([{k: v for k, v in e.items() if k != column} for e in examples])
        if all(column in e for e in examples):
            batch[column] = torch.tensor([e[column] for e in examples], dtype=torch.float64)
        return batch


class _Remembered:
    """A model that runs once and then answers for some rows of that pass alone.

    rows : which of them, int64; None until the pass was made.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._made: Any = None
        self._n = 0
        self.rows: torch.Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.rows is None:
            self._made = self._model(*args, **kwargs)
            self._n = int(kwargs["input_ids"].shape[0])
            return self._made
        return _Some(self._made, self._n, self.rows)


class _Some:
    """Outputs of a pass over n sequences, of some of them alone."""

    def __init__(self, made: Any, n: int, rows: torch.Tensor) -> None:
        self._made, self._n, self._rows = made, n, rows

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._made, name)
        if torch.is_tensor(value) and value.ndim and value.shape[0] == self._n:
            return value[self._rows]
        return value


class _Alone:
    """An accelerator whose gathering is left out: the losses of single rows are asked for on every
    process by itself, as many as it has."""

    def __init__(self, accelerator: Any) -> None:
        self._accelerator = accelerator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._accelerator, name)

    def gather(self, value: Any) -> Any:
        return value

    def gather_for_metrics(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value


class _Weighted:
    """What both trainers share. It stands before TRL's trainer in the order of classes."""

    # Set by TRL's trainers and those below them.
    model: Any
    args: Any
    accelerator: Any
    current_gradient_accumulation_steps: int
    _metrics: Any
    _total_train_tokens: Any
    _signature_columns: Any

    def __init__(
        self,
        *args: Any,
        weight_column: str = WEIGHT,
        weight_mean: str = "step",
        **kwargs: Any,
    ) -> None:
        if weight_mean not in MEANS:
            raise ValueError(f"weight_mean is {weight_mean!r}; choose one of {', '.join(MEANS)}")
        self.weight_column, self.weight_mean = weight_column, weight_mean
        self._divisor: torch.Tensor | None = None
        self._data_mean = self._eval_mean = 1.0
        super().__init__(*args, **kwargs)
        self._refuse()
        self.data_collator: Any = _Collator(self.data_collator, weight_column)

    # --- the data ---

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, name: str) -> Any:
        column = self.weight_column
        if column in next(iter(dataset)):
            if isinstance(dataset, Dataset):
                dataset = self._checked(dataset)
            elif self.weight_mean == "data" and name == "train":
                raise ValueError(
                    "weight_mean='data' needs the mean weight of the data, which a stream has not;"
                    " use weight_mean='step'"
                )
        elif name == "train":
            raise ValueError(
                f"the training data have no column {column!r}; write one with cr-audit export"
                " --as trl, or name yours with weight_column="
            )
        made = super()._prepare_dataset(dataset, processing_class, args, name)  # type: ignore[misc]
        if name == "train" and isinstance(made, Dataset):
            self._data_mean = _mean(made[column])  # of the rows that TRL leaves
        return made

    def _checked(self, dataset: Dataset) -> Dataset:
        """The data without rows of weight 0. Raises ValueError for what is no weight."""
        kept = []
        for k, weight in enumerate(dataset[self.weight_column]):
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not number or not 0 <= weight < float("inf"):
                raise ValueError(
                    f"{self.weight_column} of row {k} is {weight!r}; weights are finite and >= 0"
                )
            if weight:
                kept.append(k)
        if not kept:
            raise ValueError(f"all weights in {self.weight_column} are 0")
        return dataset if len(kept) == len(dataset) else dataset.select(kept)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[misc]
        if self.weight_column not in self._signature_columns:
            self._signature_columns = [*self._signature_columns, self.weight_column]

    # --- one step ---

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """The micro-batches of a step, and what their weighted losses are divided by."""
        batches, n_items = super().get_batch_samples(*args, **kwargs)  # type: ignore[misc]
        held = [b[self.weight_column] for b in batches]
        if self.weight_mean == "step":
            total = sum(float(w.sum()) for w in held)
        else:
            total = self._data_mean * sum(w.numel() for w in held)
        device = self.accelerator.device
        kind = torch.float32 if device.type == "mps" else torch.float64
        mine = torch.tensor([total], dtype=kind, device=device)
        self._divisor = self.accelerator.gather(mine).sum()
        return batches, n_items

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The weighted loss of one micro-batch, scaled so that a step comes to the mean above."""
        weights = inputs.pop(self.weight_column, None)
        if weights is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        losses, outputs = self._losses(model, inputs, return_outputs)
        weights = weights.to(losses.device, losses.dtype)
        if self.model.training:
            if self._divisor is None:
                raise RuntimeError("a training step begins with get_batch_samples")
            # The trainer divides by the micro-batches of the step, and a distributed backward
            # pass takes the mean over the processes.
            shares = self.current_gradient_accumulation_steps * self.accelerator.num_processes
            loss = (weights * losses).sum() * (shares / self._divisor.to(losses.dtype))
        else:
            loss = (weights * losses).mean() / self._eval_mean
        return (loss, outputs) if return_outputs else loss

    def _losses(self, model: Any, inputs: Any, return_outputs: bool) -> tuple[torch.Tensor, Any]:
        """TRL's loss of every row alone, (n,), and the outputs, from one pass of each model."""
        names = [n for n in ("ref_model",) if getattr(self, n, None) is not None]
        held = {n: getattr(self, n) for n in names} | {
            "_metrics": self._metrics,
            "_total_train_tokens": self._total_train_tokens,
            "accelerator": self.accelerator,
        }
        once = _Remembered(model)
        remembered = [once, *(_Remembered(held[n]) for n in names)]
        n = int(inputs["input_ids"].shape[0]) // 2
        losses = []
        try:
            for name, one in zip(names, remembered[1:], strict=True):
                setattr(self, name, one)
            # The pass over the whole batch, of which TRL keeps its metrics.
            whole = super().compute_loss(once, dict(inputs), return_outputs)  # type: ignore[misc]
            held["_total_train_tokens"] = self._total_train_tokens
            self.accelerator = _Alone(self.accelerator)
            self._metrics = {"train": defaultdict(list), "eval": defaultdict(list)}
            for i in range(n):
                pair = torch.tensor([i, n + i], device=inputs["input_ids"].device)
                for one in remembered:
                    one.rows = pair
                row = {k: _of_row(v, n, pair) for k, v in inputs.items()}
                losses.append(super().compute_loss(once, row))  # type: ignore[misc]
        finally:
            for name, value in held.items():
                setattr(self, name, value)
        return torch.stack(losses), whole[1] if return_outputs else None

    # --- evaluation ---

    def evaluation_loop(self, dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        """The mean weight of the data first, so that the mean over batches is the weighted one."""
        data, column = dataloader.dataset, self.weight_column
        if isinstance(data, IterableDataset):
            if column in next(iter(data)):
                raise ValueError(f"a stream has no mean weight: drop its column {column!r}")
        elif column in getattr(data, "column_names", ()):
            self._eval_mean = _mean(data[column])
        try:
            return super().evaluation_loop(dataloader, *args, **kwargs)  # type: ignore[misc]
        finally:
            self._eval_mean = 1.0

    # --- what is not weighted ---

    def _refuse(self) -> None:
        """Raise ValueError where the weighted mean of row losses is not the weighted objective."""
        args = self.args
        n_rows = (
            args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        )
        if self.weight_mean == "step" and n_rows == 1:
            raise ValueError(
                "the weighted mean of one row does not depend on its weight: raise the batch size"
                " or gradient_accumulation_steps, or use weight_mean='data'"
            )
        for name in getattr(self, "loss_types", ()):
            if name in REFUSED_LOSSES:
                raise ValueError(f"loss_type {name!r} cannot be weighted: {REFUSED_LOSSES[name]}")
        if getattr(self, "aux_loss_enabled", False):
            raise ValueError(
                "the router's aux loss is one term of the whole batch, which no row's weight"
                " scales: set router_aux_loss_coef=0.0"
            )
        if getattr(self, "_is_vision_dataset", False):
            raise ValueError(
                "data with pictures cannot be weighted: their tensors are not one per row"
            )


def _mean(weights: Any) -> float:
    return float(torch.tensor(list(weights), dtype=torch.float64).mean())


def _of_row(value: Any, n: int, pair: torch.Tensor) -> Any:
    """What one row has of an input: both of its sequences, or its own number."""
    if not torch.is_tensor(value) or not value.ndim:
        return value
    if value.shape[0] == 2 * n:
        return value[pair]
    return value[pair[:1]] if value.shape[0] == n else value


class WeightedRewardTrainer(_Weighted, RewardTrainer):  # type: ignore[misc]
    """``trl.RewardTrainer`` whose training loss is the weighted mean over the rows of a step.

    weight_column : of the training data. weight_mean : "step" or "data", see the module. The rest
    as TRL has it.
    """


class WeightedDPOTrainer(_Weighted, DPOTrainer):  # type: ignore[misc]
    """``trl.DPOTrainer`` whose training loss is the weighted mean over the rows of a step.

    weight_column : of the training data. weight_mean : "step" or "data", see the module. The rest
    as TRL has it; some of its losses are refused, see the module.
    """

    def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
        """As TRL computes them; the weights are no input of a model."""
        given = {k: v for k, v in inputs.items() if k != self.weight_column}
        return super().compute_ref_log_probs(model, given)
