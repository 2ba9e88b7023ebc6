"""The lines of ``disguises.run`` and ``disguises.gate`` as Markdown: families by copies and set.

    python -m benchmarks.disguises.table FILE...

Of batches: how many of the attacks that could be mounted fail the gate. Of the clone test alone:
the mean share of copies that stand in one cluster with the answer.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def table(records: list[Record]) -> str:
    """Rows: families; columns: sets, and within them numbers of copies."""
    cells: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    gate = any("passed" in r for r in records)
    for r in records:
        if gate and "passed" not in r:
            continue
        value = float(not r["passed"]) if gate else r["found"]
        for family in (r["family"], "all"):
            cells[family, r["set"], r["copies"]].append(value)
    columns = sorted({(s, c) for _, s, c in cells})
    families = [*sorted({f for f, _, _ in cells} - {"all"}), "all"]
    head = "| family | " + " | ".join(f"{s}, {c}" for s, c in columns) + " |"
    lines = [head, "|---" * (len(columns) + 1) + "|"]
    for family in families:
        shown = []
        for column in columns:
            values = cells.get((family, *column))
            if values is None:
                shown.append("–")
            elif gate:
                shown.append(f"{int(sum(values))} of {len(values)}")
            else:
                shown.append(f"{sum(values) / len(values):.2f}")
        lines.append(f"| {family} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def main() -> None:
    records = [
        json.loads(line) for name in sys.argv[1:] for line in Path(name).read_text().splitlines()
    ]
    batches = [r for r in records if "passed" in r]
    alone = [r for r in records if "found" in r and "passed" not in r]
    for some in (batches, alone):
        if some:
            print(table(some), end="\n\n")
    missed = [r for r in records if r.get("passed", r.get("found", 1.0) < 0.5)]
    for r in missed:
        print(f"- {r['set']}, {r['copies']} copies, {r['disguise']}")


if __name__ == "__main__":
    main()
