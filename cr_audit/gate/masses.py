"""Weights of rows: how heavy the batch's rows are beside the baseline's. Facts only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cr_audit.arrays import FloatArray, NotApplicable
from cr_audit.data.dataset import PreferenceDataset


@dataclass(frozen=True, slots=True)
class Masses:
    """heaviest : the largest weight of a row of the batch; heaviest_before : of the baseline. mean,
    mean_before : of all their rows. share : of the sum of all weights that the heaviest row of the
    batch has. file, line : where it stands, file as a position in the merged report's files."""

    heaviest: float
    heaviest_before: float
    mean: float
    mean_before: float
    share: float
    file: int
    line: int


def masses(data: PreferenceDataset, n_files: int) -> Masses | NotApplicable:
    """data : baseline and batch together; those of the baseline are its first ``n_files`` files."""
    parts = [f.select("mass", "file", "line") for f in (data.comparisons, data.choice_sets)]
    rows = pl.concat([p.with_columns(pl.col("file").cast(pl.Int64)) for p in parts])
    mass: FloatArray = rows["mass"].to_numpy().astype(np.float64)
    fresh = rows["file"].to_numpy() >= n_files
    if not fresh.any() or fresh.all():
        return NotApplicable("baseline and batch do not both hold judgements")
    if mass.max() == mass.min():
        return NotApplicable("all rows have one weight")
    new, old = mass[fresh], mass[~fresh]
    top = int(np.flatnonzero(fresh)[np.argmax(new)])
    return Masses(
        heaviest=float(new.max()),
        heaviest_before=float(old.max()),
        mean=float(new.mean()),
        mean_before=float(old.mean()),
        share=float(new.max() / mass.sum()),
        file=int(rows["file"][top]),
        line=int(rows["line"][top]),
    )
