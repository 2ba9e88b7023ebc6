"""Small data sets, read and analysed in memory, for the tests of facts, findings and reports."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cr_audit.analysis import Analysis, Settings, analyse
from cr_audit.analysis.fit_weights import weights_by
from cr_audit.cli.app import commands
from cr_audit.embed import open_backend
from cr_audit.embed.backends import Backend
from cr_audit.families.reporting import in_scan, judge
from cr_audit.families.weights.facts import WeightFacts
from cr_audit.findings import Finding
from cr_audit.readers import read
from cr_audit.reports import Report
from cr_audit.run import Run
from cr_audit.settings import resolve
from cr_audit.weights.schemes import PAPER
from cr_audit.write.values import clean

SAMPLES = Path(__file__).resolve().parent.parent / "sample_data"
Row = Mapping[str, Any]


@cache
def lexical() -> Backend:
    """The encoder of the tests: quick, the same on every machine."""
    return open_backend("lexical")


def jsonl(rows: Iterable[Row]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def analysed(
    rows: Iterable[Row] | Path, *, reading: Mapping[str, Any] | None = None, **settings: Any
) -> Analysis:
    """``reading``: keyword arguments of the reader; ``settings``: of the analysis."""
    chosen = Settings(**{"model": "lexical", "n_replicates": 100, **settings})
    backend = None if chosen.model == "none" else lexical()
    if isinstance(rows, Path):
        data = read([str(rows)], **(reading or {}))
    else:
        data = read(["-"], stdin=io.BytesIO(jsonl(rows)), **(reading or {}))
    return analyse(data, chosen, backend=backend)


def audited(rows: Iterable[Row] | Path, **options: Any) -> tuple[Analysis, tuple[Finding, ...]]:
    analysis = analysed(rows, **options)
    return analysis, judged(analysis)


def judged(analysis: Analysis) -> tuple[Finding, ...]:
    """What the families of a scan that stand on the base facts alone find in it."""
    families = (f for f in in_scan() if f.in_gate or "compute" not in f.roles)
    weights = WeightFacts(analysis, lambda: weights_by(analysis, PAPER))
    return judge(families, lambda family: weights if family.name == "weights" else analysis)


def run_of(
    rows: Iterable[Row] | Path,
    *,
    command: str = "scan",
    options: Mapping[str, Any] | None = None,
    reading: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Run:
    """A run over these rows, with the settings of ``analysed``; ``options`` of the command."""
    given = resolve({"model": "lexical", "n_replicates": 100, **settings})
    if isinstance(rows, Path):
        data = read([str(rows)], **(reading or {}))
    else:
        data = read(["-"], stdin=io.BytesIO(jsonl(rows)), **(reading or {}))
    files = tuple(f.path for f in data.report.files)
    run = Run(command, files, given, options or {}, use_cache=False, dataset_given=data)
    if given.analysis.model == "lexical":
        run.once("encoder", lexical)
    return run


def reported(rows: Iterable[Row] | Path, command: str = "scan", **options: Any) -> Report:
    """The report of a command over these rows."""
    made = next(c for c in commands() if c.name == command)
    defaults = {o.name: o.default for o in made.options} | dict(options.pop("options", {}))
    return made.make(run_of(rows, command=command, options=defaults, **options))


def plain_document(report: Report, *, full_text: bool = False) -> dict[str, Any]:
    """The JSON document of a report, as plain values."""
    out: dict[str, Any] = clean(report.document(full_text))
    return out


def labelled(
    prompt: str,
    a: str,
    b: str,
    models: tuple[str, str] | None = None,
    winner: str = "a",
    **more: Any,
) -> dict[str, Any]:
    """A row as an arena gives it: two responses, perhaps their models, and who won."""
    row: dict[str, Any] = {"prompt": prompt, "response_a": a, "response_b": b}
    if models:
        row |= {"model_a": models[0], "model_b": models[1]}
    label = {"a": "model_a", "b": "model_b", "tie": "tie"}[winner]
    return {**row, "winner": label, **more}


# Texts that no two of which are near each other.
DISTINCT = (
    "Rinse the cloth with cold water before the stain sets.",
    "Trains leave every hour from the northern platform.",
    "A quiet garden needs shade, patience and a bench.",
    "Seven violins rehearsed behind the closed bakery.",
    "Quantum clocks drift when the laboratory warms up.",
    "My grandmother pickled lemons in blue jars.",
    "Use a longer password and never write it down.",
    "The glacier retreated forty metres last decade.",
    "Fold the dough twice, then chill it overnight.",
    "Lighthouses blink in patterns sailors memorise.",
    "Beavers engineer wetlands without any blueprint.",
    "Subtract the mean, divide by the deviation.",
)


def round_robin(texts: Iterable[str], prompt: str = "Why?", **more: Any) -> list[dict[str, Any]]:
    """Every ordered pair once; the text that stands earlier wins."""
    names = list(texts)
    return [
        labelled(prompt, x, y, None, "a" if i < j else "b", **more)
        for i, x in enumerate(names)
        for j, y in enumerate(names)
        if i != j
    ]
