"""Lists as rows of the shapes that teams have, with a known truth."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cr_audit.arrays import Groups
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.families.choices.compute import ChoiceSettings, Judged, audit_lists, judge_lists
from cr_audit.families.choices.facts import ChoicesFacts
from cr_audit.readers import read
from cr_audit.streams import stream

Row = dict[str, Any]


def data_of(rows: Iterable[Mapping[str, Any]], **reading: Any) -> PreferenceDataset:
    raw = "\n".join(json.dumps(r) for r in rows).encode()
    return read(["-"], stdin=io.BytesIO(raw), max_skipped=1.0, **reading)


def facts_of(
    data: PreferenceDataset, *, clones: Groups | None = None, **settings: Any
) -> ChoicesFacts:
    given = {"n_replicates": 100, **settings}
    return audit_lists(
        data, ChoiceSettings(**given), clones=clones, stream=lambda name: stream(0, name)
    )


def judged_of(data: PreferenceDataset) -> Judged:
    """The tests alone."""
    return judge_lists(data, ChoiceSettings(), stream=lambda name: stream(0, name))


def nectar(
    kinds: np.ndarray, chosen: np.ndarray, names: tuple[str, ...] = ("one", "two")
) -> list[Row]:
    """Lists of Nectar's shape; the model is the kind; the chosen has rank 1, the others 2."""
    out = []
    for i, row in enumerate(kinds):
        answers = [
            {"answer": f"{i} {j}", "model": names[k], "rank": 1 if j == chosen[i] else 2}
            for j, k in enumerate(row)
        ]
        out.append({"prompt": f"q{i}", "answers": answers})
    return out


def dichotomy(rng: np.random.Generator, n: int, k: int, offered: float, liked: float) -> list[Row]:
    """A share ``liked`` wants kind 0, offered with chance ``offered``; any of it is picked."""
    kinds = (rng.random((n, k)) >= offered).astype(int)
    wants = (rng.random(n) >= liked).astype(int)
    good = kinds == wants[:, None]
    good[~good.any(axis=1)] = True
    return nectar(kinds, np.where(good, rng.random((n, k)), -1).argmax(axis=1))


def logit(rng: np.random.Generator, n: int, k: int, gap: float, first: float = 0.0) -> list[Row]:
    """Kind 0 has the reward ``gap``, every answer one of its own, the first place ``first``."""
    kinds = (rng.random((n, k)) >= 0.5).astype(int)
    utility = gap * (kinds == 0) + rng.normal(0, 0.5, (n, k)) + rng.gumbel(size=(n, k))
    utility[:, 0] += first
    return nectar(kinds, utility.argmax(axis=1))
