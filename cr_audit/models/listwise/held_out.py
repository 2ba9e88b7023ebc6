"""Does a violation of IIA matter for prediction? Log-likelihoods of choices that no fit saw.

The same folds for every model: units (annotators or prompts), not lists, are dealt out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.models.listwise.logit import by_unit

# From (training lists, held-out lists) to log P of each held-out choice, or why there is none.
Scorer = Callable[[BoolArray, BoolArray], FloatArray | NotApplicable]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """mean : log P per list (nats), by model. gain : mean minus that of the first model; error : of
    the gain, over units. missing : models that some fold could not fit, with the reason."""

    mean: Mapping[str, float]
    gain: Mapping[str, float]
    error: Mapping[str, float]
    missing: Mapping[str, str]
    n_folds: int
    n_lists: int


def deal_folds(unit: IntArray, n_folds: int, rng: np.random.Generator) -> IntArray:
    """int64 (n,): the fold of each list; all lists of a unit are in one fold."""
    _, code = np.unique(unit, return_inverse=True)
    n_units = int(code.max(initial=-1)) + 1
    fold = np.arange(n_units) % n_folds
    rng.shuffle(fold)
    return fold[code].astype(np.int64)


def compare_held_out(
    scorers: Mapping[str, Scorer], fold: IntArray, unit: IntArray, mass: FloatArray
) -> HeldOut | NotApplicable:
    """Score every list by the fits that did not see its fold; the first scorer is the reference.

    fold, unit : int64 (n,). mass : float64 (n,). NotApplicable where the reference cannot be
    fitted in some fold.
    """
    n_folds = int(fold.max(initial=-1)) + 1
    if n_folds < 2:
        return NotApplicable("fewer than two independent units: nothing can be held out")
    scores: dict[str, FloatArray] = {}
    missing: dict[str, str] = {}
    for name, scorer in scorers.items():
        out = np.full(fold.shape[0], np.nan)
        for f in range(n_folds):
            held = fold == f
            found = scorer(~held, held)
            if isinstance(found, NotApplicable):
                missing[name] = found.reason
                break
            out[held] = found
        else:
            scores[name] = out
    reference = next(iter(scorers))
    if reference not in scores:
        return NotApplicable(missing[reference])
    total = float(mass.sum())
    mean = {name: float((mass * s).sum()) / total for name, s in scores.items()}
    error = {}
    for name, s in scores.items():
        excess = mass * (s - scores[reference] - (mean[name] - mean[reference]))
        summed = by_unit(excess[:, None], unit)[:, 0]
        g = summed.shape[0]
        error[name] = float(np.sqrt((summed**2).sum() * g / max(g - 1, 1))) / total
    return HeldOut(
        mean=mean,
        gain={name: mean[name] - mean[reference] for name in mean},
        error=error,
        missing=missing,
        n_folds=n_folds,
        n_lists=int(fold.shape[0]),
    )
