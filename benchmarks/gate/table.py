"""Tables of trials: how often clean batches pass and attacks fail and are named, with bounds.

python -m benchmarks.gate.table FILE...
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy.stats import beta

Record = dict[str, Any]
CLEAN = ("rows", "prompts")


def at_least(k: int, n: int) -> float:
    """One-sided 95 % lower bound of a share of which k of n were seen (Clopper and Pearson)."""
    return float(beta.ppf(0.05, k, n - k + 1)) if k else 0.0


def share(k: int, n: int) -> str:
    return f"{k} of {n} (> {at_least(k, n):.0%})"


def rules(records: Sequence[Record]) -> str:
    counts = Counter(rule for r in records for rule in r["failing"])
    return ", ".join(f"{rule} {n}" for rule, n in sorted(counts.items())) or "-"


def clean_line(name: str, kind: str, records: list[Record]) -> str:
    passed = sum(r["passed"] for r in records)
    false = [r for r in records if not r["passed"]]
    return f"| {name} | {kind} | {share(passed, len(records))} | {rules(false)} |"


def attack_line(name: str, kind: str, records: list[Record]) -> str:
    mounted = [r for r in records if r.get("mounted", True)]
    n = len(mounted)
    if n == 0:
        return f"| {name} | {kind} | not mounted in {len(records)} splits | | | |"
    failed, named = sum(not r["passed"] for r in mounted), sum(r["named"] for r in mounted)
    low, high = min(r["copies"] for r in mounted), max(r["copies"] for r in mounted)
    copies = f"{low}" if low == high else f"{low}-{high}"
    some = "" if n == len(records) else f"; not mounted in {len(records) - n}"
    return (
        f"| {name} | {kind} ({copies}{some}) | {share(failed, n)} | {share(named, n)} |"
        f" {sum(r['n_wrong'] > 0 for r in mounted)} | {rules(mounted)} |"
    )


def main(paths: Sequence[str]) -> None:
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    schemes, seconds = Counter[str](), defaultdict[str, list[float]](list)
    for path in paths:
        for line in Path(path).read_text().splitlines():
            record = json.loads(line)
            groups[record["set"], record["kind"]].append(record)
            if "seconds" in record:
                schemes[record["weights"]] += 1
                seconds[record["set"]].append(record["seconds"])
    print("| set | split by | passes | false alarms |\n|---|---|---|---|")
    for (name, kind), records in groups.items():
        if kind in CLEAN:
            print(clean_line(name, kind, records))
    print("\n| set | attack (copies) | fails | named | also names another | by rule |")
    print("|---|---|---|---|---|---|")
    for (name, kind), records in groups.items():
        if kind not in CLEAN and not kind.startswith("drip"):
            print(attack_line(name, kind, records))
    for (name, kind), records in groups.items():
        if kind.startswith("drip"):
            print(f"{name} {kind}: copies merged before a batch failed: ", end="")
            print(dict(Counter(r["merged"] for r in records)))
    print("\nWeights: " + ", ".join(f"{k} {n}" for k, n in schemes.items()))
    for name, times in seconds.items():
        print(f"{name}: {sum(times) / len(times):.1f} s of processor time per trial")


if __name__ == "__main__":
    main(sys.argv[1:])
