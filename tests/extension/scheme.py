"""A weighting scheme: every item the same weight, whatever it says (a toy)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cr_audit.weights.estimates import Weights, known_weights
from cr_audit.weights.scheme import Options, Weighed
from cr_audit.weights.schemes import SCHEMES


class Flat:
    """The same weight for every item. The methods are those of ``weights.scheme.Scheme``."""

    name = "flat"
    summary = "every item counts the same (a toy)"
    needs_vectors = False
    needs_clones = False
    uses_clones = False
    corrects = False
    spaces: tuple[str, ...] = ()
    gram_spaces: tuple[str, ...] = ()

    def weigh(self, items: Weighed, options: Options, rng: np.random.Generator) -> Weights:
        return known_weights("flat", np.ones(items.n), np.arange(items.n, dtype=np.int64), {})

    def found(
        self, items: Weighed, options: Options, rng: np.random.Generator
    ) -> Mapping[str, float]:
        return {}

    def in_words(self, space: str, settings: Mapping[str, Any]) -> str:
        return "flat"

    def deed(self, settings: Mapping[str, Any]) -> str:
        return "nothing is corrected"


def add() -> None:
    """Register the scheme."""
    SCHEMES.register("flat", Flat())
