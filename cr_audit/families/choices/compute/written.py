"""The rows that a way to train needs, made of the user's own lists: pairs, or lists with offsets.

What is written is what was measured: the same pairs with the same weights, and of one pair per list
the same draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.families.choices.compute.kinds import Kinds
from cr_audit.families.choices.compute.lists import Lists
from cr_audit.families.choices.compute.remedies import chosen_pairs
from cr_audit.families.choices.facts import Method

PAIRS = (Method.ALL_PAIRS, Method.ONE_PAIR, Method.WEIGHTED_PAIRS, Method.BALANCED_PAIRS)


def remedy_rows(
    data: PreferenceDataset, lists: Lists, kinds: Kinds, method: Method, rng: np.random.Generator
) -> Iterator[dict[str, Any]] | NotApplicable:
    """One row a pair (prompt, chosen, rejected, their models, weight), or one a list (prompt,
    responses, models, share chosen, log_offset); ``row`` is the list's file and line.

    rng : as ``remedies.measure`` was given it. NotApplicable for what needs no other rows or cannot
    be said in rows.
    """
    if method in PAIRS:
        return _pairs(data, lists, kinds, method, rng)
    if method is Method.CLONE_WEIGHTED:
        return _lists(data, lists, kinds)
    if method is Method.LISTS:
        return NotApplicable("the lists as they are need no other rows")
    return NotApplicable("a nested logit is a loss of its own and takes the lists as they are")


def weights_of(
    lists: Lists, kinds: Kinds, method: Method, rng: np.random.Generator
) -> tuple[IntArray, IntArray, FloatArray]:
    """Chosen and other member (rows of ``lists``) of each pair, and its weight; pairs of weight 0
    are left out. A list's own mass is in the weight."""
    left, right, drawn = chosen_pairs(lists, rng)
    owner = lists.owner
    of, share = owner[left], lists.share
    weight = np.ones(left.size)
    if method is Method.ONE_PAIR:
        weight = drawn
    elif method is Method.WEIGHTED_PAIRS:
        n_others = np.bincount(owner, share == 0, minlength=lists.n)
        weight = share[left] / n_others[of]
    elif method is Method.BALANCED_PAIRS:
        k = kinds.n
        a, b = kinds.labels[left], kinds.labels[right]
        across = a != b
        key = (of * k + a) * k + b
        _, inverse, count = np.unique(key[across], return_inverse=True, return_counts=True)
        chosen = np.bincount(owner * k + kinds.labels, share, minlength=lists.n * k)
        weight = np.zeros(left.size)
        weight[across] = chosen[(of * k + a)[across]] / count[inverse]
    weight = weight * lists.sets.mass[of]
    some = weight > 0.0
    return left[some], right[some], weight[some]


def _pairs(
    data: PreferenceDataset, lists: Lists, kinds: Kinds, method: Method, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    left, right, weight = weights_of(lists, kinds, method, rng)
    who = _Members(data, lists)
    owner = lists.owner
    for a, b, w in zip(left.tolist(), right.tolist(), weight.tolist(), strict=True):
        row = who.prompt(a) | who.side("chosen", a) | who.side("rejected", b)
        yield row | {"weight": round(w, 9), "row": who.place(int(owner[a]))}


def _lists(data: PreferenceDataset, lists: Lists, kinds: Kinds) -> Iterator[dict[str, Any]]:
    """log_offset : −log of how many members of its kind the list offers, to be added to each
    member's reward in the softmax."""
    who = _Members(data, lists)
    owner, offsets = lists.owner, lists.sets.offsets
    key = owner * np.int64(kinds.n) + kinds.labels
    alike = np.bincount(key, minlength=lists.n * kinds.n)[key]
    for s in range(lists.n):
        members = range(int(offsets[s]), int(offsets[s + 1]))
        sides = [who.side("response", at) for at in members]
        row = who.prompt(members[0])
        for name in sides[0]:
            row[f"{name}s"] = [side.get(name) for side in sides]
        row["chosen"] = [round(float(lists.share[at]), 9) for at in members]
        row["log_offset"] = [round(0.0 - float(np.log(alike[at])), 9) for at in members]
        yield row | {"weight": float(lists.sets.mass[s]), "row": who.place(s)}


class _Members:
    """Texts, models and places of list members. A lone surrogate becomes its escape."""

    def __init__(self, data: PreferenceDataset, lists: Lists) -> None:
        frame = data.alternatives
        self._lists = lists
        self._text, self._model = frame["text"].to_list(), frame["model"].to_list()
        self._name = [k or i for k, i in zip(frame["key"], frame["id"], strict=True)]
        self._prompt_of = data.prompt_of.tolist()
        self._prompts = data.prompts["text"].to_list()
        self._files = [f.path for f in data.report.files]

    def prompt(self, at: int) -> dict[str, Any]:
        prompt = self._prompt_of[int(self._lists.sets.members[at])]
        text = self._prompts[prompt] if prompt >= 0 else None
        return {} if text is None else {"prompt": _plain(text)}

    def side(self, name: str, at: int) -> dict[str, Any]:
        """A member by its text, and its model; by its name where it has no text."""
        i = int(self._lists.sets.members[at])
        text, model = self._text[i], self._model[i]
        out = {name: _plain(text if text is not None else model or self._name[i])}
        return out if model is None else out | {f"{name}_model": _plain(model)}

    def place(self, s: int) -> str:
        return _plain(f"{self._files[int(self._lists.file[s])]}:{int(self._lists.line[s])}")


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
