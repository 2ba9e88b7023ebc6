"""What every report says first: the command, its files, and what was read."""

from __future__ import annotations

import shlex

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Header
from cr_audit.clones.meaning import GraphRecord
from cr_audit.data.dataset import PreferenceDataset, Selection
from cr_audit.wording import percent, plural


def header(dataset: PreferenceDataset, command: str) -> Header:
    """The head of a report on one data set."""
    files = tuple(f.path for f in dataset.report.files)
    return Header(command, files, what_was_read(dataset))


def typed_files(data: PreferenceDataset) -> str:
    """The first three files, to be copied into a shell. Raw: a writer escapes what is odd."""
    return " ".join(shlex.quote(f.path) for f in data.report.files[:3])


def what_was_read(data: PreferenceDataset) -> str:
    """One sentence: rows, schema, and what they hold."""
    report = data.report
    schemas = ", ".join(
        f"{s.name} ({s.how}" + (f", {percent(s.confidence)} sure)" if s.how == "detected" else ")")
        for s in report.schemas
    )
    parts = []
    if data.comparisons.height:
        ties = f" ({plural(data.n_ties, 'tie')})" if data.n_ties else ""
        parts.append(plural(data.comparisons.height, "comparison") + ties)
    if data.choice_sets.height:
        parts.append(plural(data.choice_sets.height, "list"))
    if data.ratings.height:
        parts.append(plural(data.ratings.height, "rating"))
    of = f" of {plural(data.n_alternatives, 'response')}"
    if data.n_prompts > 1:
        of += f" to {plural(data.n_prompts, 'prompt')}"
    models = data.models()[1]
    if models:
        of += f" by {plural(len(models), 'model')}"
    if data.annotators:
        of += f", judged by {plural(len(data.annotators), 'annotator')}"
    skipped = f"; {plural(report.rows_skipped, 'row')} skipped" if report.rows_skipped else ""
    held = " and ".join(parts) if parts else "no comparisons"
    which = "" if isinstance(report.selection, NotApplicable) else _selected(report.selection)
    return f"{plural(report.rows_read, 'row')}{which} read as {schemas}: {held}{of}{skipped}."


def _selected(selection: Selection) -> str:
    """, the first ones (--limit 100), or how many there are of which a sample was drawn."""
    if isinstance(selection.n_all, NotApplicable):
        return f", the first ones (--limit {selection.asked})"
    return f", drawn from {selection.n_all:,} (--sample {selection.asked})"


def short(text: str, width: int = 40) -> str:
    """The first ``width`` characters, the last one an ellipsis if something was cut."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def named(name: str, unit: str, width: int = 40) -> str:
    """A short name of an item for a sentence: models as they are called, texts in quotes."""
    text = short(name, width)
    return text if unit == "model" else f"“{text}”"


_INDEX = {
    "exact": "exact search",
    "cells": "cells of the space",
    "hnsw": "an HNSW graph",
}


def graph_in_words(record: GraphRecord) -> str:
    """How a graph of meaning was made: how many neighbours, by which index, with which recall."""
    out = f"{record.k} nearest of each by {_INDEX[record.index]}"
    if record.parameters:
        out += f" ({', '.join(f'{k} {v:,}' for k, v in record.parameters.items())})"
    if not isinstance(record.recall, NotApplicable):
        out += f", recall {record.recall:.3f} of {record.n_recall_sample:,} looked at"
    return out
