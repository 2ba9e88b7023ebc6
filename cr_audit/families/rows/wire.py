"""``dataset``, ``alternatives`` and ``choice_sets`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import ChoiceSetFacts
from cr_audit.arrays import NotApplicable
from cr_audit.data.dataset import Selection
from cr_audit.wire import ContentId, Count, Share, Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file as it was given."""

    path: str
    container: str
    compression: str
    n_rows: Count
    n_bytes: Count
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row that could not be used, or was used with a remark."""

    reason: str
    file: str
    line: Count
    field: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRead:
    """Which schema was used, how it was found ("detected", "named", "mapped") and from which
    fields, role -> field. unused: fields that play no role; prompt_fields: those that make the
    prompt; alternatives: the runners-up with their confidence."""

    name: str
    how: str
    confidence: Share
    fields: dict[str, str]
    unused: list[str]
    prompt_fields: list[str]
    alternatives: dict[str, Share]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedRows:
    """Which rows were used: the first ("limit") or a random sample ("sample"); asked: how many;
    n_all: rows that the sample was drawn from."""

    how: str
    asked: Count
    n_all: Count | NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What was read. A skipped row has exactly one reason; noted rows were kept with a remark."""

    files: list[File]
    rows_read: Count
    rows_skipped: Count
    skipped_by_reason: dict[str, int]
    noted: dict[str, int]
    examples: list[Example]
    schema: list[SchemaRead]
    n_prompts: Count
    n_alternatives: Count
    n_comparisons: Count
    n_choice_sets: Count
    n_ratings: Count
    n_ties: Count
    n_annotators: Count
    selection: SelectedRows | NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One response. text: its first 200 characters, or all with --full-text; null where the data
    has none."""

    id: ContentId
    prompt_id: ContentId
    model: str | None
    key: str | None
    text: str | None
    n_comparisons: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSize:
    """How many lists have this size."""

    size: Count
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceSets:
    """Lists of three or more, as they stand in the data."""

    n: Count
    sizes: list[ListSize]
    n_single_choice: Count
    n_full_rankings: Count
    n_partial_rankings: Count
    n_with_ties: Count


PARTS = {
    "dataset": Dataset,
    "alternatives": list[Alternative],
    "choice_sets": ChoiceSets | NotApplicable,
}
REQUIRED = ("dataset", "alternatives")


def parts(analysis: Analysis, texts: Texts) -> dict[str, Any]:
    """The records of this family."""
    return {
        "dataset": _dataset(analysis),
        "alternatives": _alternatives(analysis, texts),
        "choice_sets": _choice_sets(analysis.choice_sets),
    }


def _selection(used: Selection | NotApplicable) -> SelectedRows | NotApplicable:
    if isinstance(used, NotApplicable):
        return used
    return SelectedRows(how=used.how, asked=used.asked, n_all=used.n_all)


def _dataset(analysis: Analysis) -> Dataset:
    data, report = analysis.dataset, analysis.dataset.report
    return Dataset(
        files=[
            File(
                path=f.path,
                container=f.container,
                compression=f.compression,
                n_rows=f.n_rows,
                n_bytes=f.n_bytes,
                sha256=f.sha256,
            )
            for f in report.files
        ],
        rows_read=report.rows_read,
        rows_skipped=report.rows_skipped,
        skipped_by_reason=dict(sorted(report.skipped_by_reason.items())),
        noted=dict(sorted(report.noted.items())),
        examples=[
            Example(reason=e.reason, file=e.file, line=e.line, field=e.field, found=e.found)
            for e in report.examples
        ],
        schema=[
            SchemaRead(
                name=s.name,
                how=s.how,
                confidence=s.confidence,
                fields=dict(s.fields),
                unused=list(s.unused),
                prompt_fields=list(s.prompt_fields),
                alternatives=dict(s.alternatives),
            )
            for s in report.schemas
        ],
        n_prompts=data.n_prompts,
        n_alternatives=data.n_alternatives,
        n_comparisons=data.comparisons.height,
        n_choice_sets=data.choice_sets.height,
        n_ratings=data.ratings.height,
        n_ties=data.n_ties,
        n_annotators=len(data.annotators),
        selection=_selection(report.selection),
    )


def _alternatives(analysis: Analysis, texts: Texts) -> list[Alternative]:
    data = analysis.dataset
    compared = np.bincount(
        np.concatenate([data.comparisons["winner"], data.comparisons["loser"]]),
        minlength=data.n_alternatives,
    )
    return [
        Alternative(
            id=i,
            prompt_id=texts.prompt_ids[p],
            model=m,
            key=k,
            text=texts.cut(t),
            n_comparisons=n,
        )
        for i, p, m, k, t, n in zip(
            texts.ids,
            texts.prompt_of,
            data.alternatives["model"],
            data.alternatives["key"],
            texts.texts,
            compared.tolist(),
            strict=True,
        )
    ]


def _choice_sets(c: ChoiceSetFacts | NotApplicable) -> ChoiceSets | NotApplicable:
    if isinstance(c, NotApplicable):
        return c
    return ChoiceSets(
        n=c.n,
        sizes=[ListSize(size=s, count=n) for s, n in c.sizes],
        n_single_choice=c.n_single_choice,
        n_full_rankings=c.n_full_rankings,
        n_partial_rankings=c.n_partial_rankings,
        n_with_ties=c.n_with_ties,
    )
