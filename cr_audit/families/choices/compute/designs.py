"""The columns that describe members: constants of kinds, length, place, attributes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, Float32Array, FloatArray, IntArray, NotApplicable
from cr_audit.engine.blas import one_blas_thread
from cr_audit.families.choices.compute.attributes import Attributes
from cr_audit.families.choices.compute.kinds import Kinds
from cr_audit.families.choices.compute.lists import Lists
from cr_audit.models.listwise.designs import ChoiceDesign

# Stages of a ranking that are looked at as choices of their own.
MAX_STAGES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Covariates:
    """What may matter beside the kind: float64 (k, c), and the names of the columns."""

    names: tuple[str, ...]
    columns: FloatArray


def covariates_of(
    lists: Lists,
    lengths: FloatArray,
    attributes: Attributes | NotApplicable | None,
    *,
    places: bool,
    directions: FloatArray | None = None,
) -> Covariates:
    """log(1 + characters) where all members have text, the attributes, places if wanted, and
    ``directions``, float64 (k, n)."""
    names: list[str] = []
    columns: list[FloatArray] = []
    length = lengths[lists.sets.members]
    if length.size and np.isfinite(length).all() and np.ptp(length) > 0:
        names.append("log length")
        columns.append(np.log1p(length))
    if isinstance(attributes, Attributes):
        names += attributes.names
        columns += list(attributes.values.T)
    if places:
        place = np.arange(length.size) - np.repeat(lists.sets.offsets[:-1], lists.sizes)
        for at in range(1, min(int(lists.sizes.max(initial=1)), 8)):
            names.append(f"place {at + 1}")
            columns.append((place == at).astype(np.float64))
    if directions is not None:
        names += [f"direction {n + 1}" for n in range(directions.shape[1])]
        columns += list(directions.T)
    wide = np.stack(columns, axis=1) if columns else np.zeros((length.size, 0))
    return Covariates(tuple(names), wide)


def directions_of(lists: Lists, vectors: Float32Array, n: int) -> FloatArray:
    """Members along the first ``n`` principal directions of their vectors, float64 (k, <= n).

    Only differences within a list matter to a choice, so each list is centred first. Directions
    have standard deviation 1 and the sign that makes their largest coordinate positive; those
    along which nothing differs are left out. Memory: one more copy of the members' vectors.
    """
    x = vectors[lists.sets.members].astype(np.float64)
    x -= (np.add.reduceat(x, lists.sets.offsets[:-1], axis=0) / lists.sizes[:, None])[lists.owner]
    with one_blas_thread():
        values, axes = np.linalg.eigh(x.T @ x / max(x.shape[0], 1))
        kept = np.argsort(-values, kind="stable")[:n]
        kept = kept[values[kept] > 1e-12 * max(float(values.max(initial=0.0)), 1e-300)]
        axes = axes[:, kept]
        largest = np.abs(axes).argmax(axis=0)
        axes = axes * np.sign(axes[largest, np.arange(axes.shape[1])])
        out: FloatArray = x @ axes / np.sqrt(values[kept])
    return out


def constants(kinds: Kinds) -> FloatArray:
    """One column per kind but the first, float64 (k, n − 1)."""
    out: FloatArray = (kinds.labels[:, None] == np.arange(1, kinds.n)).astype(np.float64)
    return out


def design_of(lists: Lists, columns: FloatArray) -> ChoiceDesign:
    """The lists with these columns as the design of a conditional logit; no offsets, no scale."""
    return ChoiceDesign(
        offsets=lists.sets.offsets,
        columns=columns,
        share=lists.share,
        mass=lists.sets.mass,
        unit=lists.unit,
        offset=np.zeros(columns.shape[0]),
    )


def stages_of(lists: Lists) -> tuple[IntArray, ChoiceDesign]:
    """Every place of a ranking as a choice from those not yet placed (exploded, without columns).

    Returns the member row of each row of the design. Lists with one choice give themselves. A
    ranking's choices share its unit. The last place, and ties of all that is left, are no choice.
    """
    rank = lists.sets.rank
    owner = lists.owner
    rows: list[IntArray] = []
    shares: list[FloatArray] = []
    sizes: list[IntArray] = []
    of: list[IntArray] = []
    for stage in range(min(int(rank.max(initial=-1)) + 1, MAX_STAGES)):
        left = (rank >= stage) | (rank < 0)
        taken = rank == stage
        n_left = np.bincount(owner, left, minlength=lists.n)
        n_taken = np.bincount(owner, taken, minlength=lists.n)
        good = (n_taken > 0) & (n_left > n_taken)
        keep = left & good[owner]
        rows.append(np.flatnonzero(keep))
        shares.append((taken / np.maximum(n_taken, 1)[owner])[keep])
        sizes.append(n_left[good].astype(np.int64))
        of.append(np.flatnonzero(good))
    which = np.concatenate([*of, np.zeros(0, np.int64)])
    counts = np.concatenate([*sizes, np.zeros(0, np.int64)])
    row = np.concatenate([*rows, np.zeros(0, np.int64)])
    design = ChoiceDesign(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        columns=np.zeros((row.size, 0)),
        share=np.concatenate([*shares, np.zeros(0)]),
        mass=lists.sets.mass[which],
        unit=lists.unit[which],
        offset=np.zeros(row.size),
    )
    return row, design


def n_stages(lists: Lists) -> IntArray:
    """int64 (n,): choices that ``stages_of`` makes of each list."""
    last = np.maximum.reduceat(lists.sets.rank, lists.sets.offsets[:-1])
    out: IntArray = np.minimum(last + 1, MAX_STAGES).astype(np.int64)
    return out


def within_budget(cost: IntArray, budget: int, rng: np.random.Generator) -> BoolArray:
    """bool (n,): lists, drawn at random, whose costs together are at most ``budget``."""
    if int(cost.sum()) <= budget:
        return np.ones(cost.size, np.bool_)
    order = rng.permutation(cost.size)
    keep = np.zeros(cost.size, np.bool_)
    keep[order[np.cumsum(cost[order]) <= budget]] = True
    return keep
