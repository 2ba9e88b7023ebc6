"""The same weight for every item: the standard fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cr_audit.errors import ComputeError
from cr_audit.weights.estimates import Weights, known_weights
from cr_audit.weights.scheme import Options, Weighed


def uniform_weights(m: int) -> Weights:
    """1 / m each."""
    if m < 1:
        raise ComputeError("no-contexts", "weights need at least one item")
    return known_weights("uniform", np.ones(m), np.arange(m, dtype=np.int64), {})


class Uniform:
    """``uniform_weights``."""

    name = "uniform"
    summary = "every item counts the same: the standard fit"
    needs_vectors = False
    needs_clones = False
    uses_clones = False
    corrects = False
    spaces: tuple[str, ...] = ()
    gram_spaces: tuple[str, ...] = ()

    def weigh(self, items: Weighed, options: Options, rng: np.random.Generator) -> Weights:
        return uniform_weights(items.n)

    def found(
        self, items: Weighed, options: Options, rng: np.random.Generator
    ) -> Mapping[str, float]:
        return {}

    def in_words(self, space: str, settings: Mapping[str, Any]) -> str:
        return self.name

    def deed(self, settings: Mapping[str, Any]) -> str:
        return "nothing is corrected"


UNIFORM = Uniform()
