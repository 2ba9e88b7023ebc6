"""Weights by soft neighbour counts.

w(x) is proportional to 1 / (1 + s sum_j K(d(x, j))), K(d) = max(0, 1 - d / width): an item shares
its vote with everything near it. Clones count as one item, so the neighbourhood answers only for
what is alike without being a copy. The width is found from the data (``sharing_width``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from cr_audit.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cr_audit.weights.distinct import Distinct, distinct_items, each_block
from cr_audit.weights.estimates import Weights, capped, known_weights
from cr_audit.weights.landmarks import landmark_densities
from cr_audit.weights.scheme import Options, Weighed
from cr_audit.weights.schemes.sharing_width import EXACT_UP_TO, WidthSearch, find_width
from cr_audit.weights.scope import WeightsByPrompt, assembled, members_of
from cr_audit.wording import percent

NOT_WORTH, WORTH = 0.25, 0.4
"""What a width takes away of the effect of multiplied regions, for each part of the effective
number that it costs: at NOT_WORTH and below neighbours do not count, at WORTH and above in full, in
between in proportion, so that a little more data never turns neighbours on or off. Topics that are
there give 0.33 and more, data without any 0.26 and less, and there weighted fits predict worse than
standard ones (benchmarks/README.md, "Case study" and "Schemes on real data")."""


def worth(expected_shift: float, effective_share: float) -> float:
    """How much neighbours count: 0 up to NOT_WORTH, 1 from WORTH on, of gain / cost.

    gain = 1 - expected_shift, of the width found, see ``WidthSearch``; cost = 1 - effective_share,
    effective number of the distinct items under the weights at that width, as a share of them.
    """
    gain, cost = 1.0 - expected_shift, 1.0 - effective_share
    if gain <= 0.0 or cost <= 0.0:
        return float(gain > 0.0)
    return float(np.clip((gain / cost - NOT_WORTH) / (WORTH - NOT_WORTH), 0.0, 1.0))


def sharing_weights(
    contexts: Any,
    *,
    width: float | None = None,
    strength: float = 1.0,
    duplicates: IntArray | None = None,
    clusters: IntArray | None = None,
    empty: BoolArray | None = None,
    workers: int | None = None,
    rng: np.random.Generator | None = None,
) -> Weights:
    """w(x) = (1 / D(x)) / sum_y 1 / D(y), D(x) = 1 + s sum_j max(0, 1 - d(x, j) / width).

    The inner sum is over all distinct items j but x; s is the ``strength``, 0 to 1. Items that are
    equal (``duplicates``, see ``merge_duplicates``) or clones of each other (``clusters``, int64
    (m,), equal label = clones; -1 = a clone of nobody) are one item, that of the first of them,
    and share its weight evenly: adding a clone to a cluster moves nobody else. contexts : (m, d)
    or ``Contexts``; d is the Euclidean distance. ``width`` 0: D = 1, only clones share. ``width``
    None: ``find_width``, which needs ``rng``, and the strength that what it finds is ``worth``;
    width 0 where that is nothing. The settings of the result echo the width and strength used, and
    where they were searched for the width found, the shift that the search expects of it and the
    effective share that it leaves, both at strength 1.

    ``empty``, bool (m,): items without content get at most the mean of the others' weights.

    Cost: m^2 d / 2 multiplications per core; memory: the contexts and 256 x m floats per worker.
    Above ``EXACT_UP_TO`` distinct items D is estimated from landmarks, where ``rng`` is given, each
    with a relative standard error of at most 2 % (``landmarks``); ``density_error`` of the settings
    is their root mean square.
    Source: [CR] section 6 asks for such schemes. Deviation from [CR]: none of its theorems is about
    this one; moving an item by eps changes D of any other by s eps / width at most.
    Raises ComputeError as ``voronoi_weights`` does, ValueError for a negative width.
    """
    items = distinct_items(contexts, duplicates, clusters)
    return sharing_weights_within(
        [items], [empty], width=width, strength=strength, workers=workers, rng=rng
    )[0]


def sharing_weights_within(
    sets: Sequence[Distinct],
    empty: Sequence[BoolArray | None] | None = None,
    *,
    width: float | None = None,
    strength: float = 1.0,
    workers: int | None = None,
    rng: np.random.Generator | None = None,
) -> list[Weights]:
    """``sharing_weights`` of sets of items that do not see each other, at one width and strength,
    given or found over all of them."""
    blank = [None] * len(sets) if empty is None else empty
    if width is not None:
        given = {"width": width, "strength": strength, "width_found": False}
        known = [_densities(s, width, workers, rng) for s in sets]
        return [
            _shared(s, density, given | error, e)
            for s, (density, error), e in zip(sets, known, blank, strict=True)
        ]
    if rng is None:
        raise ValueError("a width can be found only with rng")
    search = find_width(sets, workers=workers, rng=rng)
    densities = [_densities(s, search.width, workers, rng) for s in sets]
    several = [effective_share(d) for d, _ in densities if d.size > 1]
    settings = {"width_found": True} | _decided(search, several)
    return [
        _shared(s, d, settings | known, e)
        for s, (d, known), e in zip(sets, densities, blank, strict=True)
    ]


def _decided(search: WidthSearch, effective: Sequence[float]) -> dict[str, Any]:
    """The settings that follow from a search: the width found and how much neighbours within it
    count, or 0 and 0 where that is not worth it, or where there was nothing to search.

    effective : effective share under the width found, of every set of items that it was found for.
    """
    if search.widths.size == 1:
        return {"width": 0.0, "strength": 0.0}
    shift = float(search.shifts[np.flatnonzero(search.widths == search.width)[0]])
    share = float(np.mean(effective))
    strength = worth(shift, share)
    return {
        "width": search.width if strength > 0 else 0.0,
        "strength": strength,
        "width_searched": search.width,
        "expected_shift": shift,
        "effective_share": share,
    }


def effective_share(density: FloatArray) -> float:
    """(sum v)^2 / (n sum v^2) of v = 1 / density: 1 where all are equal, else below."""
    v = 1.0 / density
    return float(v.sum() ** 2 / (v.size * np.sum(v**2)))


def _densities(
    items: Distinct, width: float, workers: int | None, rng: np.random.Generator | None
) -> tuple[FloatArray, dict[str, float]]:
    """D at strength 1 of every distinct item: float64 (u,), at least 1; and, where it is estimated
    (more than ``EXACT_UP_TO`` items, and ``rng`` given), how well it is known."""
    if width == 0:
        return np.ones(items.n), {}
    if not width > 0:
        raise ValueError(f"the width must not be negative, as {width} is")
    if items.n > EXACT_UP_TO and rng is not None:
        density, error = landmark_densities(items, width, workers=workers, rng=rng)
        return density, {"density_error": float(np.sqrt(np.mean(error**2)))}
    work = partial(_density, items, np.float32(1 / width))
    return np.concatenate(each_block(items.n, work, workers)), {}


def _density(items: Distinct, inverse: np.float32, rows: slice) -> FloatArray:
    d = items.distances(np.arange(rows.start, rows.stop))
    out: FloatArray = np.maximum(1 - d * inverse, np.float32(0)).sum(axis=1, dtype=np.float64)
    return out


def _shared(
    items: Distinct, density: FloatArray, settings: dict[str, Any], empty: BoolArray | None
) -> Weights:
    share = 1.0 / ((1.0 + settings["strength"] * (density - 1.0)) * np.bincount(items.cells))
    return known_weights("sharing", capped(share[items.cells], empty), items.cells, settings)


def sharing_weights_by_prompt(
    response_vectors: Float32Array,
    prompt_of: IntArray,
    *,
    width: float | None = None,
    strength: float = 1.0,
    duplicates: IntArray | None,
    clusters: IntArray | None,
    empty: BoolArray | None = None,
    rng: np.random.Generator,
) -> WeightsByPrompt:
    """``sharing_weights`` of the responses of each prompt among themselves, at one common width.

    The width and its strength are found over all prompts together (``sharing_weights_within``): a
    prompt alone has too few responses to show them; or they are given, as there. Arguments as
    for ``voronoi_weights_by_prompt``; clusters : int64 (m,), clones have equal labels. Clones under
    two prompts are weighed under each.
    """
    members = members_of(prompt_of)

    def of(labels: IntArray | None, items: IntArray) -> IntArray | None:
        return None if labels is None else labels[items]

    sets = [
        distinct_items(response_vectors[items], of(duplicates, items), of(clusters, items))
        for items in members
    ]
    blank = [None if empty is None else empty[items] for items in members]
    parts = tuple(sharing_weights_within(sets, blank, width=width, strength=strength, rng=rng))
    return assembled(members, parts, prompt_of.shape[0])


class Sharing:
    """``sharing_weights``, prompt by prompt where asked, at one common width."""

    name = "sharing"
    summary = "clones share one vote, and near neighbours share where that is worth it"
    needs_vectors = True
    needs_clones = False
    uses_clones = True
    corrects = True
    spaces: tuple[str, ...] = ()
    gram_spaces: tuple[str, ...] = ()

    def weigh(self, items: Weighed, options: Options, rng: np.random.Generator) -> Weights:
        width, strength = options.found.get("width"), options.found.get("strength", 1.0)
        if items.prompt_of is not None:
            return sharing_weights_by_prompt(
                np.asarray(items.contexts, dtype=np.float32),
                items.prompt_of,
                duplicates=items.duplicates,
                width=width,
                strength=strength,
                clusters=items.clones,
                empty=items.empty,
                rng=rng,
            )
        return sharing_weights(
            items.contexts,
            width=width,
            strength=strength,
            duplicates=items.duplicates,
            clusters=items.clones,
            empty=items.empty,
            workers=options.workers,
            rng=rng,
        )

    def found(
        self, items: Weighed, options: Options, rng: np.random.Generator
    ) -> Mapping[str, float]:
        settings = self.weigh(items, options, rng).settings
        return {name: float(settings[name]) for name in ("width", "strength")}

    def in_words(self, space: str, settings: Mapping[str, Any]) -> str:
        if "width" not in settings:
            return self.name
        width, strength = settings["width"], settings["strength"]
        if width == 0 or strength == 0:
            return f"{self.name}, clones alone"
        share = f" at {percent(strength)}" if strength < 1 else ""
        return f"{self.name}, width {width:.3g}{share}"

    def deed(self, settings: Mapping[str, Any]) -> str:
        """Clones alone, or a neighbourhood as well, and why."""
        if "expected_shift" not in settings:
            return "clones share one vote"
        gain = max(0.0, 1 - settings["expected_shift"])
        saved = f"takes away {percent(gain)} of the effect of multiplied regions"
        cost = f"costs {percent(1 - settings['effective_share'])} of the effective number"
        width = f"{settings['width_searched']:.3g}"
        if settings["width"] == 0:
            return (
                f"clones share one vote; neighbours do not, since the best width found ({width})"
                f" {saved} and {cost}"
            )
        strength = settings["strength"]
        if strength < 1:
            return (
                f"clones share one vote, and neighbours within {width} count {percent(strength)}:"
                f" in full that {saved} and {cost}"
            )
        return f"clones share one vote, and neighbours within {width}: that {saved} and {cost}"


SHARING = Sharing()
