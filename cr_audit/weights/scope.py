"""Against whom an alternative is weighed: all others of the data set, or those of its own prompt.

Two responses per prompt weighed prompt by prompt have 1/2 and 1/2: weighted equals standard, and
the audit is empty; so the scope is the data set unless prompts have many alternatives. With many,
opponents always share the prompt, only the weights within a prompt enter a win rate, and weighing
there is far more precise: sqrt(m_q / N) instead of sqrt(m / N).

What a prompt weighs beside other prompts is the number of different items that it has: clones under
one prompt share one vote there, and the vote that they do not have falls to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.weights.estimates import COLLAPSED_BELOW, Weights

MANY_ALTERNATIVES = 5
"""From this median number of compared alternatives per prompt on, the scope is the prompt."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightsByPrompt(Weights):
    """Weights estimated within each prompt, every prompt's items together weighing u_q / sum u.

    u_q is the number of different items of prompt q (``n_cells`` of its part: a cluster of clones
    is one where the scheme knows clones, equal items always are). By the number of all items a copy
    would raise every other answer to its prompt. The method and the space are those of the parts.
    members : the items of each prompt; parts : their own weights, in the same order. The error
    fields describe the worst prompt; n_samples is the number per prompt of the largest one.
    """

    members: tuple[IntArray, ...] = ()
    parts: tuple[Weights, ...] = ()

    def resample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """As ``Weights.resample``, each prompt drawn on its own."""
        out = np.empty((n, self.m))
        for items, part, share in zip(self.members, self.parts, _shares(self.parts), strict=True):
            out[:, items] = part.resample(n, rng) * share
        return out


def _shares(parts: tuple[Weights, ...]) -> list[float]:
    """What each prompt weighs; sum 1."""
    total = sum(p.n_cells for p in parts)
    return [p.n_cells / total for p in parts]


def median_compared_per_prompt(prompt_of: IntArray, compared: IntArray) -> float:
    """Median over prompts of how many of their alternatives stand in a comparison.

    prompt_of : int64 (m,); compared : the indices of alternatives with a comparison.
    """
    counts = np.bincount(prompt_of[np.unique(compared)])
    counts = counts[counts > 0]
    return float(np.median(counts)) if counts.size else 0.0


def members_of(prompt_of: IntArray) -> tuple[IntArray, ...]:
    """The items of each prompt, prompts in ascending order."""
    order = np.argsort(prompt_of, kind="stable")
    return tuple(np.split(order, np.flatnonzero(np.diff(prompt_of[order])) + 1))


def assembled(members: tuple[IntArray, ...], parts: tuple[Weights, ...], m: int) -> WeightsByPrompt:
    """One set of weights of all items."""
    weights, error = np.zeros(m), np.zeros(m)
    cells = np.zeros(m, np.int64)
    offset = 0
    shares = _shares(parts)
    for items, part, share in zip(members, parts, shares, strict=True):
        weights[items], error[items] = part.weights * share, part.standard_error * share
        cells[items] = part.cells + offset
        offset += part.n_cells
    several = [p for p in parts if p.n_cells > 1]
    cautions = set().union(*(p.cautions for p in several)) if several else {"equals-uniform"}
    if several and not all("equals-uniform" in p.cautions for p in several):
        cautions.discard("equals-uniform")
    corrected = 1.0 / sum(
        share**2 / p.effective_number_corrected for p, share in zip(parts, shares, strict=True)
    )
    cautions.discard("collapsed")
    if corrected < COLLAPSED_BELOW * m:
        cautions.add("collapsed")
    worst = max(parts, key=lambda p: p.max_relative_error)
    return WeightsByPrompt(
        method=worst.method,
        space=worst.space,
        weights=weights,
        standard_error=error,
        cells=cells,
        hits=None,
        n_samples=worst.n_samples,
        precision=worst.precision,
        max_relative_error=worst.max_relative_error,
        reached=all(p.reached for p in parts),
        effective_number=1.0 / float(np.sum(weights**2)),
        effective_number_corrected=corrected,
        zero_share=float(np.mean(weights == 0)),
        zero_upper_bound=max(
            p.zero_upper_bound * share for p, share in zip(parts, shares, strict=True)
        ),
        n_cells=offset,
        n_merged=m - offset,
        outside_share=float(sum(p.outside_share * p.m for p in parts)) / m,
        cautions=tuple(sorted(cautions)),
        settings={**worst.settings, "scope": "prompt"},
        members=members,
        parts=parts,
    )
