"""One trial: a batch, clean or with an attack in it, against the rest of a real data set."""

from __future__ import annotations

import io
import json
import random
import time
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.gate.attacks import ATTACKS, Attack
from benchmarks.gate.sets import SETS, Row
from cr_audit.analysis import Settings
from cr_audit.arrays import NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.data.identity import canonical
from cr_audit.data.merging import restricted
from cr_audit.embed import VectorCache, open_backend
from cr_audit.gate.compare import BatchEffect, compare
from cr_audit.gate.judge import judge
from cr_audit.gate.policy import shipped
from cr_audit.gate.subjects import cluster_subject
from cr_audit.gate.verdict import Verdict, decide
from cr_audit.readers import read

Record = dict[str, Any]


def parsed(rows: list[Row]) -> PreferenceDataset:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return read(["-"], stdin=io.BytesIO(text), max_skipped=1.0)


def split(rows: list[Row], prompts: list[str] | None, rng: random.Random) -> list[bool]:
    """Which rows are in the batch: a tenth of them, or those of a tenth of the prompts."""
    if prompts is None:
        taken = set(rng.sample(range(len(rows)), len(rows))[: len(rows) // 10])
        return [i in taken for i in range(len(rows))]
    values = sorted(set(prompts))
    chosen = set(rng.sample(values, max(1, len(values) // 10)))
    return [p in chosen for p in prompts]


class Bench:
    """One data set, read once, and the gate as the command runs it, its encoder opened once.

    The baseline of a split is cut out of the data set by line; ``reread`` writes its rows and reads
    them again. Both give the same findings but for the line numbers of the baseline. ``quick``
    leaves out weights and what needs them or a bootstrap, CR608 to CR612: a fraction of the time,
    and what fails then fails in full as well.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        cache: Path,
        *,
        profile: str = "default",
        reread: bool = False,
        quick: bool = False,
    ) -> None:
        self.name, self.reread = name, reread
        self.fields = SETS[name].fields
        self.rows = SETS[name].rows(folder)
        self.prompts = [self.fields.prompt_of(row) for row in self.rows]
        self.whole = parsed(self.rows)
        self.settings, self.policy = Settings(), shipped(profile)
        if quick:
            self.settings = replace(self.settings, weights="uniform", n_replicates=2)
            without = {f"CR{n}": None for n in range(608, 613)}
            self.policy = replace(self.policy, severities=dict(self.policy.severities) | without)
        self.cache, self.backend = VectorCache(cache), open_backend(self.settings.model)

    def baseline(self, in_batch: list[bool]) -> PreferenceDataset:
        if self.reread:
            return parsed([r for r, new in zip(self.rows, in_batch, strict=True) if not new])
        file = pl.Series("file", in_batch).cast(self.whole.comparisons.schema["file"])

        def marked(frame: pl.DataFrame) -> pl.DataFrame:
            return frame.with_columns(file=file.gather(frame["line"] - 1))

        both = replace(
            self.whole,
            comparisons=marked(self.whole.comparisons),
            choice_sets=marked(self.whole.choice_sets),
            ratings=marked(self.whole.ratings),
            mentions=marked(self.whole.mentions),
        )
        return restricted(both, 1, self.whole.report)[0]

    def judged(
        self, baseline: PreferenceDataset, batch: PreferenceDataset
    ) -> tuple[BatchEffect, Verdict]:
        effect = compare(
            baseline,
            batch,
            self.settings,
            backend_for=lambda data: self.backend,
            cache=self.cache,
            confidence_level=self.policy.confidence_level,
        )
        return effect, decide(judge(effect, self.policy), self.policy, today=date(2026, 1, 1))

    def outcome(self, in_batch: list[bool], attack: Attack | None) -> Record:
        """What the gate says of these rows, an attack's among them."""
        started = time.process_time()
        batch = [r for r, new in zip(self.rows, in_batch, strict=True) if new]
        batch += attack.rows if attack else []
        effect, verdict = self.judged(self.baseline(in_batch), parsed(batch))
        out = described(effect, verdict)
        if attack is not None:
            out |= {"copies": attack.n_copies, **naming(effect, verdict, attack)}
        return out | {"seconds": round(time.process_time() - started, 2)}

    def trial(self, kind: str, seed: int) -> Record:
        """kind : "rows" or "prompts" (clean batches), or an attack, mixed into a tenth of rows."""
        rng = random.Random(seed)
        in_batch = split(self.rows, self.prompts if kind == "prompts" else None, rng)
        record: Record = {"set": self.name, "kind": kind, "seed": seed}
        attack = None
        if kind in ATTACKS:
            old = [r for r, new in zip(self.rows, in_batch, strict=True) if not new]
            attack = ATTACKS[kind](old, self.fields, rng)
            if attack is None:
                return record | {"mounted": False}
        return record | self.outcome(in_batch, attack)


def described(effect: BatchEffect, verdict: Verdict) -> Record:
    weights = effect.after.weights
    ranking = effect.ranking
    scheme = "none" if isinstance(weights, NotApplicable) else f"{weights.method}/{weights.space}"
    return {
        "passed": verdict.passed,
        "failing": sorted({j.finding.rule for j in verdict.of("failing")}),
        "below": sorted({j.finding.rule for j in verdict.of("below_threshold")}),
        "said": [j.finding.message for j in verdict.of("failing") if j.finding.rule != "CR608"],
        "leader_changed": not isinstance(ranking, NotApplicable) and bool(ranking.leaders),
        "weights": scheme,
    }


def naming(effect: BatchEffect, verdict: Verdict, attack: Attack) -> Record:
    """named : a failing finding is about, or says as its cause, a cluster most of whose new members
    are the attack's copies. n_right : such clusters; n_wrong : other clusters that failing findings
    name. found : share of the copies that are in a cluster with new members."""
    texts = effect.after.dataset.alternatives["text"].to_list()
    ours = [text is not None and canonical(text) in attack.texts for text in texts]
    right, found = set(), set[int]()
    gains = () if isinstance(effect.growth, NotApplicable) else effect.growth.gains
    subjects = {cluster_subject(effect, g): g for g in gains}
    for subject, gain in subjects.items():
        copies = [i for i in gain.new.tolist() if ours[i]]
        found |= set(copies)
        if len(copies) > gain.new.size / 2:
            right.add(subject)
    failing = [j.finding for j in verdict.of("failing")]
    named = {f.subject for f in failing if f.subject in subjects}
    named |= {str(f.evidence["cluster"]) for f in failing if "cluster" in f.evidence}
    by_rule = Counter(
        f.rule for f in failing if {f.subject, str(f.evidence.get("cluster"))} & right
    )
    n_ours = sum(mine and bool(new) for mine, new in zip(ours, effect.is_new, strict=True))
    return {
        "named": bool(named & right),
        "named_by": sorted(by_rule),
        "n_right": len(right),
        "n_wrong": len(named - right),
        "found": round(len(found) / max(n_ours, 1), 3),
    }
