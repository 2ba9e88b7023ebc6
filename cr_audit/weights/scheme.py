"""What a weighting scheme is, and the registry of them.

A scheme is a file in ``schemes/`` and a line below, or an object that somebody else's program
registers. It declares what it needs, weighs whatever it is given (responses, models, items of a
benchmark), and says in words what it did; nobody asks for its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from cr_audit.arrays import BoolArray, IntArray
from cr_audit.weights.contexts import Contexts
from cr_audit.weights.estimates import (
    DEFAULT_MAX_PRODUCTS,
    DEFAULT_MIN_SAMPLES,
    DEFAULT_PRECISION,
    Weights,
)
from cr_audit.weights.schemes import SCHEMES
from cr_audit.weights.spaces import Vectors

Keep = Callable[[str, Sequence[Any], Callable[[], Any]], Any]
"""(name, inputs, compute): ``compute()``, or what it gave earlier for the same inputs."""


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """Which of the items were there before the others.

    old : int64, ascending, at least one. earlier : what the same call gave for these alone, None
    where that is not known. keep : where results about the old items are found again.
    """

    old: IntArray
    keep: Keep
    earlier: Weights | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """``n`` items to be weighed.

    contexts : (n, d) or ``Contexts``; None where nothing is known and the scheme needs none.
    duplicates : int64 (n,), equal label = equal prompt and text, -1 = no label. clones : int64
    (n,), equal label = clones; None where unknown, or where the scheme does not use them.
    empty : bool (n,), items without content, which a scheme that is recommended gives no more than
    the average weight; None where that is not known.
    prompt_of : int64 (n,); where given, items are weighed among those of their own prompt.
    """

    n: int
    contexts: Contexts | Vectors | None = None
    duplicates: IntArray | None = None
    clones: IntArray | None = None
    prompt_of: IntArray | None = None
    empty: BoolArray | None = None
    growth: Growth | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What a user or a caller may choose; a scheme reads what concerns it.

    space, precision, min_samples, max_products, sampler : of sampled weights, see
    ``voronoi_weights``.
    found : settings of these or of earlier weights (``Scheme.found``, ``Weights.settings``); what a
    scheme would look for in the items it takes from there.
    """

    space: str = "sphere"
    precision: float = DEFAULT_PRECISION
    min_samples: int = DEFAULT_MIN_SAMPLES
    max_products: float = DEFAULT_MAX_PRODUCTS
    sampler: str = "auto"
    workers: int | None = None
    found: Mapping[str, Any] = field(default_factory=dict)


class Scheme(Protocol):
    """One way to weigh items.

    name, summary : as ``--weights`` names it, and in one sentence.
    needs_vectors, needs_clones : cannot weigh without contexts, without clone labels. uses_clones :
    takes clone labels where they are known. corrects : False for the scheme that gives every item
    the same, whose weighted fit is the standard one.
    spaces : that it can be asked for in, () where it knows none; gram_spaces : those that need
    nothing but inner products.
    """

    name: str
    summary: str
    needs_vectors: bool
    needs_clones: bool
    uses_clones: bool
    corrects: bool
    spaces: tuple[str, ...]
    gram_spaces: tuple[str, ...]

    def weigh(self, items: Weighed, options: Options, rng: np.random.Generator) -> Weights:
        """The weights, and how far they can be trusted. Errors as ``voronoi_weights``."""
        ...

    def found(
        self, items: Weighed, options: Options, rng: np.random.Generator
    ) -> Mapping[str, float]:
        """The settings that ``weigh`` would look for in these items, for ``Options.found``; {}
        where it looks for none."""
        ...

    def in_words(self, space: str, settings: Mapping[str, Any]) -> str:
        """The scheme and what was chosen, in a few words; settings : ``Weights.settings``."""
        ...

    def deed(self, settings: Mapping[str, Any]) -> str:
        """What the weights of this data do, and why: the end of a sentence."""
        ...


@dataclass(frozen=True, slots=True)
class Variant:
    """A scheme by its name, in one of its spaces where it has any."""

    method: str
    space: str | None = None

    @property
    def name(self) -> str:
        """As tables name it: "voronoi sphere"; "standard" for uniform weights."""
        if self == STANDARD:
            return "standard"
        return f"{self.method} {self.space}" if self.space else self.method

    @property
    def scheme(self) -> Scheme:
        """The scheme itself; UsageError where it is not registered."""
        return SCHEMES.get(self.method)

    def options(self, options: Options) -> Options:
        """``options`` in this variant's space."""
        return options if self.space is None else replace(options, space=self.space)


STANDARD = Variant("uniform")


def variants(*, by_gram: bool = False) -> tuple[Variant, ...]:
    """Every scheme in every of its spaces, those that correct nothing first.

    by_gram : only where inner products alone say the weights, as of models.
    """
    out: list[Variant] = []
    for scheme in sorted(SCHEMES.all(), key=lambda s: s.corrects):
        spaces = scheme.gram_spaces if by_gram else scheme.spaces
        out += [Variant(scheme.name, s) for s in spaces] if spaces else [Variant(scheme.name)]
    return tuple(out)
