"""Weights of rows: used only where they are asked for, and refused where they make no sense.

A field called ``weight`` may hold anything, and one row that weighs a thousand decides a ranking.
So a weight counts where ``--row-weights`` (or ``--map mass=FIELD``) names its field, and then every
row has one: a finite number, 0 (the judgement does not count) or above. The largest is at most
``MAX_RATIO`` times the median, and all lie within ``SMALLEST`` and ``LARGEST``: beyond, sums lose
what the other rows say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np

from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import InputError, UsageError
from cr_audit.readers.fields import getter, number_of
from cr_audit.readers.parsing import quote
from cr_audit.readers.records import BadRow

MAX_RATIO = 1e6
SMALLEST, LARGEST = 1e-9, 1e9
NAMES = ("weight", "sample_weight", "mass")
"""Names that people give to weights: they are told that such a field was not used."""
_ROLES = ("mass", "weight")


def with_row_weights(
    mapping: Mapping[str, str] | None, row_weights: str | None
) -> dict[str, str] | None:
    """The mapping that says what ``--row-weights`` says. Raises UsageError where both name a field,
    and these differ."""
    if row_weights is None:
        return None if mapping is None else dict(mapping)
    out = dict(mapping or {})
    others = {out[r] for r in _ROLES if r in out} - {row_weights}
    if others:
        raise UsageError(
            "two_weights",
            f"--row-weights names {quote(row_weights)} and --map names {quote(min(others))}",
            next_step="name one field of weights",
        )
    return {r: f for r, f in out.items() if r not in _ROLES} | {"mass": row_weights}


class WeightCheck:
    """Whether the weight of every row of one file is one. field : where it stands."""

    def __init__(self, path: str, field: str, sample: list[dict[str, Any]]) -> None:
        self._path, self._field, self._get = path, field, getter(field, sample)

    def __call__(self, line: int, row: dict[str, Any]) -> None:
        """Raises InputError for a weight that is missing, no number, not finite or below 0."""
        found = self._get(row)
        try:
            value = number_of(found, self._field)
        except BadRow:
            value = math.nan
        if value is None or not 0.0 <= value < math.inf:
            where = f"{self._path}:{line} ({self._field})"
            _refuse("a weight must be a finite number, 0 or above", where, quote(found))


def check_range(data: PreferenceDataset) -> None:
    """Raises InputError where weights lie too far apart, or too far from 1."""
    frames = [f.select("mass", "file", "line") for f in (data.comparisons, data.choice_sets)]
    masses = [f["mass"].to_numpy() for f in frames]
    every = np.concatenate(masses)
    if not every.size and "zero_weight" in data.report.noted:
        return
    if not every.size:
        raise InputError(
            "weights_not_read",
            "rows of this kind have no weights: they hold ratings, not judgements",
            where=data.report.files[0].path,
            next_step="leave --row-weights out",
        )
    # What is refused for its size would overflow the mean of the two in the middle.
    median = float(np.median(np.minimum(every, LARGEST * MAX_RATIO)))
    far = (every > MAX_RATIO * median) | (every > LARGEST) | (every < SMALLEST)
    if not far.any():
        return
    first = int(np.argmax(far))
    part = int(first >= masses[0].size)
    row = frames[part].row(first - part * masses[0].size)
    where = f"{data.report.files[row[1]].path}:{row[2]}"
    _refuse(
        f"weights must lie between {SMALLEST:g} and {LARGEST:g}, and at most {MAX_RATIO:g} times"
        f" their median, {median:.4g}",
        where,
        f"{row[0]:.6g}",
    )


def _refuse(message: str, where: str, found: str) -> NoReturn:
    raise InputError(
        "bad_weight",
        message,
        where=where,
        found=found,
        next_step="mend the weight, or leave --row-weights out so that every row counts alike",
    )


def unused_weights(unused: Iterable[str]) -> str | None:
    """A field that is called as weights are and plays no role."""
    lower = {name.lower(): name for name in sorted(unused, reverse=True)}
    return next((lower[name] for name in NAMES if name in lower), None)
