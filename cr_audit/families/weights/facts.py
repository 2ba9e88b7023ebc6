"""What is known about the weights: those that every table uses, and the paper's beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.weights.estimates import Weights
from cr_audit.weights.schemes import PAPER


@dataclass(frozen=True, slots=True, eq=False)
class ClusterMass:
    """What a group of clones keeps. members : int64, ascending. item_share : of the responses;
    used, voronoi : of the weight by either scheme, NaN without; error : standard error of
    ``voronoi`` (Monte Carlo; sqrt of the sum of squares over the members)."""

    members: IntArray
    item_share: float
    used: float
    voronoi: float
    error: float


@dataclass(frozen=True, eq=False)
class WeightFacts:
    """analysis : with the weights that are used. voronoi : those of [CR], sampled when they are
    first asked for; the same object where they are the ones that are used."""

    analysis: Analysis
    make_voronoi: Callable[[], Weights | NotApplicable] = field(repr=False)

    @cached_property
    def voronoi(self) -> Weights | NotApplicable:
        """The weights of [CR], or why there are none."""
        return self.make_voronoi()

    @property
    def voronoi_is_used(self) -> bool:
        """Whether the tables of the report are by the paper's weights."""
        return self.analysis.settings.weights == PAPER

    @cached_property
    def masses(self) -> tuple[ClusterMass, ...]:
        """Every group of two clones or more, the largest first."""
        clones = self.analysis.clones
        if isinstance(clones, NotApplicable):
            return ()
        labels = clones.labels.labels
        sizes = np.bincount(labels, minlength=1)
        of_one = np.flatnonzero(sizes > 1)
        order = np.argsort(labels, kind="stable")
        starts = np.concatenate([[0], np.cumsum(sizes)])
        groups = [np.sort(order[starts[g] : starts[g + 1]]) for g in of_one]
        groups.sort(key=lambda members: (-members.size, int(members[0])))
        return tuple(self._mass(members) for members in groups)

    def _mass(self, members: IntArray) -> ClusterMass:
        used, paper = self.analysis.weights, self.voronoi
        unknown = float("nan")
        return ClusterMass(
            members=members,
            item_share=members.size / self.analysis.dataset.n_alternatives,
            used=unknown if isinstance(used, NotApplicable) else float(used.weights[members].sum()),
            voronoi=unknown
            if isinstance(paper, NotApplicable)
            else float(paper.weights[members].sum()),
            error=unknown
            if isinstance(paper, NotApplicable)
            else float(np.sqrt(np.sum(paper.standard_error[members] ** 2))),
        )
