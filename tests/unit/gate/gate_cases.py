"""A gate run in memory, for the tests."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import date
from typing import Any

from cases import Row, jsonl, labelled, lexical

from cr_audit.analysis import Settings
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.gate.compare import BatchEffect, compare
from cr_audit.gate.judge import judge
from cr_audit.gate.known import KnownFinding
from cr_audit.gate.policy import Policy, shipped
from cr_audit.gate.verdict import Verdict, decide
from cr_audit.readers import read
from cr_audit.report.gate import GateReport

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


def reported(old: Iterable[Row], new: Iterable[Row], **options: Any) -> GateReport:
    policy = options.get("policy") or shipped("default")
    effect, verdict = judged(old, new, **options)
    return GateReport(effect, policy, verdict, {})


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
