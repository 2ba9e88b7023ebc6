"""Which members of a list are of one kind: models, clones, length bands, or a field of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray, Groups, IntArray, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.families.choices.compute.attributes import Attributes
from cr_audit.families.choices.compute.lists import Lists
from cr_audit.families.choices.facts import Scheme

# Kinds beyond the most offered ones become one kind of the rest: constants cost a column each.
MAX_KINDS = 40
REST = "all others"
# Share of members that must have a kind (a model, a text) for a scheme to speak of the lists.
KNOWN = 0.9
# Lists that must offer two members of one clone cluster for clones to be worth a test.
MIN_CLONE_LISTS = 5
SHORT, LONG = "short", "long"


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """labels : int64 (k,) of every member row, -1 = none. named : whether a label means the same
    thing in every list (a model does; the third clone cluster of a prompt does not).
    cut : characters at which long answers begin, 0 for other schemes."""

    scheme: Scheme
    names: tuple[str, ...]
    labels: IntArray
    named: bool
    cut: float = 0.0

    @property
    def n(self) -> int:
        """How many kinds there are."""
        return len(self.names)


def kinds_of(
    scheme: Scheme,
    data: PreferenceDataset,
    lists: Lists,
    *,
    clones: Groups | None = None,
    attributes: Attributes | NotApplicable | None = None,
    field: str = "",
) -> Kinds | NotApplicable:
    """The kinds of all member rows under one scheme, or why it does not apply."""
    if scheme is Scheme.MODELS:
        return _models(data, lists)
    if scheme is Scheme.CLONES:
        return _clones(lists, clones)
    if scheme is Scheme.LENGTH:
        return _lengths(data, lists)
    return _field(lists, attributes, field)


def text_lengths(data: PreferenceDataset) -> FloatArray:
    """Characters of each alternative's text, NaN without one; float64 (n_alternatives,)."""
    length = data.alternatives["text"].str.len_chars()
    return length.cast(float).fill_null(float("nan")).to_numpy()


def _models(data: PreferenceDataset, lists: Lists) -> Kinds | NotApplicable:
    groups, names = data.models()
    labels = groups.labels[lists.sets.members]
    if not names or labels.size == 0 or float((labels >= 0).mean()) < KNOWN:
        return NotApplicable("the members of the lists do not name the model that wrote them")
    return _counted(Scheme.MODELS, labels, names)


def _clones(lists: Lists, clones: Groups | None) -> Kinds | NotApplicable:
    if clones is None:
        return NotApplicable("no clone clusters were looked for")
    labels = clones.labels[lists.sets.members]
    key = np.stack([lists.owner, labels])[:, labels >= 0]
    pairs, count = np.unique(key, axis=1, return_counts=True)
    n_shared = int(np.unique(pairs[0][count > 1]).size)
    if n_shared < MIN_CLONE_LISTS:
        return NotApplicable(
            f"{n_shared} lists offer two members of one clone cluster, fewer than {MIN_CLONE_LISTS}"
        )
    shared = np.zeros(clones.n_groups, np.bool_)
    shared[pairs[1][count > 1]] = True
    kept = np.where((labels >= 0) & shared[labels], labels, -1)
    names = tuple(f"cluster {i}" for i in range(clones.n_groups))
    return Kinds(Scheme.CLONES, names, kept, named=False)


def _lengths(data: PreferenceDataset, lists: Lists) -> Kinds | NotApplicable:
    length = text_lengths(data)[lists.sets.members]
    if length.size == 0 or float(np.isfinite(length).mean()) < KNOWN:
        return NotApplicable("the members of the lists have no text")
    cut = float(np.nanmedian(length))
    if not (np.nanmin(length) < cut <= np.nanmax(length)):
        return NotApplicable("all texts are of one length")
    labels = np.where(np.isnan(length), -1, (length >= cut).astype(np.int64))
    return Kinds(Scheme.LENGTH, (SHORT, LONG), labels.astype(np.int64), named=True, cut=cut)


def _field(
    lists: Lists, attributes: Attributes | NotApplicable | None, field: str
) -> Kinds | NotApplicable:
    if isinstance(attributes, NotApplicable):
        return attributes
    if attributes is None or field not in attributes.words:
        return NotApplicable("no member of a list has the field that was named")
    labels, names = attributes.words[field]
    return _counted(Scheme.FIELD, labels, names)


def _counted(scheme: Scheme, labels: IntArray, names: tuple[str, ...]) -> Kinds | NotApplicable:
    """Labels by how often they are offered (names break ties), the rarest ones taken together."""
    count = np.bincount(labels[labels >= 0], minlength=len(names))
    order = sorted(np.flatnonzero(count).tolist(), key=lambda i: (-int(count[i]), names[i]))
    if len(order) < 2:
        return NotApplicable("all members are of one kind")
    kept = order if len(order) <= MAX_KINDS else order[: MAX_KINDS - 1]
    number = np.full(len(names) + 1, len(kept), np.int64)
    number[kept] = np.arange(len(kept))
    number[-1] = -1
    out = [names[i] for i in kept]
    if len(kept) < len(order):
        out.append(REST)
    return Kinds(scheme, tuple(out), number[labels], named=True)
