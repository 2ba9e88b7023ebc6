"""``export`` of the JSON contract: what was written, how it was weighed, what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cr_audit.export.outcome import Exported
from cr_audit.export.xray import XRay
from cr_audit.wire import Count, NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Rows that were not written, by reason, with the first of them as file:line."""

    reason: str
    n_rows: Count
    rows: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWeighting:
    """How rows were weighed. formula: before the weights are scaled to mean 1; effective_size:
    (sum w)^2 / sum w^2."""

    scheme: str
    reason: str
    formula: str
    source: str
    n_rows: Count
    effective_size: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export. exit: what --as named; files: all that was written, the main one first;
    n_rewritten: rows in which a copy's text was replaced by that of its medoid."""

    exit: str
    files: list[str]
    n_read: Count
    n_written: Count
    n_rewritten: Count
    columns: list[str]
    weighting: RowWeighting | None
    left_out: list[LeftOut]
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DryField:
    """A field of the rows. role: as it is read here, "" for none; fate: read, reward_only,
    vision_only, with_option, only_one, sorted, second_message, last_message or dropped."""

    field: str
    n_rows: Count
    role: str
    fate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DryOutcome:
    """What became of rows: same, reversed, prompt_differs, other_pair, worst_two, tie, several,
    no_pair, or why the loader made no pair; with the first of them as file:line."""

    outcome: str
    n_rows: Count
    rows: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """A trainer's loader on these rows. source: of the loader, where the facts were read."""

    trainer: str
    version: str
    route: str
    source: str
    n_rows: Count
    fields: list[DryField]
    outcomes: list[DryOutcome]


PARTS: dict[str, Any] = {"export": Export, "dry_run": DryRun}


def dry_run(seen: XRay) -> DryRun:
    """The record of an X-ray."""
    return DryRun(
        trainer=seen.trainer,
        version=seen.version,
        route=seen.route,
        source=seen.where,
        n_rows=seen.n_rows,
        fields=[
            DryField(field=name, n_rows=c.n_rows, role=c.role, fate=c.fate)
            for name, c in seen.columns.items()
        ],
        outcomes=[
            DryOutcome(outcome=name, n_rows=r.n_rows, rows=list(r.places))
            for name, r in sorted(seen.outcomes.items())
        ],
    )


def part(done: Exported) -> Export:
    """The record of an export."""
    w = done.weighting
    return Export(
        exit=done.exit,
        files=list(done.files),
        n_read=done.n_read,
        n_written=done.n_written,
        n_rewritten=done.n_rewritten,
        columns=list(done.columns),
        weighting=None
        if w is None
        else RowWeighting(
            scheme=w.scheme,
            reason=w.reason,
            formula=w.formula,
            source=w.source,
            n_rows=w.n_rows,
            effective_size=w.effective_size,
        ),
        left_out=[
            LeftOut(reason=reason, n_rows=r.n_rows, rows=list(r.places))
            for reason, r in sorted(done.left_out.items())
        ],
        notes=list(done.notes),
    )
