"""Which answer to a prompt a linear reward puts first, and on how many comparisons that hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from cr_audit.analysis.fitting import fitting_of
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.families.sensitivity.facts import Decision, Decisions
from cr_audit.models.rewards.kinds.linear import LINEAR
from cr_audit.models.sensitivity.linear import LinearFlips

if TYPE_CHECKING:
    from cr_audit.run import Run

LEVELS = (1, 2, 3, 5, 10)
"""Numbers of comparisons for which the decisions that are not proved to stand are counted."""
N_SEARCHED = 5
MAX_ROWS = 20
MAX_PRODUCTS = 2_000_000_000
"""Comparisons x rivals: beyond, the bounds of all decisions would take minutes."""


def decisions_of(run: Run) -> Decisions | NotApplicable:
    """Of the standard fit, with ``--flip``; what stands in the way otherwise."""
    if not run.options.get("flip", False):
        return NotApplicable("looked at with --flip")
    analysis, data = run.analysis, run.dataset
    if isinstance(analysis.embedding, NotApplicable):
        return NotApplicable(f"a linear reward needs vectors: {analysis.embedding.reason}")
    rows = data.comparison_arrays()
    prompt = data.prompt_of
    best_of = np.bincount(prompt[prompt >= 0], minlength=1)
    if rows.n == 0 or not bool((best_of > 1).any()):
        return NotApplicable("no prompt has two answers that a reward could choose from")
    n_rivals = int((best_of[best_of > 1] - 1).sum())
    if n_rivals * rows.n > MAX_PRODUCTS:
        return NotApplicable(f"{n_rivals:,} rivals and {rows.n:,} comparisons are too many")
    run.progress("decisions", 0, 0)
    problem = fitting_of(analysis, analysis.units[0], LINEAR, None).problem
    m = data.n_alternatives
    assert problem.contexts is not None
    flips = LinearFlips(
        rows,
        cast(FloatArray, np.asarray(problem.contexts)),
        np.full(m, 1.0 / m),
        problem.penalty,
        count_weighted=problem.count_weighted,
    )
    above, below = _rivals(flips.rewards, prompt)
    gap = flips.rewards[above] - flips.rewards[below]
    hanging = [
        (k, int(np.unique(prompt[above[~flips.proved(k, above, below)]]).size)) for k in LEVELS
    ]
    closest = np.lexsort((below, above, gap))[:N_SEARCHED]
    return Decisions(
        n=int(np.unique(prompt[above]).size),
        n_comparisons=rows.n,
        penalty=problem.penalty,
        n_hanging=tuple(hanging),
        most_fragile=tuple(
            _searched(run, flips, int(above[i]), int(below[i])) for i in closest.tolist()
        ),
    )


def _rivals(rewards: np.ndarray, prompt: IntArray) -> tuple[IntArray, IntArray]:
    """Each prompt's best answer against every other answer to it; int64 (q,) each."""
    order = np.lexsort((np.arange(rewards.size), -rewards, prompt))
    order = order[prompt[order] >= 0]
    at = prompt[order]
    first = np.concatenate([[True], at[1:] != at[:-1]])
    best = order[np.flatnonzero(first)[np.cumsum(first) - 1]]
    return best[~first], order[~first]


def _searched(run: Run, flips: LinearFlips, above: int, below: int) -> Decision:
    frame = run.dataset.alternatives
    found = flips.turned_by(above, below)
    none = isinstance(found, NotApplicable)
    upper = found if isinstance(found, NotApplicable) else int(found.size)
    limit = flips.rows.n if isinstance(found, NotApplicable) else int(found.size) - 1
    prompt = run.dataset.prompts["text"][frame["prompt"][above]]
    texts = [frame["text"][i] or frame["model"][i] or "" for i in (above, below)]
    return Decision(
        prompt=prompt or "",
        above=frame["id"][above],
        below=frame["id"][below],
        above_text=texts[0],
        below_text=texts[1],
        lower=min(flips.lower(above, below, limit), flips.rows.n),
        upper=upper,
        rows=() if none else places(run, np.asarray(found)[:MAX_ROWS]),
    )


def places(run: Run, lines: IntArray) -> tuple[str, ...]:
    """Comparisons of the data set as file:line."""
    frame, files = run.dataset.comparisons, run.dataset.report.files
    return tuple(f"{files[frame['file'][i]].path}:{frame['line'][i]}" for i in lines.tolist())
