"""One vote for each kind of answer, shared evenly by its members.

Kinds are here the groups in meaning on which halves of the data agree best
(``models.kinds.find.find_division``): coarser than clones, and found without being told how many
there are. Where two ways to speak of one thing are one kind, adding more of the second moves
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.models.kinds.find import find_division
from cr_audit.weights.distinct import distinct_items
from cr_audit.weights.estimates import Weights, capped, known_weights
from cr_audit.weights.scheme import Options, Weighed


def kind_weights(
    contexts: Any,
    *,
    resolution: float | None = None,
    duplicates: IntArray | None = None,
    clusters: IntArray | None = None,
    empty: BoolArray | None = None,
    rng: np.random.Generator,
) -> Weights:
    """w(x) = u_K / (u k |K|) for x in one of k kinds, 1 / u in none.

    u distinct items, of which u_K are in kinds.
    Items that are equal (``duplicates``) or clones (``clusters``, int64 (m,), equal label = clones,
    -1 = a clone of nobody) are one item, that of the first of them, and share its weight evenly;
    |K| counts such items. What is of no kind keeps the average weight; what the kinds hold
    together is divided evenly among them. Without kinds that is ``cluster``.

    contexts : (m, d) or ``Contexts``. resolution : of the kinds, None = found, 0 = none; the
    settings echo it, with how far halves agree where it was found. ``empty``, bool (m,): items
    without content get at most the mean of the others' weights.
    Cost and memory: those of ``find_kinds`` over u rows of float32. Errors: ComputeError as
    ``voronoi_weights``.

    Deviation from [CR]: none of its theorems is about this one, and it is not continuous: an item
    that moves from one kind to another takes another weight.
    """
    items = distinct_items(contexts, duplicates, clusters)
    rows = np.hstack([b.rows if b.of is None else b.rows[b.of] for b in items.blocks])
    found = find_division(rows.astype(np.float32), resolution=resolution, rng=rng)
    share = kind_shares(found.labels) / np.bincount(items.cells)
    settings: dict[str, Any] = {
        "resolution": found.resolution,
        "n_kinds": int(found.labels.max(initial=-1)) + 1,
        "in_kinds": float((found.labels >= 0).mean()),
    }
    if np.isfinite(found.agreement):
        settings |= {"agreement": found.agreement, "by_chance": found.by_chance}
    return known_weights("kinds", capped(share[items.cells], empty), items.cells, settings)


def kind_shares(labels: IntArray) -> FloatArray:
    """Weights of items by the kind of each: int64 (u,), 0 .. k - 1 or -1 = none; they sum to 1."""
    size = np.bincount(labels[labels >= 0])
    u, inside = labels.size, int(size.sum())
    if not inside:
        return np.full(u, 1.0 / u)
    # A label of -1 picks the last entry, that of no kind.
    per_item = np.append(inside / (u * size.size * size), 1.0 / u)
    out: FloatArray = per_item[labels]
    return out


class Kinds:
    """``kind_weights``."""

    name = "kinds"
    summary = "kinds of answer, found by themselves, have a vote each, shared by their members"
    needs_vectors = True
    needs_clones = False
    uses_clones = True
    corrects = True
    spaces: tuple[str, ...] = ()
    gram_spaces: tuple[str, ...] = ()

    def weigh(self, items: Weighed, options: Options, rng: np.random.Generator) -> Weights:
        return kind_weights(
            items.contexts,
            resolution=options.found.get("resolution"),
            duplicates=items.duplicates,
            clusters=items.clones,
            empty=items.empty,
            rng=rng,
        )

    def found(
        self, items: Weighed, options: Options, rng: np.random.Generator
    ) -> Mapping[str, float]:
        return {"resolution": float(self.weigh(items, options, rng).settings["resolution"])}

    def in_words(self, space: str, settings: Mapping[str, Any]) -> str:
        if "n_kinds" not in settings:
            return self.name
        return f"{self.name}, {settings['n_kinds']} found"

    def deed(self, settings: Mapping[str, Any]) -> str:
        if not settings.get("n_kinds"):
            return "clones share one vote; no kinds of answer were found"
        return f"each of {settings['n_kinds']} kinds of answer has one vote, and clones share one"


KINDS = Kinds()
