"""Rows drawn in proportion to their weight, for trainers that take rows and nothing else.

Systematic resampling: with row weights w (sum W), N draws and one u uniform on [0, 1), row k stands
floor(N C_k / W + u) - floor(N C_{k-1} / W + u) times, C the running sums of w. Its expected number
is N w_k / W exactly, and it never differs from that by 1 or more.

Source: systematic sampling, Madow (1949). The rows keep their order and their bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.export.outcome import Exported, Reason
from cr_audit.export.rows import SUFFIXES, weights_of
from cr_audit.export.source import (
    check_target,
    fields_of,
    metadata_path,
    place,
    placed,
    table_of,
    types_of,
    write_metadata,
)
from cr_audit.export.tables import OutRow, as_it_was, format_of, write_rows

if TYPE_CHECKING:
    from cr_audit.run import Run


def systematic(weights: FloatArray, n: int, u: float) -> IntArray:
    """How often each row is drawn: int64 (m,), sum n. weights : >= 0, with a positive sum."""
    total = float(weights.sum())
    reached = np.concatenate([[0.0], np.cumsum(weights) * (n / total)])
    reached[-1] = n
    out: IntArray = np.diff(np.floor(np.minimum(reached, n) + u)).astype(np.int64)
    return out


def export(run: Run, path: Path) -> Exported:
    """As many rows as have a judgement, or ``--size``."""
    suffix = format_of(path, SUFFIXES)
    check_target(run, path, metadata_path(path))
    table = table_of(run)
    weights = weights_of(run, table)
    size: int = run.options["size"] or weights.weighting.n_rows
    u = float(run.stream("resampled rows").random())
    times = systematic(weights.weight, size, u).tolist()
    left_out: dict[str, Reason] = {}
    counts = {"read": 0}

    def rows() -> Iterator[OutRow]:
        for row, at in placed(run, table):
            counts["read"] += 1
            drawn = times[at] if at >= 0 and row.value is not None else 0
            if not drawn:
                reason = "not_drawn" if at >= 0 else "no_judgement"
                left_out.setdefault(reason, Reason()).add(place(run, row))
            for _ in range(drawn):
                yield as_it_was(row, place(run, row), {})

    n = write_rows(rows(), path, suffix, fields=fields_of(run, suffix), types=types_of(run, suffix))
    done = Exported(
        exit="resample",
        files=(str(path), str(metadata_path(path))),
        n_read=counts["read"],
        n_written=n,
        left_out=left_out,
        weighting=weights.weighting,
        notes=(
            "rows stand several times on purpose: shuffle them, and split before drawing where a"
            " held-out part is needed",
        ),
    )
    write_metadata(run, done, path)
    return done
