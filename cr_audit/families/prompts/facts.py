"""What is known of the kinds of prompt of a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import NamedKinds
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.models.kinds.within import (
    NO_LEADER,
    Leader,
    Within,
    agreement_within,
    judged_within,
    leaders,
)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """How judgements go within each kind; NotApplicable where the data cannot say.

    longer : does the answer with more characters win (those of equal length are left out); first :
    does the one that was shown first. A tie counts one half in both. leaders : the model that wins
    most within the kind; models : their names. n_repeated : int64 (k,), pairs of answers that were
    judged twice or more; agreement : float64 (k,), how often two judgements of one agree.
    """

    longer: Within | NotApplicable
    first: Within | NotApplicable
    leaders: tuple[Leader | NotApplicable, ...]
    models: tuple[str, ...]
    n_repeated: IntArray
    agreement: FloatArray


@dataclass(frozen=True, eq=False)
class PromptFacts:
    """The kinds, worked out when they are first asked for: a scan in a terminal does not show them.

    look : looks for them.
    """

    analysis: Analysis
    look: Callable[[], NamedKinds | NotApplicable] = field(repr=False)

    @cached_property
    def kinds(self) -> NamedKinds | NotApplicable:
        """The kinds, or why there are none to look for."""
        return self.look()

    @property
    def n(self) -> int:
        """Kinds."""
        return 0 if isinstance(self.kinds, NotApplicable) else self.kinds.n

    @cached_property
    def labels(self) -> IntArray:
        """int64 (n_prompts,): the kind of each prompt, -1 = none."""
        if isinstance(self.kinds, NotApplicable):
            return np.full(self.analysis.dataset.n_prompts, -1, np.int64)
        return self.kinds.found.labels

    def _count(self, labels: IntArray, weights: FloatArray | None = None) -> FloatArray:
        known = labels >= 0
        held = None if weights is None else weights[known]
        return np.bincount(labels[known], weights=held, minlength=self.n).astype(np.float64)

    @cached_property
    def prompt_share(self) -> FloatArray:
        """float64 (k,): of the prompts."""
        return self._count(self.labels) / max(self.labels.size, 1)

    @cached_property
    def judged(self) -> str:
        """What counts as a row: "comparison", of data without any "list", else "rating"."""
        data = self.analysis.dataset
        if data.comparisons.height:
            return "comparison"
        return "list" if data.choice_sets.height else "rating"

    @cached_property
    def _kind_of_row(self) -> IntArray:
        data = self.analysis.dataset
        if self.judged == "rating":
            prompts = data.prompt_of[data.ratings["alternative"].to_numpy()]
        else:
            frame = data.comparisons if self.judged == "comparison" else data.choice_sets
            prompts = frame["prompt"].to_numpy().astype(np.int64)
        # A row of data without prompts has none.
        out: IntArray = np.append(self.labels, -1)[prompts]
        return out

    @cached_property
    def n_judged(self) -> IntArray:
        """int64 (k,): rows whose prompt is of the kind."""
        return self._count(self._kind_of_row).astype(np.int64)

    @cached_property
    def judged_share(self) -> FloatArray:
        """float64 (k,): of the rows."""
        return self.n_judged / max(self._kind_of_row.size, 1)

    @cached_property
    def weight_share(self) -> FloatArray | NotApplicable:
        """float64 (k,): of the weight of all responses, what those to prompts of the kind hold."""
        weights = self.analysis.weights
        if isinstance(weights, NotApplicable):
            return weights
        return self._count(self.labels[self.analysis.dataset.prompt_of], weights.weights)

    @cached_property
    def copy_share(self) -> FloatArray | NotApplicable:
        """float64 (k,): of the kind's prompts, those that are copies (exact or near) of another."""
        copies = self._copies
        if isinstance(copies, NotApplicable):
            return copies
        several = np.bincount(copies)[copies] > 1
        return self._count(self.labels, several.astype(np.float64)) / np.maximum(
            self._count(self.labels), 1.0
        )

    @property
    def _copies(self) -> IntArray | NotApplicable:
        """int64 (n_prompts,): prompts with one number are copies of each other."""
        clones = self.analysis.clones
        return clones if isinstance(clones, NotApplicable) else clones.prompt_labels.labels

    @cached_property
    def judgements(self) -> Judged | NotApplicable:
        """Who wins in each kind, and whether judgements agree."""
        data = self.analysis.dataset
        c = data.comparison_arrays()
        if not c.n:
            return NotApplicable("the data holds no comparisons")
        group, level = self._kind_of_row, self.analysis.settings.confidence_level
        copies = self._copies
        alone = np.arange(data.n_prompts, dtype=np.int64)
        cluster = np.append(alone if isinstance(copies, NotApplicable) else copies, -1)[c.prompt]
        # Copies of one prompt may be of two kinds, or of none.
        cluster = cluster * (self.n + 1) + group
        models, names = data.models()
        length = data.alternatives["text"].str.len_chars().cast(float).to_numpy()
        more = length[c.winner] - length[c.loser]
        told = np.flatnonzero(np.isfinite(more) & (more != 0))

        def rates(some: IntArray, value: FloatArray, reason: str) -> Within | NotApplicable:
            if not some.size:
                return NotApplicable(reason)
            return judged_within(value, group[some], cluster[some], self.n, level=level)

        placed = np.flatnonzero(c.winner_first >= 0)
        n_repeated, agreement = agreement_within(c, group, self.n)
        first, out = c.winner_first[placed] == 1, c.outcome
        return Judged(
            longer=rates(
                told,
                np.where(more[told] > 0, out[told], 1 - out[told]),
                "no two answers with texts of different length were compared",
            ),
            first=rates(
                placed,
                np.where(first, out[placed], 1 - out[placed]),
                "the data does not say which answer was shown first",
            ),
            leaders=leaders(c, models.labels, len(names), group, cluster, self.n, level=level)
            if len(names) > 1
            else (NO_LEADER,) * self.n,
            models=names,
            n_repeated=n_repeated,
            agreement=agreement,
        )
