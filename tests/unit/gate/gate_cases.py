"""A gate run in memory, for the tests."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import date
from typing import Any

from cases import Row, jsonl, labelled, lexical

from cr_audit.analysis import Settings
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.gate.command import report_of
from cr_audit.gate.compare import BatchEffect, compare
from cr_audit.gate.decision import Decision
from cr_audit.gate.judge import judge
from cr_audit.gate.known import KnownFinding
from cr_audit.gate.policy import Policy, shipped
from cr_audit.gate.verdict import Verdict, decide
from cr_audit.readers import read
from cr_audit.reports import Report
from cr_audit.run import Run
from cr_audit.settings import resolve
from cr_audit.write import WRITERS, Target
from cr_audit.write.values import clean

TODAY = date(2026, 6, 1)


def dataset(rows: Iterable[Row], name: str = "-") -> PreferenceDataset:
    return read([name], stdin=io.BytesIO(jsonl(rows)), max_skipped=1.0)


def compared(old: Iterable[Row], new: Iterable[Row], **settings: Any) -> BatchEffect:
    chosen = Settings(**{"model": "lexical", "n_replicates": 200, **settings})
    backend = None if chosen.model == "none" else lexical()
    return compare(dataset(old), dataset(new), chosen, backend_for=lambda data: backend)


def judged(
    old: Iterable[Row],
    new: Iterable[Row],
    policy: Policy | None = None,
    known: tuple[KnownFinding, ...] | None = None,
    **settings: Any,
) -> tuple[BatchEffect, Verdict]:
    chosen = policy or shipped("default")
    effect = compared(old, new, **settings)
    return effect, decide(judge(effect, chosen), chosen, known=known, today=TODAY)


def decided(old: Iterable[Row], new: Iterable[Row], **options: Any) -> Decision:
    policy = options.get("policy") or shipped("default")
    effect, verdict = judged(old, new, **options)
    return Decision(effect, policy, verdict)


def report(decision: Decision) -> Report:
    return report_of(Run("gate", (), resolve({})), decision)


def written(
    decision: Decision, name: str, *, width: int = 100, colour: bool = False, full: bool = False
) -> str:
    """The report in one format, as the command line would write it."""
    return WRITERS[name].write(report(decision), Target(width, colour, full))


def document(decision: Decision) -> dict[str, Any]:
    """The JSON report as plain values."""
    made: dict[str, Any] = clean(report(decision).document(False))
    return made


def tournament(
    strengths: dict[str, float], n: int, prompt: str = "Why?", **more: Any
) -> list[dict[str, Any]]:
    """Every pair n times; of n comparisons the first wins the share its strength gives it."""
    names = list(strengths)
    rows = []
    for i, x in enumerate(names):
        for y in names[i + 1 :]:
            wins = round(n * strengths[x] / (strengths[x] + strengths[y]))
            rows += [
                labelled(prompt, x, y, None, "a" if k < wins else "b", **more) for k in range(n)
            ]
    return rows
